"""No state outlives a call, unless it is passed in and out by name."""

import copy
import pickle

import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor

from spikemm.neurons import IF, LIF, PLIF, ThresholdLIF, build_neuron

EVERY = [
    dict(type='LIF'),
    dict(type='LIF', v_reset=None, detach_reset=False),
    dict(type='LIF', v_reset=-0.3, decay_input=False, surrogate=dict(type='ATan')),
    dict(type='LIF', surrogate=dict(type='PiecewiseQuadratic')),
    dict(type='IF'),
    dict(type='PLIF'),
    dict(type='ThresholdLIF', detach_reset=False),
]
every_neuron = pytest.mark.parametrize('cfg', EVERY, ids=[f'{c["type"]}{i}' for i, c in enumerate(EVERY)])


def current(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 1.5 + 0.5


def step_by_step(node, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Run in pieces of 2 steps, carrying the potential."""
    spikes = []
    for piece in x.split(2):
        (s,), (v,) = node.multi_step_functional_forward((piece,), (v,))
        spikes.append(s)
    return torch.cat(spikes), v


@every_neuron
def test_a_second_call_sees_no_state_of_the_first(cfg):
    node, x = build_neuron(cfg), current(4, 300)
    first, second = node(x), node(x)
    assert first.mean() > 0.1, 'silent neurons, the comparison below would prove nothing'
    assert torch.equal(first, second)


@every_neuron
def test_the_batch_may_change_from_call_to_call(cfg):
    node, x = build_neuron(cfg), current(4, 6, 50)
    assert torch.equal(node(x)[:, :1], node(x[:, :1]))


@every_neuron
def test_the_future_does_not_change_the_past(cfg):
    node, x = build_neuron(cfg), current(4, 300)
    assert torch.equal(node(x)[:2], node(x[:2]))


@every_neuron
def test_can_be_copied_and_pickled_after_a_training_step(cfg):
    node, x = build_neuron(cfg), current(4, 300).requires_grad_()
    spikes = node(x)
    spikes.sum().backward()
    assert torch.equal(copy.deepcopy(node)(x), spikes)  # EMA and checkpoint hooks do so
    assert torch.equal(pickle.loads(pickle.dumps(node))(x), spikes)


def test_only_learnt_constants_are_stored_in_a_checkpoint():
    stored = {cls.__name__: list(cls().state_dict()) for cls in (LIF, IF, PLIF, ThresholdLIF)}
    assert stored == {'LIF': [], 'IF': [], 'PLIF': ['w'], 'ThresholdLIF': ['log_threshold']}


@pytest.mark.parametrize('cls, base', [(LIF, 'LIFNode'), (IF, 'IFNode'), (PLIF, 'ParametricLIFNode')])
def test_the_tools_of_spikingjelly_see_their_own_nodes(cls, base):
    node, x = cls(), current(4, 300)
    assert isinstance(node, getattr(neuron, base)) and node.step_mode == 'm'
    before = node(x)
    functional.reset_net(node)
    assert torch.equal(node(x), before)


@every_neuron
def test_a_sequence_in_pieces_is_the_whole_sequence(cfg):
    node, x = build_neuron(cfg), current(7, 3, 100)
    spikes, _ = step_by_step(node, x, node.rest(x))
    assert spikes.mean() > 0.1
    assert torch.equal(spikes, node(x))
    assert not torch.equal(spikes[2:4], node(x[2:4])), 'the carried potential changed nothing'


@every_neuron
def test_gradients_pass_through_the_carried_potential(cfg):
    node, upstream = build_neuron(cfg), current(6, 3, 100, seed=1)
    x = current(6, 3, 100).requires_grad_()
    (whole,) = torch.autograd.grad((node(x) * upstream).sum(), x)
    (pieces,) = torch.autograd.grad((step_by_step(node, x, node.rest(x))[0] * upstream).sum(), x)
    (cut,) = torch.autograd.grad((node(x[:2]) * upstream[:2]).sum(), x)
    torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(cut[:2], whole[:2]), 'no gradient passes between the pieces'


@pytest.mark.parametrize('detach_reset', [True, False], ids=['detached', 'attached'])
@pytest.mark.parametrize('v_reset', [0.0, None, -0.3], ids=['hard', 'soft', 'low'])
@pytest.mark.parametrize('T', [1, 5])
def test_gradients_of_the_first_and_last_potential_are_those_of_autograd(T, v_reset, detach_reset):
    x, v, upstream = current(T, 200), current(200, seed=1) / 3, current(T + 1, 200, seed=2)
    node = LIF(tau=3.0, v_reset=v_reset, detach_reset=detach_reset)

    def ours(x, v):
        (spikes,), (last,) = node.multi_step_functional_forward((x,), (v,))
        return torch.cat([spikes, last[None]])

    def plain(x, v):
        spikes = []
        for x_t in x:
            h = v + (x_t - (v - (v_reset or 0.0))) / 3.0
            spikes.append(surrogate.Sigmoid()(h - 1.0))
            s = spikes[-1].detach() if detach_reset else spikes[-1]
            v = h - s if v_reset is None else (1 - s) * h + s * v_reset
        return torch.stack([*spikes, v])

    results = []
    for function in (ours, plain):
        leaves = x.clone().requires_grad_(), v.clone().requires_grad_()
        out = function(*leaves)
        results.append([out.detach(), *torch.autograd.grad((out * upstream).sum(), leaves)])
    assert results[0][0][:-1].mean() > 0.05
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('order', [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)], ids=['NCHW', 'NHWC', 'WHCN'])
def test_the_potential_and_the_input_may_lie_differently_in_memory(order):
    back = [order.index(i) for i in range(4)]
    x, v, upstream = current(3, 2, 4, 5, 6), current(2, 4, 5, 6, seed=1), current(2, 4, 5, 6, seed=2)
    x_last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (3, 2))
    node, results = LIF(), []
    for x_in, v_in in ((x, v), (x_last, v.permute(order).contiguous().permute(back))):
        v_in = v_in.detach().requires_grad_()
        (spikes,), (last,) = node.multi_step_functional_forward((x_in,), (v_in,))
        (gradient,) = torch.autograd.grad((spikes.sum(0) + last * upstream).sum(), v_in)
        results.append((spikes, last, gradient))
    assert results[0][0].sum() > 0
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_a_potential_of_one_number_is_expanded_by_its_user():
    x = current(4, 200)
    (spikes,), _ = LIF().multi_step_functional_forward((x,), (torch.zeros(()).expand(200),))
    assert spikes.sum() > 0 and torch.equal(spikes, LIF()(x))


def test_a_potential_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r'v must have the shape \(200,\) of one step, but got \(1,\)'):
        LIF().multi_step_functional_forward((current(4, 200),), (torch.zeros(1),))


@pytest.mark.parametrize('v_reset, rest', [(0.0, 0.0), (None, 0.0), (-0.3, -0.3)])
def test_rest_is_the_reset_potential(v_reset, rest):
    v = LIF(v_reset=v_reset).rest(current(4, 3, 2))
    assert v.shape == (3, 2) and torch.equal(v, torch.full((3, 2), rest))
