"""Turn published weights into a checkpoint of ours: ``python convert_checkpoint.py sdt-v2 SRC DST``.

The source is a ``.safetensors`` file or a ``.pth`` with the weights under 'model' or 'state_dict', or as they are. The
result is a plain mmengine checkpoint, ``dict(state_dict=..., meta=...)``, which loads without ``--trust``.
"""

import argparse
import hashlib
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import save_checkpoint
from safetensors import SafetensorError
from torch import Tensor

from spikemm import __version__
from spikemm.engine.checkpoint import TRUST, load_file
from spikemm.engine.hooks.strict_load_hook import find_misfits
from spikemm.models import convert_state_dict
from spikemm.models.convert import SOURCES

BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked')


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a file.

    Raises:
        ValueError: There is something else in it.
    """
    if path.suffix == '.safetensors':
        return safetensors.torch.load_file(path)
    content = load_file(str(path), map_location='cpu')
    for key in ('model', 'state_dict'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f'The file must hold weights by name, but holds a {type(content).__name__} without any.')
    for key, value in content.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'The file must hold weights by name, but {key!r} is a {type(value).__name__}.')
    return dict(content)


def check_fit(state_dict: dict[str, Tensor], config: str) -> None:
    """Raise a ``ValueError`` unless the weights fit the model of a config, key by key and shape by shape."""
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = MODELS.build(cfg.model)
    misfits = find_misfits(model, state_dict)
    if misfits:
        raise ValueError(f'The weights do not fit the model of {config}: {"; ".join(misfits)}.')


def convert(source: str, src: Path, dst: Path, config: str | None = None) -> dict[str, Tensor]:
    """Write the checkpoint, completely or not at all, and return its weights."""
    state_dict = convert_state_dict(source, read_weights(src))
    if config:
        check_fit(state_dict, config)
    digest = hashlib.sha256(src.read_bytes()).hexdigest()
    meta = dict(source=source, source_file=src.name, source_sha256=digest, spikemm_version=__version__)
    save_checkpoint(dict(state_dict=state_dict, meta=meta), str(dst))
    return state_dict


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description='Turn published weights into a checkpoint of ours.')
    parser.add_argument('source', choices=sorted(SOURCES), help='where the weights come from')
    parser.add_argument('src', type=Path, help='published file')
    parser.add_argument('dst', type=Path, help='checkpoint to write, .pth')
    parser.add_argument('--config', help='refuse weights that do not fit the model of this config')
    parser.add_argument(
        '--trust', '--trust-checkpoint', action='store_true',
        help='unpickle whatever the file holds, code included; without it such a file is refused')
    args = parser.parse_args(argv)
    if args.trust:
        os.environ[TRUST] = '1'
    try:
        state_dict = convert(args.source, args.src, args.dst, args.config)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        parser.exit(1, f'{parser.prog}: {args.src}: {error}\n')
    parameters = sum(value.numel() for key, value in state_dict.items() if not key.endswith(BUFFERS))
    print(f'{args.dst}: {len(state_dict)} keys, {parameters:,} parameters.')
    if args.config:
        print(f'They fit the model of {args.config}.')


if __name__ == '__main__':
    main()
