"""Draw what a detector or a segmentation model predicts on the test data."""

from collections.abc import Sequence

from mmcv.image import imread
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer

from spikemm.registry import HOOKS
from spikemm.visualization.overlays import PictureFolder, draw_sample


@HOOKS.register_module()
class PictureHook(Hook):
    """Save or show ground truth and prediction side by side, for mmdet and mmseg alike.

    ``tools/test.py`` puts it in the place of the libraries' own hooks for ``--show`` and ``--show-dir``: those draw
    every image whatever the interval, and each has its own idea of where pictures go.

    Example::

        default_hooks = dict(visualization=dict(type='spikemm.PictureHook', out_dir='pictures', interval=100))

    Args:
        out_dir: Folder for the pictures, which are named after the images; None saves none.
        interval: A picture every so many images.
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
        meta = runner.test_dataloader.dataset.metainfo
        for sample in outputs:
            self._seen += 1
            if (self._seen - 1) % self.interval:
                continue
            image = imread(sample.img_path, channel_order='rgb')
            picture = draw_sample(image, sample, meta['classes'], meta.get('palette'), score_thr=self.score_thr)
            if self.folder:
                self.folder.save(picture, sample.img_path)
            if self.show:
                Visualizer().show(picture, win_name=sample.img_path, wait_time=self.wait_time)
