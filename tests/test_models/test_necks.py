"""SpikeFPN: by hand, and against the reference code (golden/sdt_v2_det_*, sdt_v2_seg_T2)."""

import pytest
import torch
from small_nets import assert_reference, centre, firing, load_published, strengthen, tensor

from spikemm.models import SpikeFPN

NEURONS = {  # in evaluation, the released integer neck sends one spike at most
    'sdt_v2_det_lif_T2': dict(type='LIF'),
    'sdt_v2_det_int_T1': dict(type='Integer', levels=1),
    'sdt_v2_seg_T2': dict(type='LIF'),
}


@pytest.mark.parametrize('name', NEURONS)
@torch.no_grad()
def test_outputs_are_those_of_the_reference(golden, name):
    expected, meta = golden(name)
    neck = load_published(SpikeFPN(**meta['neck'], neuron=NEURONS[name]), expected, 'neck.')
    maps = [expected[f'output.backbone{i}'] for i in range(4)]
    firing(neck, lambda: neck(maps))
    assert_reference(neck(maps), [expected[f'output.fpn{i}'] for i in range(meta['neck']['num_outs'])])


@torch.no_grad()
def test_two_steps_of_a_weak_input_by_hand():
    neck = SpikeFPN([1], 1, 2)
    centre(neck.lateral_convs[0].conv, 4.0)
    centre(neck.fpn_convs[0].conv, 3.0, 0.5)
    first, second = neck([torch.full((2, 1, 1, 2, 2), 1.5)])[0]
    # potentials 0.75 and 1.125: a spike at the second step; it gives 4 / 2 >= 1, again a spike
    assert first.eq(0.5).all() and second.eq(3.5).all()
    assert neck([torch.full((1, 1, 2, 2), 1.5)])[0].eq(0.5).all()


@torch.no_grad()
def test_upper_levels_add_to_the_potential_of_lower_ones_by_hand():
    neck = SpikeFPN([1, 1], 1, 3)
    for lateral, conv in zip(neck.lateral_convs, neck.fpn_convs, strict=True):
        centre(lateral.conv, 2.0)
        centre(conv.conv, 5.0, 0.5)
    low, high = torch.full((1, 1, 3, 3), 1.5), torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]])
    outs = neck([low, high])  # the lower level alone is silent, the spike of the upper one reaches its nearest pixels
    assert outs[0][0, 0, 0].tolist() == [[5.5, 5.5, 0.5], [5.5, 5.5, 0.5], [0.5, 0.5, 0.5]]
    assert outs[1][0, 0, 0].tolist() == [[5.5, 0.5], [0.5, 0.5]]
    assert outs[2][0, 0, 0].tolist() == [[5.5]]  # every second pixel of the level below


@torch.no_grad()
def test_time_may_end_in_the_neck():
    maps = [tensor(3, 2, 4, 8, 8), tensor(3, 2, 6, 4, 4, seed=1)]
    through, ended = (strengthen(SpikeFPN([4, 6], 8, 3, time_reduction=x)) for x in (None, 'mean'))
    expected = [x.mean(0) for x in through(maps)]
    assert all((x - y[0]).abs().max() > 0.1 for x, y in zip(expected, through(maps), strict=True))
    for a, b in zip(ended(maps), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@torch.no_grad()
def test_only_the_levels_asked_for_are_used():
    neck = strengthen(SpikeFPN([4, 6, 8], 8, 1, start_level=1, end_level=1))
    maps = [tensor(1, 2, 4, 8, 8), tensor(1, 2, 6, 4, 4, seed=1), tensor(1, 2, 8, 2, 2, seed=2)]
    (out,) = neck(maps)
    assert out.shape == (1, 2, 8, 4, 4) and out.unique().numel() > 1
    assert torch.equal(neck([maps[0] * 0, maps[1], maps[2] * 0])[0], out)


@pytest.mark.parametrize('n', [1, 3])
def test_a_wrong_number_of_maps_is_refused(n):
    with pytest.raises(ValueError, match=f'inputs must be 2 maps, one for each of in_channels, but got {n}'):
        SpikeFPN([4, 4], 8, 2)([tensor(1, 1, 4, 8, 8)] * n)


def test_another_end_of_time_is_refused():
    with pytest.raises(ValueError, match="time_reduction must be None or 'mean', but got 'sum'"):
        SpikeFPN([4], 8, 1, time_reduction='sum')
