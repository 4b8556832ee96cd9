"""Keys of Spikformer: ``imagenet/``, ``cifar10/`` and ``cifar10dvs/`` of https://github.com/ZK-Zhou/spikformer.

Layers are called ``_conv`` in the codes of ImageNet and CIFAR10-DVS, ``_linear`` in that of CIFAR10.
"""

import re

_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_LAYER = rf'(conv|linear|bn)\.{_NORM}'


def _layer(m: re.Match) -> str:
    """Layer and parameter, the last two groups."""
    *_, layer, parameter = m.groups()
    return f'{"bn" if layer == "bn" else "conv"}.{parameter}'


def _block(m: re.Match) -> str:
    """Entries 0 and 1 of the last stage are the patch splitting and the positional convolution."""
    return f'backbone.stages.3.{int(m[1]) + 2}'


RULES = [
    (  # the first stage has no number
        rf'patch_embed\.proj_(conv|bn)([123]?)\.{_NORM}',
        lambda m: f'backbone.stages.{m[2] or 0}.0.conv.{m[1]}.{m[3]}',
    ),
    (rf'patch_embed\.rpe_(conv|bn)\.{_NORM}', lambda m: f'backbone.stages.3.1.branch.{_layer(m)}'),
    (rf'block\.(\d+)\.attn\.(q|k|v|proj)_{_LAYER}', lambda m: f'{_block(m)}.0.branch.{m[2]}.{_layer(m)}'),
    (rf'block\.(\d+)\.mlp\.(fc[12])_{_LAYER}', lambda m: f'{_block(m)}.1.branch.{m[2]}.{_layer(m)}'),
    (r'head\.(weight|bias)', lambda m: f'head.fc.{m[1]}'),
    # LayerNorms, and for CIFAR10-DVS a position embedding, that the published code builds and never calls
    (r'block\.\d+\.norm[12]\.(weight|bias)|norm\.(weight|bias)|pos_embed', lambda m: None),
]
