"""Fold the norms of a trained model for inference: ``python reparameterize.py CONFIG CHECKPOINT DST.pth --mode fast``.

Writes the folded checkpoint ``DST.pth`` and beside it the config that loads it, ``DST.py``:
``python tools/test.py DST.py DST.pth``. What the modes do stands in :func:`spikemm.models.reparameterize`.
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import save_checkpoint

from spikemm import __version__
from spikemm.engine.checkpoint import load_file
from spikemm.engine.hooks.strict_load_hook import find_misfits
from spikemm.models import reparameterize
from spikemm.models.reparameterize import MODES


def fold(config: str, checkpoint: str, dst: Path, mode: str) -> None:
    """Fold the model of ``config`` with the weights of ``checkpoint``.

    Raises:
        ValueError: The checkpoint is of another model.
    """
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = MODELS.build(cfg.model)
    source = load_file(checkpoint, map_location='cpu')
    weights = source.get('state_dict', source)
    if misfits := find_misfits(model, weights):  # it loads them, too
        raise ValueError(f'{checkpoint} does not fit the model of {config}: {"; ".join(misfits)}.')
    meta = dict(reparameterized=mode, source_file=Path(checkpoint).name, spikemm_version=__version__)
    meta['dataset_meta'] = source.get('meta', {}).get('dataset_meta')  # the classes, which inference names
    save_checkpoint(dict(state_dict=reparameterize(model, mode).state_dict(), meta=meta), str(dst))
    cfg.model = dict(type='spikemm.Reparameterized', mode=mode, model=cfg.model)
    cfg.dump(str(dst.with_suffix('.py')))


def main() -> None:
    parser = argparse.ArgumentParser(description='Fold the norms of a trained model for inference.')
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('dst', type=Path, help='checkpoint to write, .pth; its config goes beside it as .py')
    parser.add_argument('--mode', choices=MODES, default='fast')
    args = parser.parse_args()
    try:
        fold(args.config, args.checkpoint, args.dst, args.mode)
    except (OSError, ValueError) as error:
        parser.exit(1, f'{parser.prog}: {error}\n')
    print(f'{args.dst}\n{args.dst.with_suffix(".py")}')


if __name__ == '__main__':
    main()
