"""Keys of SEW-ResNet: ``imagenet/sew_resnet.py`` of https://github.com/fangwei123456/Spike-Element-Wise-ResNet.

Older versions of SpikingJelly, with which the weights were written, put ``module.`` between a container and its layers:
``layer1.0.conv1.module.0.weight``. Both forms are read.
"""

import re

_ENTRY = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_LAYER = {'0': 'conv', '1': 'bn'}


def _block(m: re.Match) -> str:
    """Entry 0 of our first stage is the stem."""
    stage, block = int(m[1]) - 1, int(m[2])
    return f'backbone.stages.{stage}.{block + (stage == 0)}'


RULES = [
    (rf'(conv|bn)1\.{_ENTRY}', lambda m: f'backbone.stages.0.0.conv.{m[1]}.{m[2]}'),
    (
        rf'layer([1-4])\.(\d+)\.conv([123])\.(?:module\.)?([01])\.{_ENTRY}',
        lambda m: f'{_block(m)}.branch.{int(m[3]) - 1}.conv.{_LAYER[m[4]]}.{m[5]}',
    ),
    (
        rf'layer([1-4])\.(\d+)\.downsample\.0\.(?:module\.)?([01])\.{_ENTRY}',
        lambda m: f'{_block(m)}.shortcut.conv.{_LAYER[m[3]]}.{m[4]}',
    ),
    (r'fc\.(weight|bias)', lambda m: f'head.fc.{m[1]}'),
]
