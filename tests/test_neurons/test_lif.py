"""The LIF family: spikes by hand, by the reference code (golden/neurons_T5) and by SpikingJelly's own node."""

import json
from pathlib import Path

import pytest
import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor, nn

from spikemm.neurons import IF, LIF, PLIF, ThresholdLIF, build_neuron

CASES = json.loads((Path(__file__).parents[1] / 'data/golden/neurons_T5.json').read_text())['cases']
ALL = (LIF, IF, PLIF, ThresholdLIF)


def current(*shape: int, seed: int = 0) -> Tensor:
    """Input that makes a third of the neurons fire and brings many close to the threshold."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 1.5 + 0.5


def run(node: nn.Module, x: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and the gradient to the input; the input keeps its memory layout."""
    x = x.detach().requires_grad_()
    spikes = node(x)
    spikes.backward(upstream)
    return spikes.detach(), x.grad


def assert_same(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], tolerance: float = 1e-6) -> None:
    """Spikes equal bit for bit, gradients to a part of the largest."""
    assert 0.02 < theirs[0].float().mean() < 0.9, 'silent or saturated, the comparison would prove nothing'
    assert torch.equal(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=tolerance * theirs[1].abs().max().item())


@pytest.mark.parametrize(
    'node, x, spikes',
    [
        (LIF(), [1.0, 1.5, 2.0, 0.0, 3.0], [0, 1, 1, 0, 1]),  # h = 0.5, 1, 1, 0, 1.5
        (LIF(v_reset=None), [3.0, 1.5, 1.5, 1.5], [1, 1, 0, 1]),  # h = 1.5, 1, 0.75, 1.125
        (LIF(decay_input=False), [0.75, 0.75, 0.5, 0.75], [0, 1, 0, 1]),  # h = 0.75, 1.125, 0.5, 1
        (LIF(v_reset=-1.0), [4.0, 3.0, 2.5], [1, 0, 1]),  # h = 1, 0.5, 1
        (LIF(tau=4.0, v_threshold=0.5), [1.0, 1.0, 3.0], [0, 0, 1]),  # h = 0.25, 0.4375, 1.078
        (IF(), [0.5, 0.5, 0.5, 0.25, 0.25], [0, 1, 0, 0, 1]),  # h = 0.5, 1, 0.5, 0.75, 1
        (IF(v_reset=None), [1.5, 0.5, 0.5], [1, 1, 0]),  # h = 1.5, 1, 0.5
        (PLIF(), [1.0, 1.5, 2.0, 0.0, 3.0], [0, 1, 1, 0, 1]),
        (PLIF(decay_input=False), [0.75, 0.75, 0.5, 0.75], [0, 1, 0, 1]),
        (ThresholdLIF(), [1.0, 1.5, 2.0, 0.0, 3.0], [0, 1, 1, 0, 1]),
        (ThresholdLIF(v_threshold=0.5, tau=4.0), [1.0, 1.0, 3.0], [0, 0, 1]),
    ],
    ids=lambda value: repr(value).split('(')[0] if isinstance(value, nn.Module) else '',
)
def test_spikes_worked_out_by_hand(node, x, spikes):
    assert node(torch.tensor(x)[:, None]).flatten().tolist() == spikes


@pytest.mark.parametrize('T', [1, 2])
@pytest.mark.parametrize('cls', ALL)
def test_a_potential_at_the_threshold_fires(cls, T):
    x = 1.0 if cls is IF else 2.0
    below = torch.nextafter(torch.tensor(x), torch.tensor(0.0)).item()
    spikes = cls()(torch.tensor([[x, below]] * T))
    assert spikes[0].tolist() == [1, 0]


def test_halving_the_input_is_the_rule_of_the_paper_with_threshold_two():
    x = current(8, 500)
    spikes = LIF(tau=2.0)(x)
    assert spikes.mean() > 0.1
    assert torch.equal(spikes, LIF(tau=2.0, decay_input=False, v_threshold=2.0)(x))


