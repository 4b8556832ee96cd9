"""Spiking models as mmengine modules."""

from .backbones import *  # noqa: F403
from .batch_augments import EventMix
from .classifiers import *  # noqa: F403
from .convert import convert_state_dict
from .data_preprocessors import *  # noqa: F403
from .decode_heads import *  # noqa: F403
from .dense_heads import *  # noqa: F403
from .heads import *  # noqa: F403
from .losses import *  # noqa: F403
from .necks import *  # noqa: F403
from .reparameterize import reparameterize
from .roi_heads import *  # noqa: F403
from .selfsup import *  # noqa: F403
from .streaming import forward_with_state
from .test_time_augs import *  # noqa: F403
