import importlib.util
import subprocess
import sys

import mmcv
import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.utils.dl_utils import mmcv_full_available

from spikemm.ops import install_mmcv_ext
from spikemm.ops.mmcv_ext import FINDER


def test_mmcv_ext_is_served_with_a_spec():
    spec = importlib.util.find_spec('mmcv._ext')
    assert spec.origin == 'spikemm.ops'
    assert mmcv_full_available()
    revert_sync_batchnorm(torch.nn.Linear(1, 1))  # every mmengine Runner calls it, and it looks at the spec


def test_a_compiled_extension_wins(tmp_path, monkeypatch):
    compiled = tmp_path / '_ext.py'
    compiled.touch()
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    monkeypatch.setattr(mmcv, '__path__', [*mmcv.__path__, str(tmp_path)])
    assert importlib.util.find_spec('mmcv._ext').origin == str(compiled)


def test_a_second_install_changes_nothing():
    before = list(sys.meta_path)
    install_mmcv_ext()
    assert sys.meta_path == before
    assert before.count(FINDER) == 1


def test_importing_spikemm_imports_nothing_heavy():
    code = "import sys, spikemm; print({'mmcv', 'mmdet', 'torchvision'} & set(sys.modules))"
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == 'set()\n'


def test_private_names_are_absent():
    import mmcv._ext

    assert not hasattr(mmcv._ext, '__wrapped__')


def test_an_operator_that_is_not_served_names_itself_the_model_part_and_the_remedy():
    from mmdet.models.necks import FPN_CARAFE

    neck = FPN_CARAFE(in_channels=[4, 4], out_channels=4, num_outs=2)  # nothing fails before the call
    feats = [torch.zeros(1, 4, size, size) for size in (8, 4)]
    with pytest.raises(NotImplementedError) as error:
        neck(feats)
    for part in ("'carafe_forward'", 'mmdet.models.necks.fpn_carafe.FPN_CARAFE.forward', '--no-build-isolation'):
        assert part in str(error.value)


def test_collect_env_reports_the_operators():
    from mmcv.utils import collect_env

    env = collect_env()
    assert 'torchvision' in env['MMCV Compiler']
    assert env['MMCV CUDA Compiler'] == 'not available'
