import cv2
import numpy as np
import pytest

from spikemm.datasets.transforms.on_error import file_log


@pytest.fixture(autouse=True)
def fresh_logs():
    """Files that other tests have warned about are none of the first ten of this one."""
    file_log.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """An image folder of two classes, ``cat`` and ``dog``, with four readable 16x16 images each."""
    rng = np.random.default_rng(0)
    for name in ('cat', 'dog'):
        (tmp_path / name).mkdir()
        for i in range(4):
            cv2.imwrite(str(tmp_path / name / f'{i}.png'), rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    return tmp_path


@pytest.fixture
def broken_folder(folder):
    """The same, but three of the eight images are empty, cut off and not an image."""
    (folder / 'cat' / '1.png').write_bytes(b'')
    whole = (folder / 'cat' / '2.png').read_bytes()
    (folder / 'cat' / '2.png').write_bytes(whole[:len(whole) // 2])
    (folder / 'dog' / '3.png').write_text('not an image')
    return folder
