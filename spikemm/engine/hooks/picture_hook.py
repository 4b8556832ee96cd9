"""Draw what a model predicts on the test data."""

from collections.abc import Sequence

import numpy as np
from mmcv.image import imread
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from torch import Tensor, nn

from spikemm.registry import HOOKS
from spikemm.visualization.events import draw_events, name_recording
from spikemm.visualization.overlays import PictureFolder, draw_sample, has_classes, to_original_size, to_picture


@HOOKS.register_module()
class PictureHook(Hook):
    """Save or show what is true and what is predicted, for mmpretrain, mmdet and mmseg alike.

    ``tools/test.py`` puts it in the place of the libraries' own hooks for ``--show`` and ``--show-dir``: those draw
    images only, some every one whatever the interval, and each has its own idea of where pictures go. Where the
    ``data_preprocessor`` is one of events (it has ``channels``), the events that the model gets are drawn, ON red and
    OFF blue: all time steps with a class, their sum with boxes or a segmentation.

    Example::

        default_hooks = dict(visualization=dict(type='spikemm.PictureHook', out_dir='pictures', interval=100))

    Args:
        out_dir: Folder for the pictures, which are named after the images or recordings; None saves none.
        interval: A picture every so many samples.
        show: Whether to show the pictures in a window.
        wait_time: How long, in seconds.
        score_thr: Lowest score of the objects shown.
    """

    def __init__(
        self, out_dir: str | None = None, *, interval: int = 1, show: bool = False, wait_time: float = 2,
        score_thr: float = 0.3,
    ) -> None:
        self.folder = PictureFolder(out_dir) if out_dir else None
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.score_thr = score_thr
        self._seen = 0

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        dataset = runner.test_dataloader.dataset
        meta, preprocessor = dataset.metainfo, unwrap(runner.model).data_preprocessor
        for i, sample in enumerate(outputs):
            self._seen += 1
            if (self._seen - 1) % self.interval:
                continue
            image = read_or_draw(sample, unflipped(data_batch, i), preprocessor)
            picture = draw_sample(image, sample, meta.get('classes'), meta.get('palette'), score_thr=self.score_thr)
            name = self._name(sample, dataset)
            if self.folder:
                self.folder.save(picture, name)
            if self.show:
                Visualizer().show(picture, win_name=name, wait_time=self.wait_time)

    def _name(self, sample: BaseDataElement, dataset: BaseDataset) -> str:
        if sample.get('img_path') is not None:
            return sample.img_path
        if 'sample_idx' in sample and isinstance(dataset, BaseDataset):  # not of a part of a wrapper
            info = dataset.get_data_info(sample.sample_idx)
            if 'event_path' in info or 'frame_dir' in info:
                return name_recording(info)
        return f'{self._seen - 1:05d}'


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside of those for distributed and for augmented tests."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def unflipped(data_batch: dict, i: int) -> Tensor:
    """Return the input of sample ``i``; in an augmented test, of a view as its ground truth is: not flipped."""
    inputs, samples = data_batch['inputs'], data_batch['data_samples']
    if isinstance(samples[0], BaseDataElement):
        return inputs[i]
    views = (view[i] for view, of_view in zip(inputs, samples, strict=True) if not of_view[i].get('flip'))
    return next(views, inputs[0][i])


def read_or_draw(sample: BaseDataElement, inputs: Tensor, preprocessor: nn.Module) -> np.ndarray:
    """Return the picture of a sample, RGB, uint8, ``[H, W, 3]``, that its ground truth and prediction fit on."""
    if hasattr(preprocessor, 'channels'):
        frames = inputs.flatten(0, -3)
        return draw_events(frames if has_classes(sample) else to_original_size(frames, sample), sample,
                           preprocessor.channels)
    if sample.get('img_path') is not None:
        return imread(sample.img_path, channel_order='rgb')
    return to_picture(inputs, bgr=getattr(preprocessor, 'to_rgb', False))
