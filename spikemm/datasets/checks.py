"""Refuse unusable data before the run starts, for datasets of every task."""

from pathlib import Path

from mmengine.fileio import LocalBackend, get_file_backend


class CheckedDataset:
    """Mixin for an OpenMMLab dataset: unusable data raises an error that names the path and the remedy.

    It goes before the dataset: ``class ImageFolder(CheckedDataset, CustomDataset)``. Checked when the dataset is built:
    the folders and the annotation file exist, there is at least one sample, and no transform of a test dataset skips
    images (see :class:`spikemm.datasets.transforms.LoadImage`).

    Args:
        hint: How to get the data; closes the error message. None is the ``HINT`` of the class.
        *args, **kwargs: Arguments of the dataset.
    """

    HINT = ''

    def __init__(self, *args, hint: str | None = None, **kwargs) -> None:
        self.hint = self.HINT if hint is None else hint
        super().__init__(*args, **kwargs)

    def full_init(self) -> None:
        if self._fully_initialized:
            return
        self._check_pipeline()
        self._check_paths()
        super().full_init()

    def filter_data(self) -> list[dict]:
        data_list = super().filter_data()
        if not data_list:
            raise ValueError(self._explain(f'no sample in {self.ann_file or self.data_prefix}.'))
        return data_list

    def _check_paths(self) -> None:
        for path in filter(None, (*self.data_prefix.values(), self.ann_file)):
            if isinstance(get_file_backend(path), LocalBackend) and not Path(path).exists():
                raise FileNotFoundError(self._explain(f'{Path(path).absolute()} does not exist.'))

    def _check_pipeline(self) -> None:
        if self.test_mode and any(getattr(step, 'on_error', None) == 'skip' for step in self.pipeline.transforms):
            raise ValueError(self._explain("`on_error='skip'` is for training: a test without the skipped images would "
                                           "report the score of other data. Use on_error='raise' here."))

    def _explain(self, problem: str) -> str:
        return f'{type(self).__name__}: {problem} {self.hint}'.strip()
