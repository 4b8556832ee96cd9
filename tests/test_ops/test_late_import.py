"""Every case needs a process of its own, in which spikemm comes second."""

import subprocess
import sys
from types import ModuleType

import pytest

from spikemm.ops.late_import import rerun_guarded_imports

NO_STUBS = """
import sys
for name, module in list(sys.modules.items()):
    for value in list(vars(module).values()) if name.startswith(('mmdet', 'mmseg', 'mmpretrain')) else ():
        function = vars(value).get('__init__') if isinstance(value, type) else value
        constants = getattr(getattr(function, '__code__', None), 'co_consts', ())
        assert not any('requires mmcv to be compiled' in c for c in constants if isinstance(c, str)), (name, value)
"""

MODEL_PARTS = """
from mmcv.ops import MultiScaleDeformableAttention, batched_nms
assert sys.modules['mmdet.models.dense_heads.base_dense_head'].batched_nms is batched_nms
assert sys.modules['mmdet.models.detectors.dino'].MultiScaleDeformableAttention is MultiScaleDeformableAttention
import mmdet.models
assert mmdet.models.dense_heads.RPNHead is mmdet.models.RPNHead
"""


def run(first: str, checks: str) -> None:
    code = f'{first}\nimport spikemm\n{NO_STUBS}{checks}\nprint("done")'
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True)
    assert result.stdout.endswith('done\n'), result.stderr


@pytest.mark.parametrize('first', ['mmdet.datasets', 'mmdet.evaluation'])
def test_spikemm_after_a_part_of_mmdet_without_models(first):
    run(f'import {first}', """
import numpy, torch
from mmdet.structures.mask import BitmapMasks
masks = BitmapMasks(numpy.ones((1, 8, 8), numpy.uint8), 8, 8)
cropped = masks.crop_and_resize(numpy.array([[0., 0, 4, 4]], numpy.float32), (2, 2), numpy.array([0]))
assert cropped.masks.tolist() == [[[1, 1], [1, 1]]]
""")


def test_spikemm_after_mmdet_models_failed():
    run("""
try:
    import mmdet.models
except ModuleNotFoundError as error:
    assert error.name == 'mmcv._ext', error
else:
    raise AssertionError('mmdet.models did not fail')
""", MODEL_PARTS)


def test_spikemm_after_mmpretrain():
    run('import mmpretrain.models', MODEL_PARTS + """
from mmpretrain.models.utils.res_layer_extra_norm import ResLayerExtraNorm
assert issubclass(ResLayerExtraNorm, mmdet.models.roi_heads.ResLayer)
""")


def test_spikemm_after_mmseg():
    run('import mmseg.apis', MODEL_PARTS + """
import mmcv.ops, mmseg.models
assert sys.modules['mmseg.models.decode_heads.psa_head'].PSAMask is mmcv.ops.PSAMask
assert issubclass(mmseg.models.Mask2FormerHead, mmdet.models.Mask2FormerHead)
assert mmseg.models.Mask2FormerHead is mmseg.registry.MODELS.get('Mask2FormerHead')
""")


def test_a_class_that_cannot_be_repaired_says_what_to_import_first():
    source = (
        'try:\n    from mmcv.ops.nms import NMSop as Base\nexcept ImportError:\n    Base = object\n'
        'class Part(Base): pass'
    )
    module = ModuleType('mmseg.part')
    module.__file__ = 'part.py'
    exec('Base = object\nclass Part(Base): pass', vars(module))  # as if mmcv.ops had not been there
    with pytest.raises(RuntimeError, match=r'mmseg\.part\.Part.*import spikemm before mmseg'):
        rerun_guarded_imports(module, source)
