"""Refuse a checkpoint that does not fit the model."""

import re

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from spikemm.registry import HOOKS

KEYS_SHOWN = 3


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Raise where mmengine only warns: keys of the checkpoint or of the model without a partner, or of another shape.

    It acts on test, ``load_from`` and resume, not on ``init_cfg=dict(type='Pretrained', ...)``, which loads parts.

    Example::

        custom_hooks = [dict(type='spikemm.StrictLoadHook')]
    """

    priority = 'VERY_LOW'  # after EMAHook, which swaps the weights of the checkpoint

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        model = runner.model
        if isinstance(model, FullyShardedDataParallel):  # its weights are loaded in shards
            return
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        misfits = find_misfits(model, checkpoint.get('state_dict', checkpoint))
        if misfits:
            raise RuntimeError(
                f'The checkpoint does not fit the model {type(model).__name__}: {"; ".join(misfits)}. Is it of another '
                'architecture? To load what fits, set strict_load=False in the config (or by --cfg-options).'
            )


def find_misfits(model: nn.Module, state: dict) -> list[str]:
    """Load ``state`` and describe, one kind an entry, what does not fit."""
    stripped = type(state)((re.sub(r'^module\.', '', key), value) for key, value in state.items())
    if hasattr(state, '_metadata'):
        stripped._metadata = state._metadata  # versions, by which modules convert old keys
    try:
        missing, unexpected = model.load_state_dict(stripped, strict=False)
        shapes = []
    except RuntimeError as error:  # torch reports shapes alone
        shapes = re.findall(r'size mismatch for (.+?)\.\s*(?=\n|$)', str(error))
        own = model.state_dict()
        missing, unexpected = [key for key in own if key not in stripped], [key for key in stripped if key not in own]
    missing = [key for key in missing if not key.endswith('num_batches_tracked')]
    kinds = {'missing': missing, 'unexpected': unexpected, 'of another shape': shapes}
    return [f'{len(keys)} {kind}, first {", ".join(keys[:KEYS_SHOWN])}' for kind, keys in kinds.items() if keys]
