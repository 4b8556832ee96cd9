"""Keys of Att-MS-ResNet, ``Att_Res_SNN`` of https://github.com/BICLab/Attention-SNN."""

from .ms_resnet import BLOCK, block
from .ms_resnet import RULES as _MS_RESNET

_ATTENTION = rf'{BLOCK}\.residual_function\.6\.attention'

RULES = [
    *_MS_RESNET,
    (rf'{_ATTENTION}\.ca\.sharedMLP\.([02])\.weight', lambda m: f'{block(m)}.branch.attention.channel.{m[3]}.weight'),
    (rf'{_ATTENTION}\.sa\.conv\.weight', lambda m: f'{block(m)}.branch.attention.spatial.weight'),
]
