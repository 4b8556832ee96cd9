"""The command lines of ``tools/train.py`` and ``tools/test.py``, and how they change a config.

The flags are the union of those of mmpretrain, mmdet and mmseg; where the libraries differ, the ``default_scope`` of
the config decides. ``--cfg-options`` are merged first, so that what follows sees them.
"""

import os
import pickle
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.device import get_device

from spikemm.apis.run import add_hooks
from spikemm.engine.checkpoint import TRUST

TTA_MODELS = {
    'mmpretrain': {'type': 'AverageClsScoreTTA'},
    'mmdet': {
        'type': 'spikemm.InstanceTTAModel',
        'tta_cfg': {'nms': {'type': 'nms', 'iou_threshold': 0.5}, 'max_per_img': 100}},
    'mmseg': {'type': 'SegTTAModel'},
}

SEG_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # of the test size, in test-time augmentation as in mmseg's configs


def parse_train_args(argv: Sequence[str] | None = None) -> Namespace:
    parser = new_parser('Train a model.')
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CHECKPOINT',
        help='continue from this checkpoint, or without a value from the last one in the work directory')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (bfloat16 on CPU)')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help='scale the learning rate by the effective batch over auto_scale_lr.base_batch_size')
    parser.add_argument('--no-persistent-workers', action='store_true', help='start the data workers anew every epoch')
    args = parser.parse_args(argv)
    if args.resume and args.resume != 'auto':
        check_checkpoint(parser, args.resume)
    set_environment(args)
    return args


def parse_test_args(argv: Sequence[str] | None = None) -> Namespace:
    parser = new_parser('Evaluate a checkpoint.')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument(
        '--out', help='file for the predictions (.pkl) or the metrics (.json, .pkl); with mmseg, a directory of PNGs')
    parser.add_argument('--out-item', choices=['metrics', 'pred'], help='what --out stores (default: pred)')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', help='directory for pictures of the predictions')
    parser.add_argument('--interval', type=int, default=1, help='picture every so many samples (default: 1)')
    parser.add_argument('--wait-time', type=float, default=2, help='time of a window in seconds (default: 2)')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    parser.add_argument('--amp', action='store_true', help='evaluate in half precision')
    parser.add_argument(
        '--energy', action='store_true',
        help='count operations, add the energy to the metrics and write a report (spikemm.EnergyHook)')
    args = parser.parse_args(argv)
    if args.out_item and not args.out:
        parser.error('--out-item needs --out')
    if args.energy and args.tta:
        parser.error('--energy counts one forward pass a sample and cannot go with --tta')
    check_checkpoint(parser, args.checkpoint)
    set_environment(args)
    return args


def new_parser(description: str) -> ArgumentParser:
    """Return a parser with what both tools take."""
    parser = ArgumentParser(description=description)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='directory for logs and checkpoints (default: ./work_dirs/<config name>)')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin the memory of the data loaders')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='settings of the config to override, e.g. train_dataloader.batch_size=4 key="[a,b]" key="[(a,b),(c,d)]"')
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='unpickle whatever a checkpoint holds, code included; without it such a file is refused')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help='set by some launchers')
    return parser


@contextmanager
def one_line_errors(parser: ArgumentParser) -> Iterator[None]:
    """End the program with one line, and no traceback, where a user's mistake is what such errors come from."""
    try:
        yield
    except (AssertionError, KeyError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
            pickle.UnpicklingError) as error:  # fmt: skip
        message = ' '.join(str(error).split()) or type(error).__name__
        parser.exit(1, f'{parser.prog}: {message}\n')


def check_checkpoint(parser: ArgumentParser, path: str) -> None:
    if '://' not in path and not Path(path).expanduser().exists():
        parser.error(f'there is no checkpoint {path!r}')


def set_environment(args: Namespace) -> None:
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))  # where mmengine looks for it
    if args.trust_checkpoint:
        os.environ[TRUST] = '1'


def read_config(args: Namespace) -> Config:
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir or not cfg.get('work_dir'):
        cfg.work_dir = args.work_dir or str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def train_config(args: Namespace) -> Config:
    """Return the config that the command line of ``tools/train.py`` describes.

    Raises:
        ValueError: A flag asks for what the config lacks.
    """
    cfg = read_config(args)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise ValueError(f"optim_wrapper.type must be 'OptimWrapper' for --amp, but got {wrapper!r}.")
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                'auto_scale_lr must give the base_batch_size that the learning rate is meant for, for --auto-scale-lr, '
                f'but got {cfg.get("auto_scale_lr")!r}.')
        cfg.auto_scale_lr.enable = True
    for field in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        set_loader_defaults(cfg, field, pin=not args.no_pin_memory, persist=not args.no_persistent_workers)
    return cfg


def evaluate_config(args: Namespace) -> Config:
    """Return the config that the command line of ``tools/test.py`` describes.

    Raises:
        ValueError: A flag asks for what the config or its task library lacks.
    """
    cfg = read_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir:
        show_predictions(cfg, args)
    if args.tta:
        augment_test(cfg)
    if args.energy:
        add_hooks(cfg, 'EnergyHook')
    if args.out and args.out_item != 'metrics' and cfg.get('default_scope') == 'mmseg':
        evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
        evaluators[0].update(output_dir=args.out, keep_results=True)
    set_loader_defaults(cfg, 'test_dataloader', pin=not args.no_pin_memory, persist=True)
    return cfg


