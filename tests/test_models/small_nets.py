"""Small networks whose neurons all fire, what fires in them, and the weights of the golden files."""

from collections.abc import Callable

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from spikemm.models import convert_state_dict

WEIGHT_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def strengthen(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights so large that a neuron in front of which any spike arrives may fire."""
    g = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        if p.ndim > 1:
            p.data.normal_(0, 3 / p[0].numel() ** 0.5, generator=g)
        elif p.ndim == 1:
            p.data.uniform_(0.5, 1.5, generator=g)
    return net


def tensor(*shape: int, seed: int = 0) -> Tensor:
    """Membrane potentials above and below the threshold, also in the mean over a map."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g) * 1.5 + torch.randn(*shape[:-2], 1, 1, generator=g) * 1.5 + 1


def flat(outs) -> list[Tensor]:
    """Nested tuples of tensors as one list."""
    return [outs] if isinstance(outs, Tensor) else [x for out in outs for x in flat(out)]


def loss(outs) -> Tensor:
    """Weighs every number differently: a plain sum has no gradient through a norm."""
    return sum((x * torch.linspace(-1, 2, x.numel()).reshape(x.shape).sin()).sum() for x in flat(outs))


def firing(net: nn.Module, call: Callable) -> list[float]:
    """Mean output of every neuron layer of ``net`` during ``call()``; it must not be silent anywhere."""
    seen = {}
    names = [name for name, m in net.named_modules() if isinstance(m, BaseNode)]
    handles = [
        net.get_submodule(name).register_forward_hook(
            lambda module, args, out, name=name: seen.update({name: seen.get(name, 0) + out.mean().item()}))
        for name in names]
    call()
    for handle in handles:
        handle.remove()
    assert names and set(seen) == set(names), f'neurons never called: {set(names) - set(seen)}'
    assert all(rate > 0 for rate in seen.values()), f'silent network, the test would prove nothing: {seen}'
    return list(seen.values())


def inputs_of_weight_layers(net: nn.Module, call: Callable) -> dict[str, list[float]]:
    """The values that each convolution and linear layer of ``net`` meets during ``call()``, once each."""
    seen: dict[str, set] = {}
    handles = [
        m.register_forward_pre_hook(
            lambda module, args, name=name: seen.setdefault(name, set()).update(args[0].unique().tolist()))
        for name, m in net.named_modules() if isinstance(m, WEIGHT_LAYERS)]
    call()
    for handle in handles:
        handle.remove()
    return {name: sorted(values) for name, values in seen.items()}


def load_published(net: nn.Module, tensors: dict[str, Tensor], prefix: str) -> nn.Module:
    """``net`` with those published weights of a golden file whose keys, converted, begin with ``prefix``."""
    published = {k.removeprefix('state.'): v for k, v in tensors.items() if k.startswith('state.')}
    ours = convert_state_dict('sdt-v2', published)
    net.load_state_dict({k.removeprefix(prefix): v for k, v in ours.items() if k.startswith(prefix)}, strict=True)
    return net.eval()


def assert_reference(ours, theirs) -> None:
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert b.std() > 1e-3, 'constant outputs, the comparison would prove nothing'
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def centre(conv: nn.Module, weight: float, bias: float = 0.0) -> None:
    """Let a convolution multiply by ``weight`` and add ``bias``, whatever the neighbours are."""
    conv.weight.data.zero_()
    conv.weight.data[..., conv.weight.shape[-2] // 2, conv.weight.shape[-1] // 2] = weight
    conv.bias.data.fill_(bias)
