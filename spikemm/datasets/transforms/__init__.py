from spikemm.datasets.transforms.load_image import LoadImage

__all__ = ['LoadImage']
