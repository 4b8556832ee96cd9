"""A network that carries its state from piece to piece is the network that sees the whole sequence."""

import copy
import threading

import pytest
import torch
from small_nets import firing, flat, loss, strengthen, tensor
from spikingjelly.activation_based.neuron import LIFNode
from torch import Tensor, nn

from spikemm.models import MetaSpikeFormer, SpikeLinearClsHead, forward_with_state, reparameterize
from spikemm.models.backbones import (
    AttMSResNet,
    ConvertedANN,
    EMSResNet,
    MSResNet,
    SEWResNet,
    SpikeDrivenTransformer,
    Spikformer,
    SpikformerV2,
)
from spikemm.neurons import LIF


class Classifier(nn.Module):
    def __init__(self, **kwargs) -> None:
        super().__init__()
        self.backbone = MetaSpikeFormer('nano', in_channels=2, **kwargs)
        neuron = None if kwargs.get('shortcut') == 'sew' else dict(type='LIF')
        self.head = SpikeLinearClsHead(num_classes=4, in_channels=96, neuron=neuron)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


def net(dtype=torch.float64, **kwargs) -> nn.Module:
    return strengthen(Classifier(**kwargs)).to(dtype).eval()


def frames(T: int = 5, dtype=torch.float64, B: int = 2) -> Tensor:
    """Counts of events."""
    return torch.poisson(torch.full((T, B, 2, 32, 32), 0.6), generator=torch.Generator().manual_seed(0)).to(dtype)


def stream(module: nn.Module, x: Tensor, size: int, detach: bool = False) -> tuple[Tensor, dict[str, Tensor], dict]:
    """Mean logits over all steps, the spikes of each neuron layer over time, and the last state."""
    spikes, handles = {}, []
    for name, m in module.named_modules():
        if isinstance(m, LIFNode):
            handles.append(m.register_forward_hook(
                lambda m, args, out, name=name: spikes.setdefault(name, []).append(out)))
    logits, state = 0, None
    for piece in x.split(size):
        out, state = forward_with_state(module, piece, state)
        logits = logits + out * len(piece) / len(x)
        if detach:
            state = {name: v.detach() for name, v in state.items()}
    for handle in handles:
        handle.remove()
    return logits, {name: torch.cat(s) for name, s in spikes.items()}, state


VARIANTS = [{}, {'sdsa': 1}, {'sdsa': 4}, {'shortcut': 'sew'}, {'neuron': dict(type='PLIF')},
            {'neuron': dict(type='LIF', v_reset=None, decay_input=False)}]


@torch.no_grad()
@pytest.mark.parametrize('kwargs, size', [({}, 1), ({}, 3), *((kwargs, 2) for kwargs in VARIANTS)], ids=str)
def test_pieces_fire_and_predict_as_the_whole_sequence(kwargs, size):
    module, x = net(**kwargs), frames()
    firing(module, lambda: module(x))
    logits, spikes, _ = stream(module, x, size)
    for name, s in stream(module, x, len(x))[1].items():
        assert torch.equal(spikes[name], s), name
    torch.testing.assert_close(logits, module(x), rtol=0, atol=1e-10)


@pytest.mark.cuda
@torch.no_grad()
def test_pieces_fire_on_a_gpu_as_on_the_cpu():
    module, x = net(), frames()
    firing(module, lambda: module(x))
    logits, spikes, state = stream(module, x, 2)
    on_gpu, found, potentials = stream(module.cuda(), x.cuda(), 2)
    for name, s in spikes.items():
        assert torch.equal(found[name].cpu(), s), name
    torch.testing.assert_close((on_gpu.cpu(), {name: v.cpu() for name, v in potentials.items()}), (logits, state))


