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
        self._report(data_list)
        if not data_list:
            raise ValueError(self._explain(f'no sample in {self._source()}.'))
        return data_list

    def _report(self, used: list[dict]) -> None:
        """Log what a dataset leaves out; ``used`` are the samples that are left of ``data_list``."""

    def _source(self) -> str:
        return str(self.ann_file or self.data_prefix)

    def _check_paths(self) -> None:
        for path in filter(None, (*self.data_prefix.values(), self.ann_file)):
            if isinstance(get_file_backend(path), LocalBackend) and not Path(path).exists():
                raise FileNotFoundError(self._explain(f'{Path(path).absolute()} does not exist.'))

    def _check_prefix(self, key: str) -> None:
        if not self.data_prefix.get(key):
            raise ValueError(self._explain(f'`data_prefix` must name the folder of the images as {key!r}, but got '
                                           f'{self.data_prefix!r}.'))

    def _check_classes(self) -> None:
        classes = self.metainfo.get('classes')
        named = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
        if not named or not classes or len(set(classes)) < len(classes):
            raise ValueError(self._explain(f'`metainfo` must give `classes`, a list of different names, but got '
                                           f'{classes!r}.'))

    def _check_pipeline(self) -> None:
        if self.test_mode and any(getattr(step, 'on_error', None) == 'skip' for step in self.pipeline.transforms):
            raise ValueError(self._explain("`on_error='skip'` is for training: a test without the skipped images would "
                                           "report the score of other data. Use on_error='raise' here."))

    def _explain(self, problem: str) -> str:
        return f'{type(self).__name__}: {problem} {self.hint}'.strip()


class Tally:
    """Counts of what is wrong with the data, each with its first example."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def add(self, problem: str, example: str) -> None:
        self.counts[problem] = self.counts.get(problem, 0) + 1
        self.examples.setdefault(problem, example)

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        parts = [f'{count} {problem} (first: {self.examples[problem]})' for problem, count in self.counts.items()]
        return '; '.join(parts) or 'none'
