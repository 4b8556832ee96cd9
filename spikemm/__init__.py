"""spikemm: spiking neural networks for classification, detection, segmentation and events, in the way of OpenMMLab.

Importing it makes every part known to the registries (``spikemm.Name`` in a config) and, where mmcv was installed
without its compiled extension, puts :mod:`spikemm.ops` in its place. Import it before mmdet, mmseg or mmpretrain.
"""

__version__ = '0.1.0'

from spikemm import _compat
from spikemm.ops import install_mmcv_ext

_compat.apply()
install_mmcv_ext()
