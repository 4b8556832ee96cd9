"""Hooks."""

from spikemm.engine.hooks.bad_image_hook import BadImageHook
from spikemm.engine.hooks.energy_hook import EnergyHook
from spikemm.engine.hooks.firing_rate_hook import FiringRateHook
from spikemm.engine.hooks.picture_hook import PictureHook
from spikemm.engine.hooks.resume_schedule_hook import ResumeScheduleHook
from spikemm.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from spikemm.engine.hooks.seed_hook import SeedHook
from spikemm.engine.hooks.strict_load_hook import StrictLoadHook

__all__ = [
    'BadImageHook', 'EnergyHook', 'FiringRateHook', 'PictureHook', 'ResumeScheduleHook', 'SafeCheckpointHook',
    'SeedHook', 'StrictLoadHook',
]
