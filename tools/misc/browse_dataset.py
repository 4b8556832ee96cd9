"""Look at the data of a config, as it is in the files or as the model gets it: ``python browse_dataset.py CONFIG``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmengine.config import Config, DictAction
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer

from spikemm.datasets.transforms import EventFrames, GreyToPolarity, LoadEvents, LoadFrames, SampleClip
from spikemm.visualization.events import draw_events, name_recording
from spikemm.visualization.overlays import PictureFolder, beside, draw_sample, has_classes, to_original_size, to_picture

LOADING = LoadImageFromFile | LoadAnnotations | LoadEvents | EventFrames | SampleClip | LoadFrames | GreyToPolarity


def parse_args(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(description='Draw the samples of a dataset with their ground truth.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--output-dir', '-o', help='folder for the pictures (PNG), named after the files')
    parser.add_argument('--phase', '-p', choices=['train', 'val', 'test'], default='train', help='default: train')
    parser.add_argument('--show-number', '-n', type=int, help='number of samples, from the first on (default: all)')
    parser.add_argument(
        '--mode', '-m', choices=['original', 'transformed', 'concat'], default='transformed',
        help='samples as they are in the files, as the pipeline makes them (default), or both in one picture')
    parser.add_argument('--not-show', action='store_true', help='open no window')
    parser.add_argument('--show-interval', '-i', type=float, default=2, help='time of a window in seconds (default: 2)')
    parser.add_argument(
        '--channel-order', '-c', choices=['BGR', 'RGB'], default='BGR',
        help='order of the channels in the samples (default: BGR; RGB for CIFAR)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings to override')
    args = parser.parse_args(argv)
    if args.not_show and not args.output_dir:
        parser.error('--not-show needs --output-dir')
    return args


def samples(dataset: BaseDataset, number: int, mode: str) -> Iterator[list[dict]]:
    """Yield what there is to draw of each sample: the original, the transformed one, or both."""
    for leaf in leaves(dataset):
        for step in leaf.pipeline.transforms:
            if hasattr(step, 'on_error'):
                step.on_error = 'raise'  # a random other sample in its place would be a wrong picture
    inner, outer = leaves(dataset)[0], dataset
    while not hasattr(outer, 'pipeline'):
        outer = parts(outer)[0]
    *steps, pack = getattr(outer.pipeline, 'transforms', outer.pipeline)  # a list where images are mixed
    loading = [step for step in inner.pipeline.transforms if isinstance(step, LOADING)]
    load = Compose([*loading, pack])
    late = bool(steps) and isinstance(steps[-1], LoadAnnotations)  # in tests: the truth keeps the size of the file
    for i in range(number):
        state = np.random.get_state()
        original = None if mode == 'transformed' else load(deepcopy(dataset.get_data_info(i)))
        np.random.set_state(state)  # so that both show the same part of a recording
        transformed = None if mode == 'original' else dataset[i]
        if late and transformed:
            transformed['inputs'] = to_original_size(transformed['inputs'], transformed['data_samples'])
        yield [sample for sample in (original, transformed) if sample is not None]


def parts(dataset: BaseDataset) -> list[BaseDataset]:
    """Return the datasets that a wrapper wraps."""
    return list(getattr(dataset, 'datasets', ())) or ([dataset.dataset] if hasattr(dataset, 'dataset') else [])


def leaves(dataset: BaseDataset) -> list[BaseDataset]:
    """Return the datasets inside all wrappers."""
    return [leaf for part in parts(dataset) for leaf in leaves(part)] or [dataset]


def event_channels(cfg: Config) -> int | None:
    """Return the channels of a time step where a config's data are events, and None where they are images."""
    settings = cfg.get('model', {}).get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    return getattr(MODELS.build(settings), 'channels', None) if 'type' in settings else None


def draw(sample: dict, meta: dict, channel_order: str, channels: int | None) -> np.ndarray:
    """Draw the input of the network with its ground truth; return RGB."""
    inputs, truth = sample['inputs'], sample['data_samples']
    image = draw_events(inputs, truth, channels) if channels else to_picture(inputs, bgr=channel_order == 'BGR')
    return draw_sample(image, truth, meta.get('classes'), meta.get('palette'))


def name_sample(dataset: BaseDataset, i: int, sample: BaseDataElement) -> str:
    """Return what a picture is named after: the file of its sample, if there is one."""
    info = {} if sample.get('img_path') else dataset.get_data_info(i)
    is_recording = 'event_path' in info or 'frame_dir' in info
    return name_recording(info) if is_recording else sample.get('img_path') or f'{i:05d}'


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    folder = PictureFolder(args.output_dir) if args.output_dir else None
    window = None if args.not_show else Visualizer()
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset, channels = DATASETS.build(cfg[f'{args.phase}_dataloader'].dataset), event_channels(cfg)
        number = min(args.show_number or len(dataset), len(dataset))
        for i, found in enumerate(samples(dataset, number, args.mode)):
            truth = found[-1]['data_samples']
            pictures = [draw(sample, dataset.metainfo, args.channel_order, channels) for sample in found]
            picture = beside(pictures, columns=1 if channels and has_classes(truth) else None)  # clips are wide
            name = name_sample(dataset, i, truth)
            if folder:
                folder.save(picture, name)
            if window:
                window.show(picture, win_name=name, wait_time=args.show_interval)
    if folder:
        print(f'{number} pictures: {folder.folder}')


if __name__ == '__main__':
    main()
