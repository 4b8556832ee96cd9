"""Draw which neurons fire for an image or a recording: ``python demo/firing_demo.py INPUT CONFIG CHECKPOINT``."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from spikemm.analysis.spikes import record_spikes
from spikemm.apis.command_line import one_line_errors
from spikemm.apis.inferencers import init_inferencer
from spikemm.models.data_preprocessors.event_cls import split_time
from spikemm.visualization.events import draw_frame, fullest
from spikemm.visualization.firing import firing_maps, spike_raster
from spikemm.visualization.overlays import to_picture


def watch_input(preprocessor: nn.Module) -> Callable[[], list[np.ndarray]]:
    """Return a function that draws what a model got last: an image, or a frame for every time step of a recording; both
    with their padding, on which neurons fire as well."""
    seen: dict[str, Tensor] = {}

    def see(module: nn.Module, args: tuple, batch: dict) -> None:
        sample = args[0]['inputs'][0]
        height, width = batch['inputs'].shape[-2:]
        seen['sample'] = F.pad(sample, (0, width - sample.shape[-1], 0, height - sample.shape[-2])).cpu()

    def draw() -> list[np.ndarray]:
        channels = getattr(preprocessor, 'channels', None)
        if channels is None:
            return [to_picture(seen['sample'], bgr=True)]
        if channels > 2:  # numbers that are no counts of ON and OFF
            return []
        frames = split_time(seen['sample'], channels).float().numpy()
        return [draw_frame(frame, fullest(frames)) for frame in frames]

    preprocessor.register_forward_hook(see)
    return draw


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description='Draw where and when the neurons of a model fire: firing_maps.png has the firing rates of each '
        'stage over space and time, raster.png the spikes of single neurons. Of events, ON is red and OFF is blue.')
    parser.add_argument('input', help='image file, or file of an event camera, as the config has it')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', type=Path, help='folder to write to (default: the name of the input with _firing)')
    parser.add_argument('--layers', help="pattern of the layers of neurons, such as 'backbone.stages.3.*' "
                        '(default: the last of each stage, neck and head)')
    parser.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU if there is one)')
    args = parser.parse_args(argv)
    out = args.out or Path(f'{Path(args.input).stem}_firing')
    predictions = []
    with one_line_errors(parser):
        inferencer = init_inferencer(args.config, args.checkpoint, args.device)
        draw_input = watch_input(inferencer.model.data_preprocessor)
        layers = record_spikes(inferencer.model, lambda: predictions.extend(inferencer(args.input)), args.layers)
        out.mkdir(parents=True, exist_ok=True)
    print(inferencer.describe(predictions[-1], topk=1))
    for layer in layers:
        print(f'{layer.rate:7.3f}  {layer.name}' + (f' ({layer.part})' if layer.part else ''))
    title = f'{Path(args.input).name}, {Path(args.config).stem}'
    firing_maps(layers, draw_input(), title).savefig(out / 'firing_maps.png')
    spike_raster(layers, title).savefig(out / 'raster.png')
    print(f'Pictures: {out / "firing_maps.png"}, {out / "raster.png"}')


if __name__ == '__main__':
    main()
