"""Keys of Spike-driven Transformer (V1), https://github.com/BICLab/Spike-Driven-Transformer."""

_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_PARAM = r'(weight|bias)'

RULES = [
    (rf'patch_embed\.proj_(conv|bn)([123]?)\.{_NORM}', lambda m: f'backbone.stages.{m[2] or 0}.0.conv.{m[1]}.{m[3]}'),
    (rf'patch_embed\.rpe_(conv|bn)\.{_NORM}', lambda m: f'backbone.stages.3.1.branch.{m[1]}.{m[2]}'),
    (r'block\.\d+\.attn\.talking_heads\.weight', lambda m: None),  # held, but left out of the forward
    (
        rf'block\.(\d+)\.attn\.(q|k|v|proj)_(conv|bn)\.{_NORM}',
        lambda m: f'backbone.stages.3.{int(m[1]) + 2}.mixer.branch.{m[2]}.{m[3]}.{m[4]}',
    ),
    (
        rf'block\.(\d+)\.mlp\.(fc[12])_(conv|bn)\.{_NORM}',
        lambda m: f'backbone.stages.3.{int(m[1]) + 2}.channels.branch.{m[2]}.{m[3]}.{m[4]}',
    ),
    (rf'head\.{_PARAM}', lambda m: f'head.fc.{m[1]}'),
]
