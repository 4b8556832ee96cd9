"""Officially published weights under our names."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from . import att_ms_resnet, ems_resnet, ms_resnet, sdt_v1, sdt_v2, sew_resnet, spikformer

# Each source has rules: (pattern of the published key, our key as a function of the match). The first that matches the
# whole key is taken; None for our key drops an entry that the published code never uses.
Rules = list[tuple[str, Callable[[re.Match], str | None]]]
SOURCES: dict[str, Rules] = {
    'att-ms-resnet': att_ms_resnet.RULES,
    'ems-resnet': ems_resnet.RULES,
    'ms-resnet': ms_resnet.RULES,
    'sdt-v1': sdt_v1.RULES,
    'sdt-v2': sdt_v2.RULES,
    'sew-resnet': sew_resnet.RULES,
    'spikformer': spikformer.RULES,
}


def convert_state_dict(source: str, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a published checkpoint to those of our classifier, detector or segmentor.

    Args:
        source: Where they come from, one of ``SOURCES``; the module of that name in this package names the code.
        state_dict: Published weights; a prefix ``module.`` is dropped.

    Returns:
        Weights with the prefixes of mmpretrain's ``ImageClassifier``, mmdet's ``MaskRCNN`` or mmseg's
        ``EncoderDecoder``, as their keys have it (classifiers were published without prefixes); pointwise Conv1d
        kernels ``[O, I, 1]``, Conv3d kernels ``[O, I, 1, 1, 1]`` and linear layers ``[O, I]`` that are convolutions
        here become ``[O, I, 1, 1]``.

    Raises:
        ValueError: ``source`` is unknown, a key is not of that source, or two keys would become one.
    """
    if source not in SOURCES:
        raise ValueError(f'source must be one of {sorted(SOURCES)}, but got {source!r}.')
    converted = {}
    for key, value in state_dict.items():
        published = key.removeprefix('module.')
        rule = _find(SOURCES[source], published.removeprefix('backbone.'))
        name = None if rule is None else rule()
        if rule is None or (published.startswith('backbone.') and not (name or '').startswith('backbone.')):
            raise ValueError(f'{key!r} is not a key of {source!r} weights; these are of another model.')
        if name in converted:
            raise ValueError(f'{key!r} of {source!r} weights becomes {name!r}, and so does another key.')
        if name is not None:
            converted[name] = _as_ours(name, value)
    return converted


def _find(rules: Rules, key: str) -> Callable[[], str | None] | None:
    for pattern, ours in rules:
        if m := re.fullmatch(pattern, key):
            return lambda: ours(m)
    return None


def _as_ours(name: str, value: Tensor) -> Tensor:
    if value.ndim == 3:
        return value.unsqueeze(-1)
    if value.ndim == 5:
        return value.squeeze(-1)
    return value[..., None, None] if value.ndim == 2 and name.endswith('.conv.weight') else value
