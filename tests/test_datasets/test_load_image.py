import copy

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from spikemm.datasets import ImageFolder
from spikemm.datasets.transforms import LoadImage
from spikemm.datasets.transforms.on_error import skipped_images

BROKEN = {'cat/1.png': 'the file is empty', 'cat/2.png': 'cut off', 'dog/3.png': 'not an image'}


def load(path, **kwargs):
    return LoadImage(**kwargs)({'img_path': str(path)})


@pytest.mark.parametrize(('name', 'reason'), BROKEN.items())
def test_raise_names_the_file_the_reason_and_the_remedy(broken_folder, name, reason):
    with pytest.raises(ValueError, match=f"{name} \\(.*{reason}.*on_error='skip'"):
        load(broken_folder / name)


@pytest.mark.parametrize('extension', ['.jpg', '.png', '.bmp', '.webp', '.tif'])
def test_an_image_cut_off_near_its_end_is_unreadable(tmp_path, extension):
    whole = cv2.imencode(extension, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))[1].tobytes()
    path = tmp_path / f'image{extension}'
    path.write_bytes(whole[:int(0.95 * len(whole))])
    with pytest.raises(ValueError, match='Cannot use the image'):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'gone\.png \(.*No such file'):
        load(tmp_path / 'gone.png')


def test_skip_gives_none_and_a_warning_with_file_and_reason(broken_folder, monkeypatch):
    lines = []
    monkeypatch.setattr('spikemm.datasets.transforms.on_error.print_log', lambda message, *_: lines.append(message))
    assert load(broken_folder / 'cat/1.png', on_error='skip') is None
    assert lines == [f'Skipped the image {broken_folder}/cat/1.png, which cannot be used (the file is empty).']


def test_a_file_is_warned_about_once_and_counted_each_time(broken_folder, monkeypatch):
    lines, before = [], skipped_images().value
    monkeypatch.setattr('spikemm.datasets.transforms.on_error.print_log', lambda message, *_: lines.append(message))
    transform = LoadImage(on_error='skip')
    for _ in range(3):
        transform({'img_path': str(broken_folder / 'cat/1.png')})
    assert len(lines) == 1
    assert skipped_images().value == before + 3


def test_two_persistent_workers_add_to_one_count(broken_folder, monkeypatch):
    monkeypatch.setattr(ImageFolder, '_rand_another', lambda self: 0)  # a readable one
    dataset = ImageFolder(data_root=str(broken_folder), pipeline=[{'type': 'spikemm.LoadImage', 'on_error': 'skip'}])
    loader = DataLoader(dataset, batch_size=2, num_workers=2, persistent_workers=True, collate_fn=list)
    before = skipped_images().value
    for epoch in (1, 2):
        samples = [sample for batch in loader for sample in batch]
        assert len(samples) == 8
        assert not any(sample['img_path'].endswith(tuple(BROKEN)) for sample in samples)
        assert skipped_images().value - before == 3 * epoch


def test_a_worker_passes_the_named_error_on(broken_folder):
    dataset = ImageFolder(data_root=str(broken_folder), pipeline=[{'type': 'spikemm.LoadImage'}])
    with pytest.raises(ValueError, match=r'cat/1\.png \(the file is empty\)'):
        list(DataLoader(dataset, num_workers=1, collate_fn=list))


def test_a_copied_transform_counts_with_the_original(broken_folder):
    before = skipped_images().value
    copy.deepcopy(LoadImage(on_error='skip'))({'img_path': str(broken_folder / 'cat/1.png')})
    assert skipped_images().value == before + 1


GREY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
DEEP = GREY.astype(np.uint16) * 256 + 7
STORED = {
    'grey': GREY,
    'grey of 16 bits': DEEP,
    'colour of 16 bits': np.dstack([DEEP] * 3),
    'transparent': np.dstack([GREY, GREY, GREY, 255 - GREY]),
}


@pytest.mark.parametrize('kind', STORED)
def test_every_kind_of_image_becomes_three_channels_of_8_bits(tmp_path, kind):
    cv2.imwrite(str(tmp_path / 'image.png'), STORED[kind])
    img = load(tmp_path / 'image.png')['img']
    assert img.dtype == np.uint8
    np.testing.assert_array_equal(img, np.dstack([GREY] * 3))


def test_an_array_passes_as_inferencers_need_it():
    results = {'img': np.zeros((4, 4, 3), np.uint8)}
    assert LoadImage()(results) is results


def test_an_unknown_on_error_is_refused():
    with pytest.raises(ValueError, match="`on_error` must be 'raise' or 'skip', but got 'ignore'"):
        LoadImage(on_error='ignore')
