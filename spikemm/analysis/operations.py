"""Which operators of torch do what, and the names of the layers that call them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

# All of SpikingJelly's; not every one derives from its BaseNode.
NEURONS = tuple(
    module for name, module in vars(neuron).items()
    if isinstance(module, type) and issubclass(module, nn.Module) and 'NonSpiking' not in name)


@cache
def is_neuron(module_type: type) -> bool:
    return issubclass(module_type, NEURONS)


# Operators that read weights or multiply activations with each other; names without overload and trailing underscore.
CONVOLUTIONS = ('aten.convolution',)
PRODUCTS = ('aten.mm', 'aten.addmm', 'aten.bmm', 'aten.baddbmm', 'aten.mv', 'aten.addmv', 'aten.dot', 'aten.vdot')
ATTENTION = (
    'aten._scaled_dot_product_flash_attention_for_cpu', 'aten._scaled_dot_product_flash_attention',
    'aten._scaled_dot_product_efficient_attention', 'aten._scaled_dot_product_cudnn_attention')
DEFORMABLE = ('torchvision.deform_conv2d',)
WEIGHTED = CONVOLUTIONS + PRODUCTS + ATTENTION + DEFORMABLE

# The rest by what it does to numbers. What torch tags as pointwise and stands nowhere here is NONLINEAR.
ADD = {f'aten.{name}' for name in (
    'add', 'sub', 'rsub', 'sum', 'cumsum', 'addcmul', 'addcdiv', 'neg', 'abs', 'lerp', 'index_add', 'scatter_add')}
AVERAGE = {f'aten.{name}' for name in (
    'mean', 'avg_pool1d', 'avg_pool2d', 'avg_pool3d', '_adaptive_avg_pool2d', '_adaptive_avg_pool3d')}
MULTIPLY = {'aten.mul', 'aten.div', 'aten.square', 'aten.reciprocal', 'aten.addcmul', 'aten.addcdiv', 'aten.lerp'}
NORM = {f'aten.{name}' for name in (
    'native_batch_norm', '_native_batch_norm_legit', '_native_batch_norm_legit_no_training', 'cudnn_batch_norm',
    'batch_norm_elemt', '_batch_norm_with_update', 'native_layer_norm', 'native_group_norm', '_fused_rms_norm',
    'var', 'var_mean', 'std', 'norm', 'linalg_vector_norm')}
NONLINEAR = {f'aten.{name}' for name in (
    '_softmax', '_log_softmax', '_safe_softmax', 'logsumexp', 'hardswish', 'hardsigmoid', 'hardtanh', 'prod',
    'cumprod', 'logcumsumexp', '_euclidean_dist', '_cdist_forward', 'glu', '_prelu_kernel', 'rrelu_with_noise')}
INTERPOLATE = {f'aten.{name}' for name in (
    'upsample_linear1d', 'upsample_bilinear2d', '_upsample_bilinear2d_aa', 'upsample_trilinear3d',
    'upsample_bicubic2d', '_upsample_bicubic2d_aa', 'grid_sampler_2d', 'grid_sampler_3d')} | {
    'torchvision.roi_align', 'torchvision.ps_roi_align'}
COMPARE = {f'aten.{name}' for name in (
    'relu', 'leaky_relu', 'clamp', 'clamp_min', 'clamp_max', 'relu6', 'threshold', 'maximum', 'minimum', 'fmax',
    'fmin', 'max', 'min', 'amax', 'amin', 'aminmax', 'argmax', 'argmin', 'sort', 'argsort', 'topk', 'kthvalue',
    'median', 'max_pool2d_with_indices', 'max_pool3d_with_indices', 'max_pool1d', 'adaptive_max_pool2d',
    'adaptive_max_pool3d', 'where', 'sign', 'round', 'floor', 'ceil', 'trunc', 'frac', 'isnan', 'isinf', 'isfinite',
    'searchsorted', 'bucketize', 'any', 'all', 'equal', 'unique_dim', '_unique2', 'unique_consecutive', 'histc',
    'bincount', 'cummax', 'cummin', 'allclose', 'isclose', 'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'heaviside')} | {
    'torchvision.nms', 'torchvision.roi_pool', 'torchvision.ps_roi_pool'}
MOVE = {f'aten.{name}' for name in (
    'cat', 'stack', 'copy', 'clone', '_to_copy', 'index', 'index_select', 'index_put', '_index_put_impl',
    '_unsafe_index', '_unsafe_index_put', 'index_copy', 'index_fill', 'gather', 'scatter', 'scatter_reduce', 'take',
    'masked_fill', 'masked_select', 'masked_scatter', 'constant_pad_nd', 'reflection_pad1d', 'reflection_pad2d',
    'reflection_pad3d', 'replication_pad1d', 'replication_pad2d', 'replication_pad3d', '_pad_circular', 'repeat',
    'repeat_interleave', 'roll', 'flip', 'rot90', 'fill', 'zero', 'new_empty', 'new_full', 'new_zeros', 'new_ones',
    'full_like', 'zeros_like', 'ones_like', 'nonzero', 'count_nonzero', 'embedding', 'one_hot', 'tril', 'triu',
    'contiguous', 'resize', 'upsample_nearest1d', 'upsample_nearest2d', 'upsample_nearest3d',
    '_upsample_nearest_exact1d', '_upsample_nearest_exact2d', 'pixel_shuffle', 'pixel_unshuffle', 'channel_shuffle',
    'im2col', 'col2im', '_local_scalar_dense', 'item', 'is_nonzero', 'lift_fresh', 'lift', 'native_dropout',
    'bernoulli', 'diag', 'diag_embed', '_assert_async', 'set', 'detach', 'alias', 'tolist', 'normal', 'uniform',
    'random', 'exponential', '_unsafe_view', 'unfold_copy', 'split_with_sizes_copy', 'native_channel_shuffle',
    '_reshape_copy', 'view_copy', 'meshgrid', 'unsafe_split', 'unsafe_split_with_sizes')}
CATEGORIES = {
    'norm': NORM, 'multiply': MULTIPLY, 'add': ADD | AVERAGE, 'nonlinear': NONLINEAR, 'interpolate': INTERPOLATE,
    'compare': COMPARE, 'move': MOVE}


def operator_name(func: torch._ops.OpOverload) -> str:
    """``aten.add_.Tensor`` -> ``aten.add``."""
    return f'{func.namespace}.{func._opname}'.rstrip('_')


def category_of(func: torch._ops.OpOverload) -> str | None:
    """What an operator does to numbers, one of ``CATEGORIES``' keys; None where nobody knows."""
    name = operator_name(func)
    for category, names in CATEGORIES.items():
        if name in names:
            return category
    if func.is_view or torch.Tag.inplace_view in func.tags:
        return 'move'
    return 'nonlinear' if torch.Tag.pointwise in func.tags else None


