"""Merging the detections of several views of an image."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from spikemm.models import InstanceTTAModel

HEIGHT, WIDTH = 20, 30


class Detector(nn.Module):
    """Stands for a model that is never called."""

    def test_step(self, data):
        raise NotImplementedError


def new_merger(max_per_img=100):
    return InstanceTTAModel(
        module=Detector(), tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=max_per_img))


def predict(boxes, scores, labels, flip=None):
    """Return what a detector predicts on a view: each mask fills its box."""
    masks = torch.zeros(len(boxes), HEIGHT, WIDTH, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    sample = DetDataSample(metainfo=dict(ori_shape=(HEIGHT, WIDTH), flip=flip is not None, flip_direction=flip))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), scores=torch.tensor(scores),
        labels=torch.tensor(labels, dtype=torch.long), masks=masks)
    return sample


OBJECTS = dict(boxes=[(1, 2, 8, 12), (20, 5, 29, 15)], scores=[0.9, 0.6], labels=[0, 1])


def assert_same(found, wanted):
    assert len(found) == len(wanted) > 0
    for name in ('bboxes', 'scores', 'labels', 'masks'):
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=0)


def test_the_same_view_twice_changes_nothing():
    merged, = new_merger().merge_preds([[predict(**OBJECTS), predict(**OBJECTS)]])
    assert_same(merged.pred_instances, predict(**OBJECTS).pred_instances)


@pytest.mark.parametrize(('direction', 'mirrored'), [
    ('horizontal', [(22, 2, 29, 12), (1, 5, 10, 15)]),
    ('vertical', [(1, 8, 8, 18), (20, 5, 29, 15)]),
    ('diagonal', [(22, 8, 29, 18), (1, 5, 10, 15)]),
])
def test_a_flipped_view_is_mapped_back_exactly(direction, mirrored):
    view = predict(mirrored, [0.9, 0.6], [0, 1], flip=direction)
    merged, = new_merger().merge_preds([[predict([], [], []), view]])
    assert_same(merged.pred_instances, predict(**OBJECTS).pred_instances)


def test_the_better_of_two_views_of_an_object_wins_with_its_own_mask():
    good, poor = predict([(1, 2, 9, 12)], [0.8], [0]), predict([(1, 2, 8, 12)], [0.7], [0])
    merged, = new_merger().merge_preds([[poor, good]])
    assert_same(merged.pred_instances, good.pred_instances)


def test_objects_of_two_classes_do_not_suppress_each_other():
    cat, dog = predict([(1, 2, 9, 12)], [0.8], [0]), predict([(1, 2, 9, 12)], [0.7], [1])
    assert new_merger().merge_preds([[cat, dog]])[0].pred_instances.labels.tolist() == [0, 1]
    assert len(new_merger(max_per_img=1).merge_preds([[cat, dog]])[0].pred_instances) == 1


def test_views_without_objects_give_none():
    merged, = new_merger().merge_preds([[predict([], [], []), predict([], [], [], flip='horizontal')]])
    assert merged.pred_instances.masks.shape == (0, HEIGHT, WIDTH)


def test_boxes_without_masks_are_merged_too():
    views = [predict(**OBJECTS), predict([(22, 2, 29, 12)], [0.95], [0], flip='horizontal')]
    for view in views:
        del view.pred_instances.masks
    merged, = new_merger().merge_preds([views])
    assert merged.pred_instances.scores.tolist() == pytest.approx([0.95, 0.6])
    assert merged.pred_instances.bboxes[0].tolist() == [1, 2, 8, 12]


def test_the_ground_truth_is_that_of_a_view_that_is_not_flipped():
    flipped, plain = predict(**OBJECTS, flip='horizontal'), predict(**OBJECTS)
    plain.gt_instances = InstanceData(labels=torch.tensor([2]))
    merged, = new_merger().merge_preds([[flipped, plain]])
    assert merged.gt_instances.labels.tolist() == [2]


def test_a_view_that_does_not_say_whether_it_is_flipped_is_refused():
    view = predict(**OBJECTS)
    view.set_metainfo(dict(ori_shape=(HEIGHT, WIDTH)))
    del view.flip
    with pytest.raises(ValueError, match="meta_keys of PackDetInputs must hold 'flip'"):
        new_merger().merge_preds([[view]])