@pytest.mark.parametrize('case', CASES, ids=lambda case: f'{case["kind"]}{case["case"]}')
def test_agrees_with_the_reference_code(golden, case):
    tensors, _ = golden('neurons_T5')
    number, kind, name, alpha = (case[k] for k in ('case', 'kind', 'surrogate', 'alpha'))
    options = {k: v for k, v in case.items() if k not in ('case', 'kind', 'surrogate', 'alpha')}
    node = build_neuron(dict(type=kind.upper(), surrogate=dict(type=name, alpha=alpha), **options))
    spikes, gradient = run(node, tensors['input'], tensors['upstream_grad'])
    assert spikes.sum() > 0
    assert torch.equal(spikes, tensors[f'case{number}.spikes'].float())
    torch.testing.assert_close(gradient, tensors[f'case{number}.grad_input'], rtol=1e-5, atol=1e-6)
    if kind == 'plif':
        torch.testing.assert_close(node.w.grad[None], tensors[f'case{number}.grad_w'], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('case', CASES, ids=lambda case: f'{case["kind"]}{case["case"]}')
def test_the_last_potential_is_that_of_the_reference_code(golden, case):
    tensors, _ = golden('neurons_T5')
    options = {k: v for k, v in case.items() if k not in ('case', 'kind', 'surrogate', 'alpha')}
    node, x = build_neuron(dict(type=case['kind'].upper(), **options)), tensors['input']
    (spikes,), (v,) = node.multi_step_functional_forward((x,), (node.rest(x),))
    assert spikes.sum() > 0
    expected = tensors[f'case{case["case"]}.v_after_reset'][-1]
    torch.testing.assert_close(v.detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('function', ['Sigmoid', 'ATan', 'Rect', 'PiecewiseQuadratic'])  # the last has no kernel
@pytest.mark.parametrize('detach_reset', [True, False], ids=['detached', 'attached'])
@pytest.mark.parametrize('decay_input', [True, False], ids=['decayed', 'plain'])
@pytest.mark.parametrize('v_reset', [0.0, None, -0.1], ids=['hard', 'soft', 'low'])
@pytest.mark.parametrize('T', [1, 2, 4, 8, 16])
def test_lif_is_the_node_of_spikingjelly(T, v_reset, decay_input, detach_reset, function):
    function = getattr(surrogate, function)()
    options = dict(v_reset=v_reset, decay_input=decay_input, detach_reset=detach_reset)
    x, upstream = current(T, 2, 3, 5, 7), current(T, 2, 3, 5, 7, seed=1)
    for tau in (2.0, 3.0):  # a third is no binary fraction: dividing and multiplying differ in the last bit
        theirs = neuron.LIFNode(tau=tau, surrogate_function=function, step_mode='m', **options)
        assert_same(run(LIF(tau, surrogate=function, **options), x, upstream), run(theirs, x, upstream))


@pytest.mark.parametrize('decay_input', [True, False], ids=['decayed', 'plain'])
@pytest.mark.parametrize('v_reset', [0.0, None, -0.1], ids=['hard', 'soft', 'low'])
@pytest.mark.parametrize('tau', [2.0, 3.0, 1.7])
def test_the_potential_is_that_of_spikingjelly_to_the_last_bit(tau, v_reset, decay_input):
    node, x = LIF(tau, v_reset=v_reset, decay_input=decay_input), current(7, 20000)
    theirs = neuron.LIFNode(tau, decay_input, v_reset=v_reset, step_mode='m')
    (spikes,), (v,) = node.multi_step_functional_forward((x,), (node.rest(x),))
    assert torch.equal(spikes, theirs(x)) and spikes.mean() > 0.02
    assert torch.equal(v, theirs.v)


@pytest.mark.parametrize('v_reset', [0.0, None], ids=['hard', 'soft'])
def test_if_is_the_node_of_spikingjelly(v_reset):
    x, upstream = current(6, 2, 50), current(6, 2, 50, seed=1)
    theirs = neuron.IFNode(v_reset=v_reset, surrogate_function=surrogate.Sigmoid(), step_mode='m')
    assert_same(run(IF(v_reset=v_reset, detach_reset=False), x, upstream), run(theirs, x, upstream))


@pytest.mark.usefixtures('threads')
@pytest.mark.parametrize('neurons', [1, 2047, 2048, 2049, 65537, 150001])  # around a block, and enough for two threads
@pytest.mark.parametrize('T', [1, 4])
def test_any_number_of_neurons(T, neurons):
    x, upstream = current(T, neurons), current(T, neurons, seed=1)
    if neurons == 1:
        x[0] = 2.0
    theirs = neuron.LIFNode(detach_reset=True, step_mode='m')
    spikes, gradient = run(LIF(), x, upstream)
    expected = run(theirs, x, upstream)
    assert torch.equal(spikes, expected[0]) and spikes.sum() > 0
    torch.testing.assert_close(gradient, expected[1], rtol=0, atol=1e-6 * expected[1].abs().max().item())


def channels_last(x: Tensor) -> Tensor:
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])