# In float32 a convolution of another batch size may round otherwise, and a potential on the threshold fire otherwise.
@torch.no_grad()
@pytest.mark.parametrize('mode, size', [(None, 1), (None, 3), ('fast', 2), ('spike', 1)])
def test_pieces_predict_as_the_whole_sequence_in_float32_and_folded(mode, size):
    module, x = net(torch.float32), frames(dtype=torch.float32)
    module = module if mode is None else reparameterize(module, mode)
    firing(module, lambda: module(x))
    torch.testing.assert_close(stream(module, x, size)[0], module(x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_pieces_that_start_from_rest_are_not_the_whole_sequence():
    module, x = net(), frames()
    forgetful = torch.stack([module(piece) for piece in x.split(1)]).mean(0)
    assert (forgetful - module(x)).abs().max() > 0.1


@torch.no_grad()
def test_the_first_piece_and_an_entry_that_is_missing_start_from_rest():
    module, x = net(), frames(2)
    firing(module, lambda: module(x))
    out, state = forward_with_state(module, x)
    assert torch.equal(out, module(x))
    carried, _ = forward_with_state(module, x, state)
    assert not torch.equal(carried, out)
    assert torch.equal(forward_with_state(module, x, dict.fromkeys(state))[0], out)


@torch.no_grad()
def test_neither_the_module_nor_the_argument_is_changed():
    module, x = net(), frames(2)
    before, contents = copy.deepcopy(module.state_dict()), {m: set(vars(m)) for m in module.modules()}
    _, state = forward_with_state(module, x)
    kept = {name: v.clone() for name, v in state.items()}
    _, after = forward_with_state(module, x, state)
    assert any(not torch.equal(v, after[name]) for name, v in kept.items()), 'the state never moves'
    assert state.keys() == kept.keys() and all(torch.equal(v, state[name]) for name, v in kept.items())
    assert {m: set(vars(m)) for m in module.modules()} == contents
    assert all(torch.equal(v, before[name]) for name, v in module.state_dict().items())


@torch.no_grad()
def test_an_exception_leaves_nothing_behind():
    module, x = net(), frames(2)
    expected, contents = module(x), {m: set(vars(m)) for m in module.modules()}
    handle = module.head.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        forward_with_state(module, x)
    handle.remove()
    assert {m: set(vars(m)) for m in module.modules()} == contents
    assert torch.equal(module(x), expected)


@torch.no_grad()
def test_a_state_can_be_saved_and_go_on(tmp_path):
    module, x = net(), frames(4)
    _, state = forward_with_state(module, x[:2])
    torch.save(state, tmp_path / 'state.pth')
    again = forward_with_state(module, x[2:], torch.load(tmp_path / 'state.pth', weights_only=True))[0]
    assert torch.equal(again, forward_with_state(module, x[2:], state)[0])


def gradients(module: nn.Module, x: Tensor, size: int, detach: bool = False) -> list[Tensor]:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(stream(module, x, size, detach)[0]), [x, *module.parameters()], allow_unused=True)


def test_gradients_pass_from_piece_to_piece_unless_they_are_cut():
    module, x = net(), frames(4)
    whole, pieces, cut = gradients(module, x, 4), gradients(module, x, 2), gradients(module, x, 2, detach=True)
    for a, b in zip(pieces, whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
    assert (cut[0][:2] - whole[0][:2]).abs().max() > 1e-3 * whole[0].abs().max()


def test_a_training_step_starts_from_the_state_too():
    """Norm and neuron are one operator in training, which knows of no state."""
    module, x = net(torch.float32).train(), frames(2, torch.float32)
    trained = copy.deepcopy(module)
    out, state = forward_with_state(module, x)
    torch.testing.assert_close(out, trained(x), rtol=1e-4, atol=1e-4)
    assert state.keys() == {name for name, m in module.named_modules() if isinstance(m, LIF)}
    carried, _ = forward_with_state(module, x, state)
    assert (carried - out).abs().max() > 1e-2


class Twice(nn.Module):
    """One neuron layer for maps of two sizes, as a detection head has it for its levels."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = LIF()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.neuron(x), self.neuron(x[..., ::2, ::2])


def test_a_neuron_that_is_called_twice_has_two_states():
    x = tensor(6, 2, 3, 8, 8)
    pieces, state = [], None
    for piece in x.split(2):
        out, state = forward_with_state(Twice(), piece, state)
        pieces.append(out)
    assert list(state) == ['neuron', 'neuron#2']
    for got, wanted, alone in zip(zip(*pieces, strict=True), Twice()(x), Twice()(x[2:4]), strict=True):
        assert torch.equal(torch.cat(got), wanted) and not torch.equal(alone, wanted[2:4])


def test_another_thread_that_calls_the_module_meanwhile_starts_from_rest():
    module, x, seen = nn.Sequential(LIF(), nn.Identity()), tensor(3, 2, 3, 8, 8), []
    _, state = forward_with_state(module, x)
    thread = threading.Thread(target=lambda: seen.append(module[0](x)))

    def call_it_meanwhile(*_) -> None:
        thread.start()
        thread.join()

    module[1].register_forward_hook(call_it_meanwhile)
    out, end = forward_with_state(module, x, state)
    assert list(end) == ['0'], 'the other thread has a part in the stream'
    assert torch.equal(seen[0], LIF()(x)) and not torch.equal(seen[0], out)


@torch.no_grad()
def test_a_compiled_module_streams_uncompiled():
    module, x, graphs = LIF(), tensor(4, 2, 3, 8, 8), []
    compiled = torch.compile(module, backend=lambda graph, _: graphs.append(graph) or graph.forward)
    compiled(x[2:])
    number = len(graphs)
    first, state = forward_with_state(compiled, x[:2])
    last, _ = forward_with_state(compiled, x[2:], state)
    assert torch.equal(torch.cat([first, last]), module(x)) and not torch.equal(last, module(x[2:]))
    assert len(graphs) == number > 0


@torch.no_grad()
def test_a_state_of_another_batch_size_or_module_is_refused_by_name():
    module, x = net(), frames(2)
    _, state = forward_with_state(module, x)
    with pytest.raises(ValueError, match=r"state\['backbone.stages.0.1.mixer.neuron'\] must have .* got \(2, 16, 16"):
        forward_with_state(module, x[:, :1], state)
    with pytest.raises(ValueError, match=r"no neuron of it started from 'head\.neuron'"):
        forward_with_state(module.backbone, x, {'head.neuron': state['head.neuron']})


def test_what_hides_a_state_or_computes_anew_is_refused_by_name():
    with pytest.raises(TypeError, match="'1' must be a neuron of spikemm, but got LIFNode"):
        forward_with_state(nn.Sequential(LIF(), LIFNode(step_mode='m')), frames(2))
    with pytest.raises(ValueError, match="'backbone' must not recompute activations"):
        forward_with_state(net(with_cp=True).train(), frames(2))


def test_the_backbone_alone_streams_its_maps():
    backbone, x = net().backbone, frames(4)
    pieces, state = [], None
    for piece in x.split(1):
        feats, state = forward_with_state(backbone, piece, state)
        pieces += flat(feats)
    torch.testing.assert_close(torch.cat(pieces), backbone(x)[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize('net', [
    AttMSResNet('nano'),
    ConvertedANN(dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16), T=2),
], ids=lambda net: type(net).__name__)
def test_networks_that_read_all_steps_are_refused(net):
    with pytest.raises(ValueError, match=r'module must work step by step, but .* reads all time steps'):
        forward_with_state(net.eval(), torch.zeros(2, 1, 3, 32, 32))


@pytest.mark.parametrize('cls', [
    EMSResNet, MSResNet, SEWResNet, SpikeDrivenTransformer, Spikformer, SpikformerV2], ids=lambda cls: cls.__name__)
def test_every_other_backbone_streams(cls):
    net = strengthen(cls('nano')).double().eval()  # float32 convolutions round by the number of steps
    x = torch.randn(4, 1, 3, 32, 32, dtype=torch.double, generator=torch.Generator().manual_seed(0)) * 2
    firing(net, lambda: net(x))
    first, state = forward_with_state(net, x[:1])
    second, _ = forward_with_state(net, x[1:], state)
    torch.testing.assert_close(torch.cat([first[-1], second[-1]]), net(x)[-1])
