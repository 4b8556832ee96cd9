"""Keys of EMS-ResNet: ``models/common.py`` and ``models/resnet{18,34,34-cat}.yaml`` of
https://github.com/BICLab/EMS-YOLO, whose modules are numbered as in the yaml file.

Module 0 is the stem; 1, 3, 5 and 7 are the first blocks of the stages; 2, 4, 6 and 8 the others, a single block or a
list of them. From 9 on come neck and head of a YOLOv3-tiny, which is no model of ours: they are dropped. The keys of a
block are those that the released code makes; a published file, which holds a pickled network instead of weights, has
not been seen by the authors of this file.
"""

import re

_ENTRY = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_BRANCH = {'1': 'branch.conv1.conv', '2.bn': 'branch.conv1.bn', '4': 'branch.conv2.conv', '5.bn': 'branch.conv2.bn'}
# A shortcut that pools first has its convolution one place later than one that concatenates.
_SHORTCUT = {
    '2': 'projection.conv.conv', '3.bn': 'projection.conv.bn', '1': 'projection.conv.conv', '2.bn': 'projection.conv.bn'
}


def _block(m: re.Match) -> str:
    """Entry 0 of our first stage is the stem."""
    stage, later = divmod(int(m[1]) - 1, 2)
    return f'backbone.stages.{stage}.{later + int(m[2] or 0) + (stage == 0)}'


_AT = r'model\.([1-8])(?:\.(\d+))?'

RULES = [
    (rf'model\.0\.(?:(conv)|bn\.(bn))\.{_ENTRY}', lambda m: f'backbone.stages.0.0.convs.0.{m[1] or m[2]}.{m[3]}'),
    (rf'{_AT}\.residual_function\.([14]|[25]\.bn)\.{_ENTRY}', lambda m: f'{_block(m)}.{_BRANCH[m[3]]}.{m[4]}'),
    (rf'{_AT}\.shortcut\.([12]|[23]\.bn)\.{_ENTRY}', lambda m: f'{_block(m)}.{_SHORTCUT[m[3]]}.{m[4]}'),
    (r'model\.(9|1\d)\..*', lambda m: None),
]