def set_loader_defaults(cfg: Config, field: str, pin: bool, persist: bool) -> None:
    """Complete the config of a data loader with what fits the machine and the task library."""
    loader = cfg.get(field)
    if not isinstance(loader, dict):
        return
    loader.pin_memory = pin and loader.get('pin_memory', True) and get_device() != 'cpu'
    loader.persistent_workers = (
        persist and loader.get('persistent_workers', True) and loader.get('num_workers', 0) > 0)
    if cfg.get('default_scope') == 'mmpretrain':  # images of one size; those of mmdet and mmseg stay a list
        loader.setdefault('collate_fn', {'type': 'default_collate'})


def show_predictions(cfg: Config, args: Namespace) -> None:
    hooks = cfg.get('default_hooks') or {}
    present = hooks.get('visualization') or {}
    cfg.default_hooks = {**hooks, 'visualization': {
        **{k: present[k] for k in present if k == 'score_thr'}, 'type': 'spikemm.PictureHook',
        'out_dir': args.show_dir, 'show': args.show, 'wait_time': args.wait_time, 'interval': args.interval}}


def augment_test(cfg: Config) -> None:
    """Wrap the model for test-time augmentation with the config's ``tta_model`` and ``tta_pipeline``.

    Without them the views are flipped horizontally or not, in mmseg at ``SEG_SCALES`` of the test size. They are not
    flipped where the training data is not: a mirror may make another class, of a digit or of a right hand's gesture.

    Raises:
        ValueError: The config says neither what the views nor how they are joined, or there would be one view only.
    """
    tta_model = cfg.get('tta_model') or TTA_MODELS.get(cfg.get('default_scope'))
    if tta_model is None:
        raise ValueError(f'default_scope must be one of {list(TTA_MODELS)} for --tta without a tta_model, but got '
                         f'{cfg.get("default_scope")!r}.')
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    training = cfg.get('train_dataloader')  # a config for testing alone does not say whether a mirror is the same
    dataset.pipeline = cfg.get('tta_pipeline') or make_views(
        dataset.pipeline, scales=SEG_SCALES if cfg.default_scope == 'mmseg' else None,
        flip=training is None or flips(training))
    cfg.model = ConfigDict(**tta_model, module=cfg.model)


def flips(part: object) -> bool:
    """Tell whether a part of a config, however deep, has a transform that mirrors samples."""
    if isinstance(part, list | tuple):
        return any(map(flips, part))
    if not isinstance(part, dict):
        return False
    named = str(part.get('type', '')).endswith(('RandomFlip', 'EventFlip'))
    return (named and 'horizontal' in (part.get('direction') or 'horizontal')) or any(map(flips, part.values()))


def make_views(
    pipeline: list[ConfigDict], scales: Sequence[float] | None = None, flip: bool = True,
) -> list[ConfigDict]:
    """Let a test pipeline give each image as it is and mirrored, and that at several ``scales`` of the test size.

    The ground truth is loaded behind both, so that each view has it as it is in the file.

    Raises:
        ValueError: There are neither ``scales`` nor a ``flip``.
    """
    if not (flip or scales):
        raise ValueError('The config must have a tta_pipeline for --tta, or a RandomFlip in training: mirrored images '
                         'would be a view that the model has never seen, and a mirror may change the class.')
    *steps, pack = deepcopy(pipeline)
    if 'meta_keys' in pack:  # of which the model must know what to flip back
        pack.meta_keys = tuple(dict.fromkeys((*pack.meta_keys, 'flip', 'flip_direction')))
    truth = [step for step in steps if re.match('Load(?!.*(Image|Events|Frames))', name_of(step))]
    steps = [step for step in steps if step not in truth]
    names = [*map(name_of, steps), 'Pad']
    before_padding = names.index('Pad')  # which is on the right and below, mirrored or not
    choices = [[step] for step in steps]
    probs = (0.0, 1.0) if flip else (0.0, )  # with 0 there is still the note, by which a prediction is flipped back
    choices.insert(before_padding, [ConfigDict(type='RandomFlip', prob=prob) for prob in probs])
    if scales and 'Resize' in names:
        resize = names.index('Resize')
        choices[resize] = [rescale(steps[resize], factor) for factor in scales]
    elif scales:
        choices.insert(before_padding, [ConfigDict(type='Resize', scale_factor=factor) for factor in scales])
    first = next(i for i, choice in enumerate(choices) if len(choice) > 1)
    views = [*choices[first:], *([step] for step in truth), [pack]]
    return [*steps[:first], ConfigDict(type='TestTimeAug', transforms=views)]


def name_of(step: ConfigDict) -> str:
    return step.type.rpartition('.')[2]


def rescale(resize: ConfigDict, factor: float) -> ConfigDict:
    """Return a ``Resize`` to ``factor`` times the size."""
    if 'scale' not in resize:
        return ConfigDict(resize, scale_factor=tuple(np.multiply(resize.scale_factor, [factor] * 2).tolist()))
    sides = np.multiply(resize.scale, [factor] * 2).round().astype(int)
    return ConfigDict(resize, scale=tuple(sides.tolist()))
