"""Repairs of the forks that ``import spikemm`` makes."""

import subprocess
import sys

import pytest
from mmengine.config import Config

SILENT = """
import sys, spikemm
assert 'torch' not in sys.modules, 'import spikemm must stay light'
import mmdet.datasets, mmdet.evaluation, mmpretrain.datasets, mmseg.datasets
from mmengine.runner import checkpoint
assert 'load_strictly' in checkpoint._safe_torch_load.__qualname__, 'the repair must wait for its module'
"""


def test_the_import_is_light_and_the_task_libraries_are_silent():
    done = subprocess.run([sys.executable, '-W', 'default', '-c', SILENT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ''
    assert 'faster_coco_eval' not in done.stderr


@pytest.mark.parametrize('base', [
    'mmseg::sem_fpn/fpn_r50_4xb4-160k_ade20k-512x512.py',
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'mmpretrain::resnet/resnet18_8xb32_in1k.py',
])
def test_configs_of_the_installed_packages_can_be_inherited(tmp_path, base):
    (tmp_path / 'child.py').write_text(f'_base_ = {base!r}')
    assert 'model' in Config.fromfile(tmp_path / 'child.py')
