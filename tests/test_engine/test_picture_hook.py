"""What pictures of the test data show: file, input or events, in the size that boxes and maps have."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmpretrain.structures import DataSample

from spikemm.engine.hooks.picture_hook import read_or_draw
from spikemm.visualization.overlays import draw_sample


@pytest.mark.parametrize(('channels', 'to_rgb', 'colour'), [
    (3, True, [3, 2, 1]), (3, False, [1, 2, 3]), (1, False, [1, 1, 1])])
def test_an_image_without_a_file_is_drawn_from_the_input(channels, to_rgb, colour):
    image = torch.arange(1, channels + 1).view(-1, 1, 1).expand(-1, 4, 6)
    picture = read_or_draw(DataSample(), image, SimpleNamespace(to_rgb=to_rgb))
    assert picture.shape == (4, 6, 3)
    assert picture[0, 0].tolist() == colour


def test_several_classes_are_right_only_all_together():
    sample = DataSample().set_gt_label([0, 2]).set_pred_score(torch.tensor([0.9, 0.1, 0.8])).set_pred_label([2, 0])
    right = draw_sample(np.full((4, 4, 3), 255, np.uint8), sample, None)[-30:].astype(int)
    wrong = draw_sample(np.full((4, 4, 3), 255, np.uint8), sample.set_pred_label([0, 1]), None)[-30:].astype(int)
    assert (right[..., 1] - right[..., 0]).max() > 50, 'green'
    assert (wrong[..., 0] - wrong[..., 1]).max() > 50, 'red'


def test_boxes_lie_on_the_events_in_the_size_of_the_sensor():
    clip = torch.zeros(4, 20, 40)  # 2 time steps
    clip[3, 8:12, 28:32] = 1  # ON
    sample = DetDataSample(metainfo=dict(ori_shape=(10, 20), scale_factor=(2.0, 2.0)))
    picture = read_or_draw(sample, clip, SimpleNamespace(channels=2))
    assert picture.shape == (10, 20, 3)
    inked = (picture < 255).any(-1)
    assert inked[4:6, 14:16].all() and inked.sum() == 4
    assert picture[4, 14, 0] > picture[4, 14, 2], 'red'


def test_more_channels_than_polarities_are_refused():
    with pytest.raises(ValueError, match='`channels` must be 1 or 2 for events'):
        read_or_draw(DetDataSample(metainfo=dict(ori_shape=(8, 8))), torch.zeros(6, 8, 8), SimpleNamespace(channels=3))
