from spikemm.datasets.transforms.event_augment import EventCrop, EventDrop, EventFlip, EventJitter, EventRoll
from spikemm.datasets.transforms.event_clips import GreyToPolarity, LoadFrames, SampleClip
from spikemm.datasets.transforms.event_frames import EventFrames
from spikemm.datasets.transforms.frame_augment import SNNAugmentWide
from spikemm.datasets.transforms.load_events import LoadEvents
from spikemm.datasets.transforms.load_image import LoadImage
from spikemm.datasets.transforms.load_seg_map import LoadSegMap

__all__ = [
    'EventCrop', 'EventDrop', 'EventFlip', 'EventFrames', 'EventJitter', 'EventRoll', 'GreyToPolarity', 'LoadEvents',
    'LoadFrames', 'LoadImage', 'LoadSegMap', 'SNNAugmentWide', 'SampleClip',
]
