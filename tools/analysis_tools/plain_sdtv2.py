"""The comparison of the benchmark: Meta-SpikeFormer built plainly, in the order of operations of the released code.

Neurons are a Python loop over T of separate charge, fire and reset operations, as SpikingJelly's torch backend ran
them; the image is repeated over T before the stem; every norm is a layer of its own; the RepConv pads in a copy.
"""

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import neuron
from torch import Tensor, nn


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, alpha: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.alpha = alpha
        return (x >= 0).to(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        sigmoid = (ctx.saved_tensors[0] * ctx.alpha).sigmoid_()
        return grad * (1.0 - sigmoid) * sigmoid * ctx.alpha, None


class LoopLIF(nn.Module):
    """LIF, tau 2, hard reset to 0, detached: one time step after the other."""

    def __init__(self, v_threshold: float = 1.0) -> None:
        super().__init__()
        self.v_threshold = v_threshold

    def forward(self, x: Tensor) -> Tensor:
        v = torch.zeros_like(x[0])
        spikes = []
        for current in x:
            v = v + (current - v) / 2.0
            spike = _Fire.apply(v - self.v_threshold, 4.0)
            v = (1.0 - spike.detach()) * v
            spikes.append(spike)
        return torch.stack(spikes)


class SpikingJellyLIF(neuron.LIFNode):
    """SpikingJelly's own node, reset before every call as the released training loop does after every batch."""

    def __init__(self, v_threshold: float = 1.0) -> None:
        super().__init__(tau=2.0, v_threshold=v_threshold, detach_reset=True, step_mode='m')

    def forward(self, x: Tensor) -> Tensor:
        self.reset()
        return super().forward(x)


class ReLU(nn.ReLU):
    """The artificial twin: no time, no threshold."""

    def __init__(self, v_threshold: float = 1.0) -> None:
        super().__init__()


def _flat(layer: nn.Module, x: Tensor) -> Tensor:
    y = layer(x.flatten(0, 1))
    return y.reshape(*x.shape[:2], *y.shape[1:])


class _PadBN(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(x)
        bn = self.bn
        value = (bn.bias - bn.running_mean * bn.weight / (bn.running_var + bn.eps).sqrt()).detach().view(1, -1, 1, 1)
        x = F.pad(x, (1, 1, 1, 1))
        x[:, :, 0, :] = value[..., 0]
        x[:, :, -1, :] = value[..., 0]
        x[:, :, :, 0] = value[..., 0]
        x[:, :, :, -1] = value[..., 0]
        return x


def _rep_conv(c: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c, c, 1, bias=False), _PadBN(c), nn.Conv2d(c, c, 3, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c), nn.BatchNorm2d(c),
    )  # fmt: skip


class _ConvBlock(nn.Module):
    def __init__(self, c: int, spike: type) -> None:
        super().__init__()
        self.lif1, self.lif2, self.lif3, self.lif4 = spike(), spike(), spike(), spike()
        self.pw1 = nn.Sequential(nn.Conv2d(c, 2 * c, 1, bias=False), nn.BatchNorm2d(2 * c))
        self.dw = nn.Conv2d(2 * c, 2 * c, 7, padding=3, groups=2 * c, bias=False)
        self.pw2 = nn.Sequential(nn.Conv2d(2 * c, c, 1, bias=False), nn.BatchNorm2d(c))
        self.conv1 = nn.Sequential(nn.Conv2d(c, 4 * c, 3, padding=1, bias=False), nn.BatchNorm2d(4 * c))
        self.conv2 = nn.Sequential(nn.Conv2d(4 * c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))

    def forward(self, x: Tensor) -> Tensor:
        x = x + _flat(self.pw2, _flat(self.dw, self.lif2(_flat(self.pw1, self.lif1(x)))))
        return x + _flat(self.conv2, self.lif4(_flat(self.conv1, self.lif3(x))))


class _Attention(nn.Module):
    def __init__(self, c: int, spike: type, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_lif, self.q_lif, self.k_lif, self.v_lif = spike(), spike(), spike(), spike()
        self.attn_lif = spike(0.5)
        self.q, self.k, self.v, self.proj = _rep_conv(c), _rep_conv(c), _rep_conv(c), _rep_conv(c)

    def _split(self, x: Tensor) -> Tensor:
        T, B, C, H, W = x.shape
        return x.flatten(3).transpose(-1, -2).reshape(T, B, H * W, self.heads, C // self.heads).permute(0, 1, 3, 2, 4)

    def forward(self, x: Tensor) -> Tensor:
        T, B, C, H, W = x.shape
        x = self.head_lif(x)
        q = self._split(self.q_lif(_flat(self.q, x)))
        k = self._split(self.k_lif(_flat(self.k, x)))
        v = self._split(self.v_lif(_flat(self.v, x)))
        x = q @ (k.transpose(-2, -1) @ v) * 0.125
        x = self.attn_lif(x.transpose(3, 4).reshape(T, B, C, H * W).contiguous()).reshape(T, B, C, H, W)
        return _flat(self.proj, x)


class _TransformerBlock(nn.Module):
    def __init__(self, c: int, spike: type, heads: int) -> None:
        super().__init__()
        self.attn = _Attention(c, spike, heads)
        self.lif1, self.lif2 = spike(), spike()
        self.fc1 = nn.Sequential(nn.Conv1d(c, 4 * c, 1), nn.BatchNorm1d(4 * c))
        self.fc2 = nn.Sequential(nn.Conv1d(4 * c, c, 1), nn.BatchNorm1d(c))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x)
        y = self.lif2(_flat(self.fc1, self.lif1(x.flatten(3))))
        return x + _flat(self.fc2, y).reshape(x.shape)


class PlainSDTV2(nn.Module):
    """Meta-SpikeFormer with its classification head, for the channels ``[C, 2C, 4C, 8C, D]``."""

    def __init__(self, widths: tuple[int, ...], T: int, spike: type, heads: int = 8, num_classes: int = 1000) -> None:
        super().__init__()
        self.T = T
        layers: list[nn.Module] = []
        inputs = 3
        for i, (width, depth) in enumerate(zip(widths, (1, 1, 2, 6, 2), strict=True)):
            kernel, stride = (7, 2) if i == 0 else (3, 1 if i == 4 else 2)
            down = nn.Sequential(nn.Conv2d(inputs, width, kernel, stride, kernel // 2), nn.BatchNorm2d(width))
            layers += [spike()] if i else []
            layers.append(down)
            layers += [_ConvBlock(width, spike) if i < 3 else _TransformerBlock(width, spike, heads)
                       for _ in range(depth)]  # fmt: skip
            inputs = width
        self.layers = nn.ModuleList(layers)
        self.lif, self.head = spike(), nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(0).repeat(self.T, 1, 1, 1, 1)
        for layer in self.layers:
            x = _flat(layer, x) if isinstance(layer, nn.Sequential) else layer(x)
        return self.head(self.lif(x.mean((-2, -1)))).mean(0)
