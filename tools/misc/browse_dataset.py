"""Look at the data of a config, as it is in the files or as the model gets it: ``python browse_dataset.py CONFIG``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from copy import deepcopy

import cv2
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmengine.config import Config, DictAction
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, DefaultScope
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from mmengine.visualization.utils import img_from_canvas

from spikemm.visualization.overlays import DPI, PictureFolder, beside, draw_sample, enlarge


def parse_args(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(description='Draw the samples of a dataset with their ground truth.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--output-dir', '-o', help='folder for the pictures (PNG), named after the images')
    parser.add_argument('--phase', '-p', choices=['train', 'val', 'test'], default='train', help='default: train')
    parser.add_argument('--show-number', '-n', type=int, help='number of samples, from the first on (default: all)')
    parser.add_argument(
        '--mode', '-m', choices=['original', 'transformed', 'concat'], default='transformed',
        help='samples as they are in the files, as the pipeline makes them (default), or both side by side')
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
    loading = [step for step in inner.pipeline.transforms if isinstance(step, LoadImageFromFile | LoadAnnotations)]
    load = Compose([*loading, pack])
    late = bool(steps) and isinstance(steps[-1], LoadAnnotations)  # in tests: the truth keeps the size of the file
    for i in range(number):
        original = None if mode == 'transformed' else load(deepcopy(dataset.get_data_info(i)))
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


def to_original_size(inputs: torch.Tensor, sample: BaseDataElement) -> torch.Tensor:
    """Undo Pad and Resize of an input ``[C, H, W]``."""
    height, width = sample.ori_shape
    across, down = sample.get('scale_factor', (1, 1))
    image = inputs[:, :round(height * down), :round(width * across)].permute(1, 2, 0).numpy()
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(image.reshape(height, width, -1)).permute(2, 0, 1)


def draw(sample: dict, meta: dict, channel_order: str) -> np.ndarray:
    """Draw the input of the network with its ground truth; return RGB."""
    image = sample['inputs'].permute(1, 2, 0).numpy().clip(0, 255).astype(np.uint8)
    image = np.repeat(image, 3 // image.shape[2], axis=2)  # grey ones
    image = np.ascontiguousarray(image[..., ::-1] if channel_order == 'BGR' else image)
    truth = sample['data_samples']
    if 'gt_label' not in truth:
        return draw_sample(image, truth, meta['classes'], meta.get('palette'))
    classes = meta.get('classes')
    names = [str(label) if classes is None else classes[label] for label in truth.gt_label.tolist()]
    return beneath(enlarge(image), ', '.join(names))


def beneath(picture: np.ndarray, caption: str) -> np.ndarray:
    """Write a caption below an RGB picture."""
    height, width = 30, picture.shape[1]
    figure = Figure(np.add((width, height), 0.01) / DPI, dpi=DPI)
    figure.text(0.5, 0.5, caption, ha='center', va='center')
    return np.vstack([picture, img_from_canvas(FigureCanvasAgg(figure))])


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    folder = PictureFolder(args.output_dir) if args.output_dir else None
    window = None if args.not_show else Visualizer()
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(cfg[f'{args.phase}_dataloader'].dataset)
        number = min(args.show_number or len(dataset), len(dataset))
        for i, found in enumerate(samples(dataset, number, args.mode)):
            picture = beside([draw(sample, dataset.metainfo, args.channel_order) for sample in found])
            name = found[-1]['data_samples'].get('img_path') or f'{i:05d}'
            if folder:
                folder.save(picture, name)
            if window:
                window.show(picture, win_name=name, wait_time=args.show_interval)
    if folder:
        print(f'{number} pictures: {folder.folder}')


if __name__ == '__main__':
    main()
