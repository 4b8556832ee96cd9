"""Record what the neurons of a model send for one image or recording."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from .counts import some, stage_of
from .operations import is_neuron

SHOWN = 12  # layers that an error names


@dataclass
class LayerSpikes:
    """What a layer of neurons sent for one sample.

    Args:
        name: Name in the model.
        spikes: ``[T, C, H, W]``; H and W are 1 for vectors, H is 1 for tokens. uint8, or float32 where a neuron sent
            something else than whole numbers from 0 to 255.
        part: Which part of what it sent this is, as 'call 1 of 5' or 'region 1 of 100'; empty if it is all.
    """

    name: str
    spikes: Tensor
    part: str = ''

    @property
    def rate(self) -> float:
        """Spikes a neuron and time step."""
        return self.spikes.double().mean().item()

    @property
    def largest(self) -> float:
        """Largest value sent, 1 for spikes."""
        return self.spikes.max().item()


def record_spikes(model: nn.Module, run: Callable[[], Any], layers: str | None = None) -> list[LayerSpikes]:
    """Record what layers of neurons send while ``run`` predicts one sample.

    Of each layer one call is kept, in a byte a neuron and time step. A layer that is called several times, as a head on
    every level of a pyramid, keeps its largest call, the first of several such; a layer that sees regions of an image
    keeps the first, in a detector of mmdet the one with the best score. A neuron in SpikingJelly's step mode 's' is
    called once a time step; its calls make one recording.

    Args:
        model: Model with neurons of SpikingJelly, such as spikemm's.
        run: Predicts one sample with ``model`` and leaves it as it was, reset where it keeps a state.
        layers: Pattern of names such as ``'backbone.stages.3.*'``. None takes of each stage, neck and head the layer
            that is called last, which takes a second ``run``.

    Returns:
        In the order of their first call. A layer that is not called, or sees no region, is missing.

    Raises:
        ValueError: The model has no neurons, ``layers`` matches none of them, or ``run`` calls none or has more than
            one sample.
    """
    neurons = find_neurons(model)
    if layers is None:
        finder = _Recorder(neurons, ())
        finder.watch(run)
        wanted = list({stage_of(name): name for name in finder.order}.values())
    else:
        wanted = list(find_neurons(model, layers))
    recorder = _Recorder(neurons, wanted)
    recorder.watch(run)
    found = [recorder.result(name) for name in recorder.calls if name in recorder.kept]
    if not found:
        raise ValueError(f'`run` must call the neurons to be recorded, but none of '
                         f'{some(wanted or list(neurons))} saw anything.')
    return found


def find_neurons(model: nn.Module, pattern: str = '*') -> dict[str, nn.Module]:
    """Return the layers of neurons whose names match a pattern.

    Raises:
        ValueError: There are none.
    """
    neurons = {name: layer for name, layer in model.named_modules() if is_neuron(type(layer))}
    if not neurons:
        raise ValueError("`model` must have neurons, which are SpikingJelly's, but got a "
                         f'{type(model).__name__} without any.')
    found = {name: layer for name, layer in neurons.items() if fnmatchcase(name, pattern)}
    if not found:
        raise ValueError(f'`layers` must match a layer of neurons, but got {pattern!r}; the {len(neurons)} layers are '
                         f'{some(list(neurons), SHOWN)}.')
    return found


class _Recorder:
    """Keeps what ``wanted`` layers send, and of all neurons the order in which they are called."""

    def __init__(self, neurons: dict[str, nn.Module], wanted: Collection[str]) -> None:
        self.neurons, self.wanted = neurons, wanted
        self.calls: Counter[str] = Counter()
        self.order: dict[str, None] = {}  # by the last call
        self.kept: dict[str, list[Tensor]] = {}
        self.parts: dict[str, tuple[int, int]] = {}  # of a layer, number of the call that is kept and of its regions

    def watch(self, run: Callable[[], Any]) -> None:
        handles = [layer.register_forward_hook(self._hook(name)) for name, layer in self.neurons.items()]
        try:
            run()
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Callable:
        return lambda layer, args, out: self._see(name, out.detach(), layer.step_mode == 's')

    def _see(self, name: str, out: Tensor, single: bool) -> None:
        samples = out.shape[0 if single else 1]
        if not self.calls and samples != 1:
            raise ValueError(f'`run` must predict one sample, but got a batch of {samples}.')
        self.calls[name] += 1
        if not out.numel():  # a head of regions, where an image has none
            return
        self.order.pop(name, None)
        self.order[name] = None
        if name not in self.wanted:
            return
        step = _to_maps(out[0][None] if single else out[:, 0])
        kept = self.kept.get(name)
        if single and kept and kept[0].shape == step.shape:
            kept.append(step)
        elif not kept or step[0].numel() > kept[0][0].numel():
            self.kept[name] = [step]
            self.parts[name] = self.calls[name], samples

    def result(self, name: str) -> LayerSpikes:
        spikes = torch.cat(self.kept[name])
        (call, regions), calls = self.parts[name], self.calls[name]
        parts = [f'region 1 of {regions}'] if regions > 1 else []
        if self.neurons[name].step_mode != 's' and calls > 1:
            parts.insert(0, f'call {call} of {calls}')
        return LayerSpikes(name, spikes, ', '.join(parts))


def _to_maps(x: Tensor) -> Tensor:
    """``[T, C, ...]`` -> ``[T, C, H, W]`` on the CPU, uint8 if that holds it."""
    maps = x.reshape(len(x), -1, 1, 1) if x.ndim < 3 else x[:, :, None] if x.ndim == 3 else x.flatten(3)
    fits = ((maps >= 0) & (maps <= 255) & (maps == maps.round())).all()
    return maps.to('cpu', torch.uint8 if fits else torch.float32, copy=True)
