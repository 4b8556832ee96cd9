"""Keys of EMS-YOLO: ``models/common.py`` and ``models/resnet{18,34,34-cat}.yaml`` of
https://github.com/BICLab/EMS-YOLO, whose modules are numbered as in the yaml file.

Module 0 is the stem; 1, 3, 5 and 7 are the first blocks of the stages; 2, 4, 6 and 8 the others, a single block or a
list of them. 9, 10, 11 and 14 are the blocks of the neck, :class:`~spikemm.models.EMSNeck`; 12 and 13, which enlarge
and concatenate, have no weights. Dropped are:

* 15, ``Detect``: its anchors and its convolution a level, the head of a YOLOv3-tiny, which is no model of ours;
* 10 and 14 where they are ``Conv`` (resnet18 and resnet34-cat): their SiLU passes on real numbers. The neck of these
  files is left with 9 and 11, too few for a strict load; their backbone is whole.

The keys of a block are those that the released code makes; a published file, which holds a pickled network instead of
weights, has not been seen by the authors of this file.
"""

import re

_ENTRY = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_BRANCH = {'1': 'branch.conv1.conv', '2.bn': 'branch.conv1.bn', '4': 'branch.conv2.conv', '5.bn': 'branch.conv2.bn'}
# A shortcut that pools first has its convolution one place later than one that concatenates.
_SHORTCUT = {
    '2': 'projection.conv.conv', '3.bn': 'projection.conv.bn', '1': 'projection.conv.conv', '2.bn': 'projection.conv.bn'
}
_NECK = {'9': 'squeeze', '10': 'coarse', '11': 'top_down', '14': 'fine'}


def _block(m: re.Match) -> str:
    """Of the neck, or of a stage; entry 0 of our first stage is the stem."""
    if m[1] in _NECK:
        return f'neck.{_NECK[m[1]]}'
    stage, later = divmod(int(m[1]) - 1, 2)
    return f'backbone.stages.{stage}.{later + int(m[2] or 0) + (stage == 0)}'


_AT = r'model\.([1-9]|1[014])(?:(?<=\.[2468])\.(\d+))?'  # these may be lists

RULES = [
    (rf'model\.0\.(?:(conv)|bn\.(bn))\.{_ENTRY}', lambda m: f'backbone.stages.0.0.convs.0.{m[1] or m[2]}.{m[3]}'),
    (rf'{_AT}\.residual_function\.([14]|[25]\.bn)\.{_ENTRY}', lambda m: f'{_block(m)}.{_BRANCH[m[3]]}.{m[4]}'),
    (rf'{_AT}\.shortcut\.([12]|[23]\.bn)\.{_ENTRY}', lambda m: f'{_block(m)}.{_SHORTCUT[m[3]]}.{m[4]}'),
    (rf'model\.1[04]\.(conv|bn\.bn)\.{_ENTRY}', lambda m: None),
    (r'model\.15\.(anchors|m\.\d\.(weight|bias))', lambda m: None),
]