LAYOUTS = {
    'channels_last': channels_last,
    'batch first': lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),  # an event batch turned around
    'channels_last, batch first': lambda x: channels_last(x.transpose(0, 1).contiguous()).transpose(0, 1),
    'batch last': lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    'repeated image': lambda x: x[0].expand_as(x),
    'repeated channels_last image': lambda x: channels_last(x)[0].expand_as(x),
    'every second channel': lambda x: x.repeat_interleave(2, 2)[:, :, ::2],
}


@pytest.mark.parametrize('shape', [(3, 2, 4, 5, 6), (3, 2, 1, 5, 6), (3, 2, 4, 1, 1), (1, 2, 4, 5, 6)], ids=str)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_layout_of_the_input_does_not_matter(layout, shape):
    x, upstream = LAYOUTS[layout](current(*shape)), current(*shape, seed=1)
    assert_same(run(LIF(), x, upstream), run(LIF(), x.contiguous(), upstream))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_layout_of_the_gradient_does_not_matter(layout):
    x, upstream = current(3, 2, 4, 5, 6), LAYOUTS[layout](current(3, 2, 4, 5, 6, seed=1))
    assert_same(run(LIF(), x, upstream), run(LIF(), x, upstream.contiguous()))


@pytest.mark.usefixtures('threads')
def test_channels_last_stays_channels_last():
    x, upstream = channels_last(current(2, 2, 6, 80, 81)), current(2, 2, 6, 80, 81, seed=1)
    spikes, gradient = run(LIF(), x, upstream)
    assert spikes.stride() == x.stride(), 'the next convolution would reorder the whole tensor'
    assert_same((spikes, gradient), run(LIF(), x.contiguous(), upstream))


@pytest.mark.parametrize('cls', ALL)
@pytest.mark.parametrize('T', [1, 4])
def test_float64_agrees_with_float32(cls, T):
    x, upstream = (current(T, 400) * 8).round() / 8, current(T, 400, seed=1)  # eighths: both are exact
    spikes, gradient = run(cls(), x.double(), upstream.double())
    assert spikes.dtype == gradient.dtype == torch.float64
    assert_same((spikes.float(), gradient.float()), run(cls(), x, upstream))


@pytest.mark.parametrize('v_threshold', [1.0, 0.7])  # twice 0.7 is no bfloat16 number
@pytest.mark.parametrize('T', [1, 4])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_fires_as_float32(dtype, T, v_threshold):
    x, upstream = current(T, 4000).to(dtype), current(T, 4000, seed=1).to(dtype)
    spikes, gradient = run(LIF(v_threshold=v_threshold), x, upstream)
    assert spikes.dtype == gradient.dtype == dtype
    expected = run(LIF(v_threshold=v_threshold), x.float(), upstream.float())
    assert_same((spikes.float(), gradient.float()), expected, tolerance=torch.finfo(dtype).eps)


def test_a_tie_in_bfloat16_is_decided_in_float32():
    x = torch.tensor([[1.3984375, 1.40625]], dtype=torch.bfloat16)  # the neighbours of 2 * 0.7
    assert LIF(v_threshold=0.7)(x).tolist() == [[0, 1]]


@pytest.mark.parametrize('shape', [(4, 0), (1, 0, 3)], ids=str)
def test_an_empty_batch_passes(shape):
    x = torch.zeros(shape, requires_grad=True)
    spikes = LIF()(x)
    spikes.sum().backward()
    assert spikes.shape == shape and x.grad.shape == shape


def test_inputs_that_are_not_finite_stay_where_they_are():
    x = torch.tensor([[float('inf'), float('-inf'), float('nan'), 2.0]] * 3)
    assert LIF()(x).tolist() == [[1, 0, 0, 1]] * 3


