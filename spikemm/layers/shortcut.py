"""Where a residual is added in a spiking network; Fig. 4 of `Spike-driven Transformer V2
<https://arxiv.org/abs/2404.03663>`_. A branch holds no neuron at its ends: the shortcut owns that one."""

import torch
from torch import Tensor, nn

from spikemm.neurons import build_neuron


class Shortcut(nn.Module):
    """A residual branch with its neuron.

    Args:
        branch: Maps ``[T, B, C, H, W]`` to the same shape.
        neuron: Config of the neuron.
        drop_path: Probability that a sample skips the branch in training, at all of its time steps.
    """

    def __init__(self, branch: nn.Module, neuron: dict, *, drop_path: float = 0.0) -> None:
        super().__init__()
        self.neuron = build_neuron(neuron)
        self.branch = branch
        self.drop_path = drop_path

    def keep(self, x: Tensor, *, rescale: bool) -> Tensor:
        """Zero the samples of ``x`` that skip; ``rescale`` keeps the expectation, but makes spikes real numbers."""
        if not self.training or self.drop_path == 0.0:
            return x
        kept = 1.0 - self.drop_path
        mask = torch.empty((1, x.shape[1], *[1] * (x.ndim - 2)), dtype=x.dtype, device=x.device).bernoulli_(kept)
        return x * (mask / kept if rescale else mask)

    def extra_repr(self) -> str:
        return f'drop_path={self.drop_path}'


class MembraneShortcut(Shortcut):
    """Membrane plus membrane: identity mapping, and every weight layer meets spikes. Neurons stand before weights."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.keep(self.branch(self.neuron(x)), rescale=True)


class SEWShortcut(Shortcut):
    """Spike plus spike (`SEW-ResNet <https://arxiv.org/abs/2102.04159>`_): identity mapping, but integers."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.keep(self.neuron(self.branch(x)), rescale=False)


class VanillaShortcut(Shortcut):
    """Spike plus membrane, then the neuron (`Zheng et al. <https://arxiv.org/abs/2011.05280>`_): no identity."""

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(x + self.keep(self.branch(x), rescale=True))


SHORTCUTS = {'membrane': MembraneShortcut, 'sew': SEWShortcut, 'vanilla': VanillaShortcut}
