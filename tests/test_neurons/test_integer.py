"""The neuron of integers."""

import copy
import pickle

import pytest
import torch
from spikingjelly.activation_based import functional, neuron

from spikemm.neurons import Integer, build_neuron

X = torch.tensor([[-9.0, -0.1, 0.5, 0.51, 1.5, 2.49, 2.5, 3.5, 4.4, 9.0]])


@pytest.mark.parametrize(
    'levels, expected',
    [(4, [0, 0, 0, 1, 2, 2, 2, 4, 4, 4]), (2, [0, 0, 0, 1, 2, 2, 2, 2, 2, 2]), (1, [0, 0, 0, 1, 1, 1, 1, 1, 1, 1])],
)
def test_counts_are_rounded_half_to_even_and_bounded(levels, expected):
    assert Integer(levels)(X).tolist() == [expected]


@pytest.mark.parametrize('levels', [1, 4])
def test_gradients_pass_within_the_bounds(levels):
    x = torch.tensor([[-1.0, -1e-3, 0.0, 0.3, 1.0, 1.001, 3.5, 4.0, 4.001]], requires_grad=True)
    upstream = torch.arange(1.0, 10.0)
    (Integer(levels)(x) * upstream).sum().backward()
    assert torch.equal(x.grad, upstream * ((x >= 0) & (x <= levels)))


def test_a_step_knows_nothing_of_the_others():
    x = torch.randn(3, 200, generator=torch.Generator().manual_seed(0)) * 3
    node = Integer()
    assert node(x).sum() > 0
    assert torch.equal(node(x), torch.cat([node(step[None]) for step in x]))
    assert torch.equal(node(x.flip(0)), node(x).flip(0))


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16, torch.float16])
def test_counts_are_exact_in_every_precision(dtype):
    x = X.to(dtype)
    counts = Integer()(x)
    assert counts.dtype == dtype and torch.equal(counts, counts.round()) and counts.sum() > 0


def test_there_is_nothing_to_store_and_nothing_to_reset():
    node = build_neuron(dict(type='Integer', levels=2))
    expected = node(X)
    functional.reset_net(node)
    assert isinstance(node, neuron.BaseNode) and not node.state_dict()
    for other in (node, copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert torch.equal(other(X), expected)


def test_a_state_passes_through_unused():
    node, v = Integer(), torch.full((10,), 7.0)
    (counts,), (after,) = node.multi_step_functional_forward((X,), (v,))
    assert torch.equal(counts, node(X)) and after is v


def test_the_number_of_levels_is_shown():
    assert 'levels=3' in repr(Integer(3))


@pytest.mark.parametrize('levels', [0, -1, 1.5, '4', None])
def test_other_levels_are_refused(levels):
    with pytest.raises(ValueError, match=f'levels must be a positive integer, but got {levels!r}'):
        Integer(levels)
