"""Turn a trained ANN into a spiking network: ``python ann2snn.py CONFIG CHECKPOINT DST.pth``.

The config is that of the spiking network, whose backbone, a ``spikemm.ConvertedANN``, names the ANN. The scales of the
neurons are measured on its training data, as its test pipeline shows them; the labels are not read. Then
``python tools/test.py CONFIG DST.pth``.
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, save_checkpoint
from torch import Tensor, nn

from spikemm import __version__
from spikemm.analysis.inputs import build_model, innermost
from spikemm.engine.checkpoint import load_file
from spikemm.engine.hooks.strict_load_hook import find_misfits
from spikemm.models.backbones.converted import IF, convert_ann

QUANTILE_LIMIT = 2**24  # values that torch.quantile takes


def parse_mode(text: str) -> str | float:
    """'99.9%', 'max', or a number above 0 and up to 1."""
    try:
        number = float(text.removesuffix('%')) / (100 if text.endswith('%') else 1)
    except ValueError:
        number = 1.0 if text.lower() == 'max' else 0.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"mode must be a quantile like '99.9%', 'max' or 0 to 1, but got {text!r}.")
    return text if text.endswith('%') or text.lower() == 'max' else number


def load_ann(cfg: Config, checkpoint: str) -> tuple[BaseModel, dict]:
    """The model as the ANN that it was, with the weights of a checkpoint; and what that says of itself.

    Raises:
        ValueError: The config's backbone is no converted ANN, or the checkpoint is of another model.
    """
    kind = cfg.model.get('backbone', {}).get('type')
    if kind != 'spikemm.ConvertedANN':
        raise ValueError(f'model.backbone of the config must be a spikemm.ConvertedANN, but is {kind}.')
    cfg = deepcopy(cfg)
    cfg.model.backbone = cfg.model.backbone.ann
    model = build_model(cfg)
    source = load_file(checkpoint, map_location='cpu')
    if misfits := find_misfits(model, source.get('state_dict', source)):  # it loads them, too
        raise ValueError(f'{checkpoint} does not fit the ANN of the config: {"; ".join(misfits)}.')
    return model, source.get('meta', {})


def calibration_batches(cfg: Config, number: int) -> Iterator[dict]:
    """Batches of the training data, drawn with seed 0, in size and form those of the test data."""
    loader = deepcopy(cfg.test_dataloader)
    dataset = deepcopy(innermost(cfg.train_dataloader))
    dataset.pipeline = innermost(cfg.test_dataloader).pipeline
    loader.dataset, loader.sampler = dataset, dict(type='DefaultSampler', shuffle=True)
    return islice(iter(Runner.build_dataloader(loader, seed=0)), number)


def largest_activation(ann: nn.Module, image: Tensor) -> int:
    """Number of values of the ANN's largest ReLU for one image ``[1, C, H, W]``."""
    sizes = []
    handles = [
        m.register_forward_hook(lambda module, args, out: sizes.append(out.numel()))
        for m in ann.modules() if isinstance(m, nn.ReLU)]
    ann(image)
    for handle in handles:
        handle.remove()
    return max(sizes, default=1)


def calibration_images(model: BaseModel, batches: Iterator[dict]) -> Iterator[Tensor]:
    """Normalised images ``[B, C, H, W]``, as many at a time as a quantile can be taken of."""
    for batch in batches:
        images = model.data_preprocessor(batch, training=False)['inputs']
        yield from images.split(max(1, QUANTILE_LIMIT // largest_activation(model.backbone, images[:1])))


@torch.no_grad()
def convert(config: str, checkpoint: str, dst: Path, mode: str | float, batches: int) -> None:
    """Write the checkpoint of the spiking network.

    Raises:
        ValueError: The config, the checkpoint or the ANN cannot be converted.
    """
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model, meta = load_ann(cfg, checkpoint)
        images = calibration_images(model, calibration_batches(cfg, batches))
        net = convert_ann(model.backbone, images, mode=mode, neuron=cfg.model.backbone.get('neuron', IF))
        spiking = build_model(cfg)
    state = {key: value for key, value in model.state_dict().items() if not key.startswith('backbone.')}
    state |= {f'backbone.net.{key}': value for key, value in net.state_dict().items()}
    if misfits := find_misfits(spiking, state):
        raise ValueError(f'{config} cannot be converted to: {"; ".join(misfits)}.')
    about = dict(ann=Path(checkpoint).name, mode=mode, batches=batches, spikemm_version=__version__)
    about['dataset_meta'] = meta.get('dataset_meta')  # the classes, which inference names
    save_checkpoint(dict(state_dict=state, meta=about), str(dst))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description='Turn a trained ANN into a spiking network.')
    parser.add_argument('config', help='config of the spiking network, whose backbone is a spikemm.ConvertedANN')
    parser.add_argument('checkpoint', help='checkpoint of the ANN')
    parser.add_argument('dst', type=Path, help='checkpoint to write, .pth')
    parser.add_argument(
        '--mode', type=parse_mode, default='99.9%',
        help="scale of a neuron: a quantile of the ReLU's values, 'max', or the maximum times a number up to 1")
    parser.add_argument('--batches', type=int, default=16, help='batches of training images to measure on')
    args = parser.parse_args(argv)
    if args.batches < 1:
        parser.error(f'--batches must be at least 1, but got {args.batches}.')
    try:
        convert(args.config, args.checkpoint, args.dst, args.mode, args.batches)
    except (OSError, ValueError) as error:
        parser.exit(1, f'{parser.prog}: {error}\n')
    print(args.dst)


if __name__ == '__main__':
    main()
