"""Keys of Spike-driven Transformer V2.

``classification/`` of https://github.com/BICLab/Spike-Driven-Transformer-V2, ``Detection/`` and ``Segmentation/`` of
https://github.com/BICLab/Spike-Driven-Transformer-V3 where the backbone is that of V2.
"""

import re

_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_PARAM = r'(weight|bias)'
_STAGE = {'1_1': 0, '1_2': 1, '2_1': 2, '2_2': 2, '2': 2, '3': 3, '4': 4}


def _stage(m: re.Match) -> str:
    return f'backbone.stages.{_STAGE[m[1]]}'


def _conv_block(m: re.Match) -> str:
    """ConvBlock2_1 and ConvBlock2_2 are the two blocks of one stage; entry 0 of a stage is its downsampling."""
    return f'{_stage(m)}.{2 if m[1] == "2_2" else 1}'


def _block(m: re.Match) -> str:
    return f'{_stage(m)}.{int(m[2]) + 1}'


_REP = {'0': 'conv', '1.bn': 'bn1', '2.0': 'dw', '2.1': 'pw', '2.2': 'bn2'}

_SDT_V2 = [
    (rf'downsample(1_1|1_2|[234])\.encode_(conv|bn)\.{_NORM}', lambda m: f'{_stage(m)}.0.conv.{m[2]}.{m[3]}'),
    (
        rf'ConvBlock([12]_[12])\.0\.Conv\.pwconv(\d)\.{_PARAM}',
        lambda m: f'{_conv_block(m)}.mixer.branch.pw{m[2]}.conv.{m[3]}',
    ),
    (rf'ConvBlock([12]_[12])\.0\.Conv\.bn(\d)\.{_NORM}', lambda m: f'{_conv_block(m)}.mixer.branch.pw{m[2]}.bn.{m[3]}'),
    (rf'ConvBlock([12]_[12])\.0\.Conv\.dwconv\.{_PARAM}', lambda m: f'{_conv_block(m)}.mixer.branch.dw.{m[2]}'),
    (
        rf'ConvBlock([12]_[12])\.0\.(conv|bn)(\d)\.{_NORM}',
        lambda m: f'{_conv_block(m)}.channels.branch.fc{m[3]}.{m[2]}.{m[4]}',
    ),
    (
        rf'block([34])\.(\d+)\.attn\.(q|k|v|proj)_conv\.0\.body\.(0|1\.bn|2\.0|2\.1|2\.2)\.{_NORM}',
        lambda m: f'{_block(m)}.mixer.branch.{m[3]}.{_REP[m[4]]}.{m[5]}',
    ),
    (
        rf'block([34])\.(\d+)\.attn\.(q|k|v|proj)_conv\.1\.{_NORM}',
        lambda m: f'{_block(m)}.mixer.branch.{m[3]}.bn.{m[4]}',
    ),
    (
        rf'block([34])\.(\d+)\.mlp\.(fc\d)_(conv|bn)\.{_NORM}',
        lambda m: f'{_block(m)}.channels.branch.{m[3]}.{m[4]}.{m[5]}',
    ),
    (rf'head\.{_PARAM}', lambda m: f'head.fc.{m[1]}'),
    (rf'head_kd\.{_PARAM}', lambda m: f'head.fc_kd.{m[1]}'),
]

# Detectors and segmentors: neuron and layer are a Sequential there, "1.0" is the layer.
_TASKS = [
    (rf'(neck\.(?:lateral|fpn)_convs\.\d+)\.1\.0\.conv\.{_PARAM}', lambda m: f'{m[1]}.conv.{m[2]}'),
    (rf'(rpn_head\.rpn_(?:conv|cls|reg))\.1\.0\.{_PARAM}', lambda m: f'{m[1]}.{m[2]}'),
    (rf'(roi_head\.bbox_head\.shared_fcs\.\d+)\.1\.0\.{_PARAM}', lambda m: f'{m[1]}.{m[2]}'),
    (rf'roi_head\.bbox_head\.fc_(?:cls|reg)\.{_PARAM}', lambda m: m[0]),
    (rf'(roi_head\.mask_head\.convs\.\d+)\.1\.0\.conv\.{_PARAM}', lambda m: f'{m[1]}.conv.{m[2]}'),
    (rf'(roi_head\.mask_head\.(?:upsample|conv_logits))\.1\.0\.{_PARAM}', lambda m: f'{m[1]}.{m[2]}'),
    (  # an upsampling follows each convolution, here as an entry of the list, there within the convolution's
        rf'(decode_head\.scale_heads\.\d+)\.(\d+)\.1\.0\.(conv|bn)\.{_NORM}',
        lambda m: f'{m[1]}.{2 * int(m[2])}.{m[3]}.{m[4]}',
    ),
    (rf'decode_head\.conv_seg\.{_PARAM}', lambda m: m[0]),
]

RULES = _SDT_V2 + _TASKS