def test_a_large_potential_has_a_finite_gradient():
    x = torch.tensor([[1e30, -1e30, 200.0, -200.0]] * 2)
    _, gradient = run(LIF(), x, torch.ones_like(x))
    assert torch.isfinite(gradient).all()


def test_the_primitive_of_a_surrogate_is_not_a_spike():
    smooth = LIF(surrogate=surrogate.Sigmoid(spiking=False))(torch.tensor([[2.0]]))
    torch.testing.assert_close(smooth, torch.tensor([[0.5]]))


def test_threshold_lif_learns_its_threshold_as_autograd_says():
    x, upstream = current(4, 300), current(4, 300, seed=1)
    node = ThresholdLIF(v_threshold=0.8, v_reset=None, detach_reset=False)
    spikes, _ = run(node, x, upstream)
    threshold = torch.tensor(0.8, requires_grad=True)
    v, expected = torch.zeros(300), []
    for current_t in x:
        h = v + (current_t - v) / 2
        s = surrogate.Sigmoid()(h - threshold)
        v = h - s * threshold
        expected.append(s)
    expected = torch.stack(expected)
    (gradient,) = torch.autograd.grad((expected * upstream).sum(), threshold)
    assert spikes.mean() > 0.1 and torch.equal(spikes, expected)
    torch.testing.assert_close(node.log_threshold.grad.squeeze() / 0.8, gradient, rtol=1e-4, atol=1e-5)


def test_plif_learns_a_shorter_memory():
    node = PLIF(init_tau=2.0)
    assert torch.equal(node.w, torch.tensor(0.0))  # 1 / tau = sigmoid(0)
    assert PLIF(init_tau=4.0).w.sigmoid().item() == pytest.approx(0.25)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(tau=1.0), r'tau must be greater than 1 \(time steps\), but got 1.0'),
        (dict(tau=float('nan')), 'tau must be greater than 1'),
        (dict(v_threshold=0.0), 'v_threshold must be positive, but got 0.0'),
        (dict(v_threshold=-1.0), 'v_threshold must be positive, but got -1.0'),
        (dict(v_reset=1.0), r'v_reset must be below v_threshold \(1.0\) or None, but got 1.0'),
        (dict(surrogate=dict(type='Step')), 'surrogate type must be one of .*but got .Step.'),
    ],
    ids=lambda value: '' if isinstance(value, str) else next(iter(value)),
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LIF(**options)


def test_plif_names_its_own_time_constant():
    with pytest.raises(ValueError, match='init_tau must be greater than 1'):
        PLIF(init_tau=0.5)


def test_compiles():
    x, upstream = current(4, 2, 50), current(4, 2, 50, seed=1)
    # Traced like every backend, without the minute of C++ compilation that inductor would take.
    assert_same(run(torch.compile(LIF(), backend='aot_eager'), x, upstream), run(LIF(), x, upstream))


@pytest.mark.cuda
@pytest.mark.parametrize('cls', ALL)
@pytest.mark.parametrize('T', [1, 4])
def test_a_gpu_fires_as_the_cpu(cls, T):
    x, upstream = (current(T, 3, 401) * 8).round() / 8, current(T, 3, 401, seed=1)  # eighths: sums are exact
    spikes, gradient = run(cls().cuda(), x.cuda(), upstream.cuda())
    assert_same((spikes.cpu(), gradient.cpu()), run(cls(), x, upstream), tolerance=1e-5)


@pytest.mark.cuda
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_on_a_gpu_fires_as_the_cpu(dtype):
    x, upstream = ((current(4, 401) * 8).round() / 8).to(dtype), current(4, 401, seed=1).to(dtype)
    spikes, gradient = run(LIF(), x.cuda(), upstream.cuda())
    assert_same((spikes.cpu(), gradient.cpu()), run(LIF(), x, upstream), tolerance=4 * torch.finfo(dtype).eps)


def test_integrate_and_fire_runs_where_our_kernels_do_not():
    x = torch.randn(4, 3, 5)
    assert IF()(x.to('meta')).shape == x.shape  # SpikingJelly's operators refuse a time constant of infinity
    assert IF()(x.double()).sum() > 0 and torch.equal(IF()(x.double()).float(), IF()(x))
