import pytest
import torch
import torchvision
from mmcv.ops import batched_nms, bbox_overlaps, nms, nms_match, soft_nms

# Overlaps 1 x 2 of 1 x 4 pixels with its neighbour, 0.5, the third with none.
ROW = torch.tensor([[0.0, 0, 3, 1], [1, 0, 4, 1], [9, 0, 12, 1]])
SCORES = torch.tensor([0.9, 0.8, 0.3])


@pytest.mark.parametrize('threshold, second', [(0.3, [4.0, 0, 10, 1]), (0.6, [1.0, 0, 5, 1])])
def test_boxes_that_overlap_by_just_the_threshold_are_kept(threshold, second):
    first = [0.0, 0, 7, 1] if threshold == 0.3 else [0.0, 0, 4, 1]  # 3 / 10 and 3 / 5
    boxes, scores = torch.tensor([first, second]), torch.tensor([0.9, 0.8])
    assert torchvision.ops.nms(boxes, scores, threshold).tolist() == [0], 'not the case this test is about'
    assert nms(boxes, scores, threshold)[1].tolist() == [0, 1]
    assert nms(boxes, scores, threshold - 0.01)[1].tolist() == [0]


def test_offset_1_counts_the_last_pixel():
    boxes, scores = torch.tensor([[0.0, 0, 9, 9], [5, 0, 14, 9]]), torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.3, offset=0)[1].tolist() == [0, 1]  # 4 * 9 / 126 = 0.29
    assert nms(boxes, scores, 0.3, offset=1)[1].tolist() == [0]  # 5 * 10 / 150 = 0.33


def test_nms_of_nothing_keeps_nothing():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5)[1].tolist() == []


def test_half_scores_pass_and_half_boxes_are_refused():
    assert nms(ROW, SCORES.bfloat16(), 0.4)[1].tolist() == [0, 2]
    for dtype in (torch.float16, torch.bfloat16):
        with pytest.raises(TypeError, match=f'must be float32 .* but got {dtype}'):
            nms(ROW.to(dtype), SCORES, 0.4)


def test_batched_nms_keeps_overlapping_boxes_of_other_classes():
    dets, keep = batched_nms(ROW, SCORES, torch.tensor([0, 1, 1]), {'type': 'nms', 'iou_threshold': 0.4})
    assert keep.tolist() == [0, 1, 2]
    torch.testing.assert_close(dets[:, 4], SCORES)


@pytest.mark.parametrize('method, scores, order', [
    ('naive', [0.9, 0.3], [0, 2]),
    ('linear', [0.9, 0.4, 0.3], [0, 1, 2]),  # 0.8 * (1 - 0.5)
    ('gaussian', [0.9, 0.485225, 0.3], [0, 1, 2]),  # 0.8 * exp(-0.25 / 0.5)
])
def test_soft_nms_by_hand(method, scores, order):
    dets, keep = soft_nms(ROW, SCORES, 0.4, sigma=0.5, method=method)
    assert keep.tolist() == order
    torch.testing.assert_close(dets[:, 4], torch.tensor(scores))
    torch.testing.assert_close(dets[:, :4], ROW[order])


def test_soft_nms_fills_the_gaps_of_dropped_boxes_from_the_end():
    apart = torch.stack([ROW[2], ROW[2] + 10, ROW[2] + 20])
    boxes = torch.cat([ROW[:2], ROW[1:2], apart])  # the second and the third are dropped
    _, keep = soft_nms(boxes, torch.tensor([0.9, 0.8, 0.8, 0.3, 0.3, 0.3]), 0.4, method='naive')
    assert keep.tolist() == [0, 5, 4, 3]


def test_nms_match_groups_by_the_kept_box_and_counts_equality():
    dets = torch.cat([ROW, SCORES[:, None]], 1)
    assert [group.tolist() for group in nms_match(dets, 0.5)] == [[0, 1], [2]]
    assert [group.tolist() for group in nms_match(dets, 0.51)] == [[0], [1], [2]]


def test_bbox_overlaps_by_hand():
    torch.testing.assert_close(bbox_overlaps(ROW[:2], ROW), torch.tensor([[1, 0.5, 0], [0.5, 1, 0]]))
    torch.testing.assert_close(bbox_overlaps(ROW[:2], ROW[1:], aligned=True), torch.tensor([0.5, 0]))
    torch.testing.assert_close(bbox_overlaps(ROW[:1], ROW, mode='iof'), torch.tensor([[1, 2 / 3, 0]]))
    torch.testing.assert_close(bbox_overlaps(ROW[:1], ROW, offset=1), torch.tensor([[1, 6 / 10, 0]]))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_suppression_on_the_gpu_equals_the_cpu():
    torch.manual_seed(0)
    corner = torch.randint(0, 50, (300, 2)).float()
    boxes, scores = torch.cat([corner, corner + torch.randint(5, 40, (300, 2))], 1), torch.rand(300)
    for threshold in (0.3, 0.5, 0.6):
        for suppress in (nms, soft_nms):
            expected = suppress(boxes, scores, threshold)[1]
            assert torch.equal(suppress(boxes.cuda(), scores.cuda(), threshold)[1].cpu(), expected)