def tensors_in(*args) -> Iterator[Tensor]:
    """The tensors among arguments of an operator or a module, in lists and dictionaries, too."""
    for arg in args:
        if isinstance(arg, Tensor):
            yield arg
        elif isinstance(arg, list | tuple):
            yield from tensors_in(*arg)
        elif isinstance(arg, dict):
            yield from tensors_in(*arg.values())


@dataclass
class _Call:
    """A module that is running."""

    name: str
    module: nn.Module
    products: int = 0


class LayerNames:
    """Which module of a model is running, and whose weight a tensor is; counting and auditing share it.

    Within a ``with`` it listens to the calls of modules. What happens outside a forward pass of ``model`` itself
    concerns nobody.

    Args:
        model: The model.
        on_start: Called before a forward pass of ``model`` with its positional and its keyword arguments.
        on_end: Called after it, if it did not fail.
        on_neuron: Called after every layer of neurons with its name, the module and its output.
    """

    def __init__(
        self,
        model: nn.Module,
        on_start: Callable[[tuple, dict], None],
        on_end: Callable[[], None],
        on_neuron: Callable[[str, nn.Module, Tensor], None],
    ) -> None:
        self.model = model
        self.on_start, self.on_end, self.on_neuron = on_start, on_end, on_neuron
        self.calls: list[_Call] = []
        self.ran: dict[str, nn.Module] = {}  # in this pass
        self.neurons_running = 0
        self.handles = []

    def __enter__(self) -> 'LayerNames':
        self.fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # of attention, one operator that hides its layers
        self.names = {module: name for name, module in self.model.named_modules()}
        self.weights: dict[int, list[str]] = {}
        for module, name in self.names.items():
            for key, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None and tensor.numel() and tensor.layout == torch.strided:
                    owner = name if key == 'weight' and name else f'{name}.{key}'.removeprefix('.')
                    self.weights.setdefault(storage(tensor), []).append(owner)
        self.derived = WeakTensorKeyDictionary()
        self.calls = []
        self.handles = [self.model.register_forward_pre_hook(self._start, with_kwargs=True, prepend=True)]
        for module in filter(self._is_watched, self.names):
            self.handles += [module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave)]
        return self

    def _is_watched(self, module: nn.Module) -> bool:
        """Hooks cost more than a small layer: torch's own have none, their weights tell their names, unless shared."""
        if isinstance(module, torch.jit.ScriptModule):  # which takes none
            return False
        if type(module).__module__.startswith('torch.nn.') and not any(module.children()) and module is not self.model:
            return any(len(self.owners(weight)) > 1 for weight in module.parameters())
        return True

    def __exit__(self, *error) -> None:
        torch.backends.mha.set_fastpath_enabled(self.fast_path)
        for handle in self.handles:
            handle.remove()
        self.calls, self.neurons_running = [], 0

    def _start(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        self.on_start(args, kwargs)

    def _enter(self, module: nn.Module, args: tuple) -> None:
        if module is self.model:
            self.calls, self.ran, self.neurons_running = [], {}, 0  # also after a pass that failed
        elif not self.calls:  # a part alone, such as a data preprocessor before the model
            return
        self.calls.append(_Call(self.names[module], module))
        self.ran[self.names[module]] = module
        self.neurons_running += is_neuron(type(module))

    def _leave(self, module: nn.Module, args: tuple, output) -> None:
        if not self.calls:
            return
        while self.calls and self.calls.pop().module is not module:  # calls that were left by an exception
            pass
        if is_neuron(type(module)):
            self.neurons_running = sum(is_neuron(type(call.module)) for call in self.calls)
            if not self.neurons_running:
                self.on_neuron(self.names[module], module, output)
        if module is self.model:
            self.on_end()

    @property
    def running(self) -> bool:
        """Whether a forward pass is under way, outside its neurons."""
        return bool(self.calls) and not self.neurons_running

    @property
    def module(self) -> str:
        """Name of the innermost module that is running."""
        return self.calls[-1].name

    def of_weight(self, tensor: Tensor) -> str | None:
        """Name of the layer whose weight ``tensor`` is, or a view of it; None for activations."""
        names = self.weights.get(storage(tensor))
        if names is None:
            return self.derived.get(tensor) if self.derived else None
        return self.module if self.module in names else names[0]

    def derive(self, tensor: Tensor, name: str | None) -> None:
        """Note that ``tensor`` was made of the weight of this name alone, as in mixed precision: it is one, too."""
        if name is not None and self.of_weight(tensor) is None:
            self.derived[tensor] = name

    def owners(self, weight: Tensor) -> list[str]:
        """Names that a weight has; several if layers share it."""
        return self.weights.get(storage(weight), [])

    def of_product(self) -> str:
        """Name of the next product that the innermost module computes."""
        call = self.calls[-1]
        call.products += 1
        return f'{call.name}.product_{call.products}'.lstrip('.')


def storage(tensor: Tensor) -> int:
    """Where the memory of a tensor begins, whatever part of it the tensor shows."""
    if tensor.layout != torch.strided:
        return id(tensor)
    memory = tensor.untyped_storage()
    return memory._cdata if tensor.is_meta else memory.data_ptr()  # on the meta device nothing lies anywhere
