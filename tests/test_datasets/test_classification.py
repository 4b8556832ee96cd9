import shutil
import urllib.error
import urllib.request

import pytest
from mmengine.registry import DATASETS, DefaultScope

from spikemm.datasets import CIFAR10, CIFAR100, ImageFolder, ImageNet
from spikemm.datasets.digit_scenes import generate_classification


def test_digit_scenes_is_read_through_the_registry_in_mmpretrains_scope(tmp_path):
    root = generate_classification(tmp_path, num_train=20, num_val=10)
    cfg = {'type': 'spikemm.ImageFolder', 'data_root': str(root), 'data_prefix': 'val', 'classes': list('0123456789'),
               'pipeline': [{'type': 'spikemm.LoadImage'}, {'type': 'PackInputs'}]}
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(cfg)
    samples = [dataset[i] for i in range(len(dataset))]
    assert [int(sample['data_samples'].gt_label) for sample in samples] == list(range(10))
    assert samples[0]['inputs'].shape == (3, 32, 32)


def test_mmpretrains_own_dataset_reads_digit_scenes(tmp_path):
    root = generate_classification(tmp_path, num_train=20, num_val=10)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build({'type': 'CustomDataset', 'data_root': str(root), 'data_prefix': 'train'})
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert dataset.get_gt_labels().tolist() == sorted([*range(10)] * 2)


def test_a_missing_folder_is_named_with_the_hint(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf'ImageFolder: {tmp_path}/none/train does not exist. Run: make'):
        ImageFolder(data_root=f'{tmp_path}/none', data_prefix='train', hint='Run: make')


def test_a_missing_annotation_file_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r'train\.txt does not exist'):
        ImageFolder(data_root=str(folder), ann_file='train.txt')


def test_a_folder_without_class_folders_is_refused_with_the_hint(tmp_path):
    with pytest.raises(ValueError, match=rf'{tmp_path}.* 0 files .* Make it'):
        ImageFolder(data_root=str(tmp_path), hint='Make it')


def test_class_folders_without_images_are_refused(folder):
    for path in folder.rglob('*.png'):
        path.rename(path.with_suffix('.doc'))
    with pytest.raises(ValueError, match=r'0 files .* Supported extensions'):
        ImageFolder(data_root=str(folder))


def test_an_empty_annotation_file_is_refused(folder):
    (folder / 'val.txt').touch()
    with pytest.raises(ValueError, match=r'no sample in .*val\.txt'):
        ImageFolder(data_root=str(folder), ann_file='val.txt')


def test_a_missing_class_folder_is_refused_when_the_classes_are_given(folder):
    shutil.rmtree(folder / 'cat')
    with pytest.raises(ValueError, match=r'number of subfolders \(1\)'):
        ImageFolder(data_root=str(folder), classes=['cat', 'dog'])


def test_a_test_dataset_may_not_skip_images(folder):
    pipeline = [{'type': 'spikemm.LoadImage', 'on_error': 'skip'}]
    with pytest.raises(ValueError, match='is for training'):
        ImageFolder(data_root=str(folder), pipeline=pipeline, test_mode=True)


def test_imagenet_says_which_layout_it_expects(tmp_path):
    with pytest.raises(FileNotFoundError, match='train/n01440764'):
        ImageNet(data_root=str(tmp_path), split='train')


@pytest.mark.parametrize(('cls', 'place'), [(CIFAR10, 'cifar-10-batches-py'), (CIFAR100, 'cifar-100-python')])
def test_cifar_without_network_says_where_the_files_belong(tmp_path, monkeypatch, cls, place):
    def no_network(request):
        raise urllib.error.URLError('Name or service not known')

    monkeypatch.setattr(urllib.request, 'urlopen', no_network)
    with pytest.raises(FileNotFoundError, match=rf'{cls.__name__}: no intact data .*cs\.toronto\.edu.*{place} exists'):
        cls(data_root=str(tmp_path))


def test_a_damaged_cifar_is_refused(tmp_path):
    (tmp_path / 'cifar-10-batches-py').mkdir()
    (tmp_path / 'cifar-10-batches-py/data_batch_1').write_bytes(b'damaged')
    with pytest.raises(FileNotFoundError, match='no intact data'):
        CIFAR10(data_root=str(tmp_path), download=False)
