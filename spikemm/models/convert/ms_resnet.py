"""Keys of MS-ResNet, ``models/MS_ResNet.py`` of https://github.com/Ariande1/MS-ResNet."""

import re

_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_PARAM = r'(weight|bias)'
BLOCK = r'conv([2-5])_x\.(\d+)'
_LAYER = {'1': 'conv1.conv', '2.bn': 'conv1.bn', '4': 'conv2.conv', '5.bn': 'conv2.bn'}


def block(m: re.Match) -> str:
    """Entry 0 of the first stage is the stem."""
    stage = int(m[1]) - 2
    return f'backbone.stages.{stage}.{int(m[2]) + (stage == 0)}'


RULES = [
    # The stem of 18 and 34 is a convolution and its norm, that of 104 three convolutions and the norm of the last.
    (rf'conv1\.([012])\.{_PARAM}', lambda m: f'backbone.stages.0.0.convs.{m[1]}.conv.{m[2]}'),
    (rf'conv1\.([13])\.bn\.{_NORM}', lambda m: f'backbone.stages.0.0.convs.{int(m[1]) - 1}.bn.{m[2]}'),
    (rf'{BLOCK}\.residual_function\.([14])\.(weight)', lambda m: f'{block(m)}.branch.{_LAYER[m[3]]}.{m[4]}'),
    (rf'{BLOCK}\.residual_function\.([25]\.bn)\.{_NORM}', lambda m: f'{block(m)}.branch.{_LAYER[m[3]]}.{m[4]}'),
    # An average pooling without parameters may come before the convolution of a shortcut.
    (rf'{BLOCK}\.shortcut\.[01]\.(weight)', lambda m: f'{block(m)}.projection.conv.conv.{m[3]}'),
    (rf'{BLOCK}\.shortcut\.[12]\.bn\.{_NORM}', lambda m: f'{block(m)}.projection.conv.bn.{m[3]}'),
    (rf'fc\.{_PARAM}', lambda m: f'head.fc.{m[1]}'),
]
