"""Folders that are made once, appear when they are complete, and say in a manifest how they were made."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

MANIFEST = 'manifest.json'
MANY = 2**31 - 1


def check_integers(ranges: dict[str, tuple[int, int]], **arguments: int) -> None:
    """Refuse an argument that is not an integer within its range, ends included."""
    for name, value in arguments.items():
        low, high = ranges[name]
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f'`{name}` must be an integer from {low} to {high}, but got {value!r}.')


def is_complete(folder: Path, manifest: dict, files: dict[str, int]) -> bool:
    """Whether a folder was made to this manifest and still holds as many files.

    Args:
        folder: The folder; it need not exist.
        manifest: What its manifest must say.
        files: For each glob pattern, the number of files.
    """
    path = folder / MANIFEST
    if not path.is_file() or path.read_bytes() != json.dumps(manifest).encode():
        return False
    return all(len(list(folder.glob(pattern))) == count for pattern, count in files.items())


@contextmanager
def replacing(folder: Path, manifest: dict) -> Iterator[Path]:
    """Give an empty folder to fill. With the manifest, it takes the place of ``folder`` when the block ends well."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise FileExistsError(f'{folder} holds other files: it has no {MANIFEST}. Remove it or choose another folder.')
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f'.{folder.name}-', dir=folder.parent) as temporary:
        new = Path(temporary) / 'new'
        new.mkdir()
        yield new
        (new / MANIFEST).write_bytes(json.dumps(manifest).encode())
        if folder.exists():
            folder.rename(Path(temporary) / 'old')
        new.rename(folder)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an RGB image or a label map in the format that the suffix names; JPEG at quality 95."""
    bgr = image[..., ::-1] if image.ndim == 3 else image
    path.write_bytes(cv2.imencode(path.suffix, bgr)[1])  # 95 is OpenCV's default
