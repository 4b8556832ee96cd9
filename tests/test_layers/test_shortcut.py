"""Where each shortcut adds, and what it lets through."""

import pytest
import torch
from torch import Tensor, nn

from spikemm.layers import SHORTCUTS, MembraneShortcut, SEWShortcut, VanillaShortcut

NEURON = dict(type='LIF')
every_shortcut = pytest.mark.parametrize('cls', SHORTCUTS.values(), ids=SHORTCUTS.keys())


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Times(nn.Module):
    """A branch that remembers its input."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x.detach()
        return self.factor * x


def membrane(B: int = 2) -> Tensor:
    return torch.randn(3, B, 4, 5, 5, generator=torch.Generator().manual_seed(0)) * 2


def spikes(B: int = 2) -> Tensor:
    return membrane(B).gt(0.5).float()


@pytest.mark.parametrize('cls, x', [(MembraneShortcut, membrane()), (SEWShortcut, 3 * spikes())])
def test_an_empty_branch_is_the_identity(cls, x):
    assert torch.equal(cls(Zero(), NEURON)(x), x)


def test_an_empty_branch_of_a_vanilla_shortcut_is_a_neuron():
    x = 4 * spikes()
    shortcut = VanillaShortcut(Zero(), NEURON)
    assert shortcut(x).sum() > 0 and torch.equal(shortcut(x), shortcut.neuron(x))


def test_the_branch_of_a_membrane_shortcut_sees_spikes_and_adds_real_numbers():
    branch, x = Times(0.3), membrane()
    out = MembraneShortcut(branch, NEURON)(x)
    assert branch.seen.unique().tolist() == [0, 1]
    torch.testing.assert_close(out, x + 0.3 * branch.seen)


def test_a_sew_shortcut_adds_spikes_to_spikes():
    x = spikes()
    out = SEWShortcut(Times(2.0), NEURON)(x)  # a neuron fires at 2
    assert out.unique().tolist() == [0, 2]
    assert SEWShortcut(Times(2.0), NEURON)(out).unique().tolist() == [0, 3], 'integers grow by one a block'


def test_a_vanilla_shortcut_fires_once_after_the_sum():
    out = VanillaShortcut(Times(1.0), NEURON)(spikes())  # 1 + 1 fires, neither alone would
    assert torch.equal(out, spikes()) and out.sum() > 0


@every_shortcut
def test_evaluation_drops_nothing(cls):
    x = spikes(8)
    assert torch.equal(cls(Times(2.0), NEURON, drop_path=0.5).eval()(x), cls(Times(2.0), NEURON)(x))


@every_shortcut
def test_a_dropped_sample_is_dropped_at_all_steps(cls):
    torch.manual_seed(0)
    x = torch.full((3, 200, 1, 2, 2), 0.5 if cls is VanillaShortcut else 2.0)  # 0.5 does not fire without its branch
    out = cls(Times(2.0), NEURON, drop_path=0.4).train()(x)
    added = out if cls is VanillaShortcut else out - x
    assert added.amax() > 0
    samples = added.transpose(0, 1).flatten(1)
    kept = samples.ne(0).all(1)
    assert 90 < kept.sum() < 150
    assert (samples[~kept] == 0).all(), 'a sample dropped at some steps only'


def test_the_expectation_of_a_membrane_is_kept():
    torch.manual_seed(0)
    x = 2 * torch.ones(2, 20000, 1, 1, 1)
    added = MembraneShortcut(Times(1.0), NEURON, drop_path=0.25).train()(x) - x
    assert added.unique().tolist() == pytest.approx([0, 4 / 3])
    assert added.mean().item() == pytest.approx(1.0, abs=0.02)


def test_a_dropped_sew_branch_leaves_integers():
    torch.manual_seed(0)
    out = SEWShortcut(Times(2.0), NEURON, drop_path=0.25).train()(torch.ones(2, 200, 1, 1, 1))
    assert out.unique().tolist() == [1, 2]
