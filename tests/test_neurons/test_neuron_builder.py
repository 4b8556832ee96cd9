"""Neurons and surrogate functions from configs."""

import pytest
import torch
from mmengine.registry import DefaultScope
from spikingjelly.activation_based import surrogate

from spikemm.neurons import LIF, PLIF, ThresholdLIF, build_neuron, build_surrogate
from spikemm.registry import NEURONS, SURROGATES


def test_the_defaults_are_those_of_the_published_models():
    node = build_neuron(dict(type='LIF'))
    assert (node.tau, node.decay_input, node.v_threshold, node.v_reset) == (2.0, True, 1.0, 0.0)
    assert node.detach_reset and isinstance(node.surrogate_function, surrogate.Sigmoid)
    assert node.surrogate_function.alpha == 4.0


def test_a_layer_overrides_what_the_model_says():
    cfg = dict(type='LIF', tau=3.0, v_threshold=2.0)
    node = build_neuron(cfg, v_threshold=0.5)
    assert (node.tau, node.v_threshold) == (3.0, 0.5)
    assert cfg == dict(type='LIF', tau=3.0, v_threshold=2.0)


def test_every_neuron_builds_by_name_and_fires():
    assert {'LIF', 'IF', 'PLIF', 'ThresholdLIF'} <= set(NEURONS.module_dict)
    for name in NEURONS.module_dict:
        assert build_neuron(dict(type=name))(torch.full((2, 3), 2.0)).ge(1).all(), name


def test_the_type_may_be_a_class():
    assert isinstance(build_neuron(dict(type=PLIF, init_tau=3.0)), PLIF)


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmpretrain'])
def test_the_scope_of_the_task_library_does_not_matter(scope):
    with DefaultScope.overwrite_default_scope(scope):
        node = build_neuron(dict(type='ThresholdLIF', surrogate=dict(type='Sigmoid', alpha=2.0)))
    assert isinstance(node, ThresholdLIF) and isinstance(node.surrogate_function, surrogate.Sigmoid)


@pytest.mark.parametrize('name', sorted(SURROGATES.module_dict))
def test_every_surrogate_trains_a_neuron(name):
    x = torch.linspace(-1, 5, 61).repeat(3, 1).requires_grad_()
    spikes = LIF(surrogate=dict(type=name))(x)
    spikes.sum().backward()
    assert spikes.unique().tolist() == [0, 1]
    assert x.grad.abs().sum() > 0 and torch.isfinite(x.grad).all()


def test_the_slope_of_a_surrogate_reaches_the_gradient():
    gradients = []
    for alpha in (2.0, 4.0):
        x = torch.full((1, 1), 2.0, requires_grad=True)  # at the threshold a sigmoid's slope is alpha / 4
        LIF(surrogate=dict(type='Sigmoid', alpha=alpha))(x).backward()
        gradients.append(x.grad.item())
    assert gradients == [0.25, 0.5]  # and the input is halved


def test_a_surrogate_may_be_a_module():
    function = surrogate.ATan(alpha=3.0)
    assert build_surrogate(function) is function
    assert LIF(surrogate=function).surrogate_function is function


@pytest.mark.parametrize(
    'cfg, error, message',
    [
        (dict(tau=2.0), ValueError, "neuron must be a dict with a 'type', but got {'tau': 2.0}"),
        (dict(type='Lif'), ValueError, r"neuron type must be one of \['IF', .*'LIF', .*but got 'Lif'"),
        (dict(type='LIF', decay=0.5), TypeError, r"neuron LIF cannot be built from {'decay': 0.5}: .*'decay'"),
        (dict(type='IF', tau=2.0), TypeError, r"neuron IF cannot be built from {'tau': 2.0}: .*'tau'"),
        (dict(type='LIF', surrogate=dict(alpha=2.0)), ValueError, "surrogate must be a dict with a 'type'"),
        (dict(type='LIF', surrogate=dict(type='ATan', beta=2.0)), TypeError, "surrogate ATan cannot be built from"),
    ],
    ids=['no type', 'unknown type', 'unknown argument', "another neuron's", 'surrogate', "surrogate's argument"],
)
def test_a_wrong_config_is_refused(cfg, error, message):
    with pytest.raises(error, match=message):
        build_neuron(cfg)
