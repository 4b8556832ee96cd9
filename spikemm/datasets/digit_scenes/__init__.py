"""DigitScenes, the built-in data: real handwritten digits on real photographs, composed by seed.

The digits are scikit-learn's ``load_digits`` (1797 images, 8x8), the photographs its ``load_sample_images`` (two,
427x640), so nothing is downloaded and nothing is stored in the repository. Train and val share no handwritten digit and
no region of a photograph. (They share the writers, whom scikit-learn does not name.)

A part for each task, in the format its usual data has: an image folder, COCO instances, ADE20K label maps, recordings
of an event camera. The parts are drawn with the same pieces (:mod:`~spikemm.datasets.digit_scenes.parts`); detection
and segmentation show the same kind of scene (:mod:`~spikemm.datasets.digit_scenes.scenes`), and the events are those of
a simulated camera (:mod:`~spikemm.datasets.digit_scenes.event_camera`).

The same arguments give the same bytes on one machine, under the same versions of numpy, opencv and scikit-learn.
"""

from spikemm.datasets.digit_scenes.classification import generate_classification
from spikemm.datasets.digit_scenes.detection import generate_detection
from spikemm.datasets.digit_scenes.events import generate_events
from spikemm.datasets.digit_scenes.segmentation import generate_segmentation

__all__ = ['generate_classification', 'generate_detection', 'generate_events', 'generate_segmentation']
