"""The module ``mmcv._ext`` of an mmcv that was installed without a compiler.

``mmcv.ops`` takes its operators from the extension module ``mmcv._ext``, and mmdet cannot be imported without it. The
operators that the common models call are served here by torchvision's compiled ones and by plain torch, one family a
file, with the names and arguments of mmcv's C++ interface. Every other operator raises when it is called.
"""

import importlib
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from spikemm.ops.late_import import repair_early_imports

EXTENSION = 'mmcv._ext'

OPERATORS = {  # module of spikemm.ops: what it serves
    'deform_conv': (
        'deform_conv_forward', 'deform_conv_backward_input', 'deform_conv_backward_parameters',
        'modulated_deform_conv_forward', 'modulated_deform_conv_backward',
    ),
    'focal_loss': (
        'sigmoid_focal_loss_forward', 'sigmoid_focal_loss_backward',
        'softmax_focal_loss_forward', 'softmax_focal_loss_backward',
    ),
    'info': ('get_compiler_version', 'get_compiling_cuda_version'),
    'masked_conv': ('masked_im2col_forward', 'masked_col2im_forward'),
    'ms_deform_attn': ('ms_deform_attn_forward', 'ms_deform_attn_backward'),
    'nms': ('bbox_overlaps', 'nms', 'nms_match', 'softnms'),
    'psa_mask': ('psamask_forward', 'psamask_backward'),
    'roi_align': ('roi_align_forward', 'roi_align_backward'),
    'roi_pool': ('roi_pool_forward', 'roi_pool_backward'),
}


class MMCVExtFinder(MetaPathFinder, Loader):
    """Find and load ``mmcv._ext`` from :data:`OPERATORS`."""

    def find_spec(self, fullname: str, path=None, target=None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, origin='spikemm.ops') if fullname == EXTENSION else None

    def exec_module(self, module: ModuleType) -> None:
        for family, names in OPERATORS.items():
            source = importlib.import_module(f'spikemm.ops.{family}')
            for name in names:
                setattr(module, name, getattr(source, name))
        module.__getattr__ = missing_operator


FINDER = MMCVExtFinder()


def install_mmcv_ext() -> None:
    """Make ``import mmcv._ext`` succeed; a compiled ``mmcv._ext`` goes first. A second call changes nothing.

    Raises:
        RuntimeError: A part of mmdet, mmseg or mmpretrain was imported earlier and cannot be repaired.
    """
    if FINDER not in sys.meta_path:
        sys.meta_path.append(FINDER)  # last: the search never comes here when there is a compiled extension
    repair_early_imports()


def missing_operator(name: str) -> Callable:
    """Stand in for an operator that is not served.

    ``mmcv.ops`` asks for all its operators as it is imported, so that the error has to wait for the call.

    Raises:
        AttributeError: ``name`` starts with an underscore, which no operator does but Python's own look-ups do.
    """
    if name.startswith('_'):
        raise AttributeError(f'module {EXTENSION!r} has no attribute {name!r}')

    def operator(*args, **kwargs):
        raise NotImplementedError(
            f'{calling_part()} needs the operator {name!r} of a compiled mmcv, but this mmcv was installed without a '
            'compiler. Choose another part for the model, or compile mmcv (it may take an hour): '
            'pip install --force-reinstall --no-deps --no-build-isolation --no-binary onedl-mmcv onedl-mmcv'
        )

    return operator


def calling_part() -> str:
    """Name the innermost function on the call stack that is neither mmcv's nor torch's, for example
    ``mmdet.models.necks.fpn_carafe.FPN_CARAFE.forward``."""
    frame = sys._getframe(1)
    while frame.f_back and f'{frame.f_globals.get("__name__")}.'.startswith(('mmcv.ops.', 'spikemm.ops.', 'torch.')):
        frame = frame.f_back
    return f'{frame.f_globals.get("__name__")}.{frame.f_code.co_qualname}'
