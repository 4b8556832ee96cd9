"""Read an image file; a file that cannot be used is an error or is skipped and counted, as the config says."""

import numpy as np
from mmcv.transforms import LoadImageFromFile

from spikemm.datasets.transforms.on_error import SkipOrRaise, explain
from spikemm.registry import TRANSFORMS

MAX_ASPECT_RATIO = 500  # from some 1000 on, resizing leaves one side without a pixel, or takes all memory


@TRANSFORMS.register_module()
class LoadImage(SkipOrRaise, LoadImageFromFile):
    """Load an image as BGR, uint8, three channels, or say which file cannot be used and why.

    Grey images get three equal channels, of 16 bits the upper eight are kept, an alpha channel is dropped and the EXIF
    orientation is applied (all by OpenCV, as in the task libraries' own loader). An image that is given as an array, as
    inferencers do, passes. A file is unusable when it is missing, empty, cut off or fails to decode, when it is a line
    rather than an image, or when its size is not the ``height`` and ``width`` that a detection dataset states; damage
    that leaves a JPEG decodable is not found.

    In training, ``on_error='skip'`` logs a warning with the file and the reason, and the dataset puts a random other
    sample in its place; :class:`spikemm.engine.hooks.BadImageHook` reports how many. For val and test data use 'raise'
    and set ``test_mode=True``: leaving out samples would change the score, so the datasets of spikemm refuse it.

    Example::

        train_pipeline = [dict(type='spikemm.LoadImage', on_error='skip'), ...]
        test_pipeline = [dict(type='spikemm.LoadImage'), ...]

    Args:
        on_error: 'raise' or 'skip'.
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``.
    """

    def transform(self, results: dict) -> dict | None:
        if isinstance(results.get('img'), np.ndarray):
            for key in ('img_shape', 'ori_shape'):
                results.setdefault(key, results['img'].shape[:2])
            return results
        path = results['img_path']
        try:
            super().transform(results)
        except Exception as error:  # file backends and decoders have no common error class
            return self.refuse('image', path, explain(path, error), error)
        reason = find_misfit(*results['img_shape'], results.get('height'), results.get('width'))
        return self.refuse('image', path, reason) if reason else results


def find_misfit(height: int, width: int, stated_height: int | None, stated_width: int | None) -> str | None:
    """Say why an image of this size, in pixels, cannot be used, or return None."""
    found = f'it is {width} x {height} pixels'
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        return f'{found}, too thin to be resized'
    if None not in (stated_height, stated_width) and (height, width) != (stated_height, stated_width):
        return f'{found}, its annotation says {stated_width} x {stated_height}'
    return None
