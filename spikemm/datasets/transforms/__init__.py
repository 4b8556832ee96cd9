from spikemm.datasets.transforms.load_image import LoadImage
from spikemm.datasets.transforms.load_seg_map import LoadSegMap

__all__ = ['LoadImage', 'LoadSegMap']
