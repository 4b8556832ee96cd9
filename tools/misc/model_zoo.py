"""Fill in and check the model zoo: the figures in metafile.yml, and the tables of the READMEs.

    python tools/misc/model_zoo.py                             # every metafile of model-index.yml
    python tools/misc/model_zoo.py configs/ann/metafile.yml    # some
    python tools/misc/model_zoo.py --check                     # change nothing; exit 1 if something differs

``Metadata`` gets what a model's structure tells, of one sample in the size that the config tests with:

- ``Parameters``, of the network as trained;
- ``T``, time steps, unless the model has no neurons;
- ``FLOPs``, multiply-accumulates of the network as trained over all ``T``, every product counted as dense, as by
  tools/analysis_tools/get_flops.py;
- ``MACs`` and ``ACs``, which share out the operations of the network that would run: folded as by
  tools/analysis_tools/energy.py, so RepConv is one dense convolution and the sum is not ``FLOPs``. ACs are the
  accumulates if every neuron fired at every step: those of layers that read spikes or sums of spikes (once), and
  products in which one side is spikes. MACs are those of layers that read anything else: the data, potentials, means
  of spikes.

A layer is judged by what its input was made of, never by numbers: models are built on the meta device and have none.
Of two-stage detectors every region that the RPN may propose is counted in the box heads, and every one that may be
detected in the mask heads; box decoding, NMS and sums of spikes (SDSA-1 and 2) are not counted. Of pre-training by
masked images only the parameters are those of encoder and decoder: the encoder alone is counted, on a whole image.

Between ``<!-- zoo -->`` and ``<!-- /zoo -->`` a README has a table, written from the metafile alone. A result has its
``Source``; one of ``ours`` needs ``Command`` and ``Hardware``, too. ``Metadata`` may have a ``Note``.
"""

import argparse
import functools
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
import yaml
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch.overrides import TorchFunctionMode

from spikemm.analysis import OperationCounter
from spikemm.analysis.inputs import build_model, config_shape, random_batch
from spikemm.analysis.trace import Read, Trace, called
from spikemm.models.reparameterize import is_foldable, reparameterize

ROOT = Path(__file__).parents[2]
MARKERS = re.compile(r'(<!-- zoo -->\n)(.*?)(<!-- /zoo -->)', re.DOTALL)
FIGURES = ('T', 'FLOPs', 'MACs', 'ACs', 'Parameters')
AVERAGES = ('mean', 'average pool', 'bilinear resizing', 'bicubic resizing', 'RoIAlign')  # numbers between 0 and 1
COLUMNS = {  # key in the Metadata, and what a number is divided by
    'Note': ('Note', None), 'T': ('T', 1), 'Params (M)': ('Parameters', 1e6), 'MACs (G)': ('MACs', 1e9),
    'ACs at rate 1 (G)': ('ACs', 1e9)}
EXPLAINED = ('- MACs and ACs: over all `T` steps of a sample, were every neuron to fire at every step, as '
             '[model_zoo.py](../../tools/misc/model_zoo.py) says.')
TITLES = {'Top 1 Accuracy': 'Top-1 (%)', 'Top 5 Accuracy': 'Top-5 (%)', 'Power': 'Power (mJ)'}


# What a model's structure tells.


def figures_of(path: Path) -> dict[str, int]:
    """Return the figures of a config's model; ``T`` is missing if it has no neurons."""
    cfg = Config.fromfile(path)
    scope = cfg.get('default_scope', 'mmpretrain')
    if 'teacher' in cfg.model:
        cfg.model.teacher.pretrained = False  # it would be downloaded
    with DefaultScope.overwrite_default_scope(scope), torch.no_grad():
        with torch.device('meta'), _RealRates():
            model = build_model(cfg).to('meta')
        data = model.data_preprocessor(random_batch(scope, config_shape(cfg)), training=False)
        figures = {'Parameters': sum(p.numel() for p in model.parameters())}
        figures['FLOPs'] = sum(_count(model, data)[0].values())
        with torch.device('meta'):
            run = reparameterize(model, 'spike') if is_foldable(model) else model
        dense, T = _count(run, data)
        macs = sum(dense[name] for name, reads in _reads(run, data) if any(map(_multiplies, reads)))
        figures |= {'MACs': macs, 'ACs': sum(dense.values()) - macs}
    return figures if T is None else {'T': T, **figures}


class _RealRates(TorchFunctionMode):
    """Keeps the rates of drop path, which models read one by one, off the meta device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        on_cpu = {'device': 'cpu'} if func is torch.linspace else {}
        return func(*args, **{**(kwargs or {}), **on_cpu})


def _count(model: BaseModel, data: dict) -> tuple[dict[str, int], int | None]:
    """Dense multiply-accumulates of every layer and product, and the time steps of the neurons."""
    with OperationCounter(model) as counter:
        _forward(model, data)
    counts = counter.counts()
    if counts.unknown:
        raise ValueError(f'every operation must be known, but {counts.unknown} is not.')
    return {layer.name: int(layer.dense) for layer in counts.layers}, counts.T if counts.neurons else None


def _reads(model: BaseModel, data: dict) -> list[tuple[str, list[Read]]]:
    with Trace(model) as trace:
        _forward(model, data)
    return list(called(trace.reads))


def _multiplies(read: Read) -> bool:
    """Whether a layer multiplies what it reads: no neuron comes before, or what it reads is no number of spikes."""
    return not read.made.fired or read.level == 'real' or bool(set(read.node.steps).intersection(AVERAGES))


def _forward(model: BaseModel, data: dict) -> None:
    """One forward pass without what follows the last layer."""
    if not getattr(model, 'with_roi_head', False):
        model(**data, mode='tensor')
        return
    model._forward = functools.partial(_detect, model)
    try:
        model(**data, mode='tensor')
    finally:
        del model._forward


def _detect(model: BaseModel, inputs: torch.Tensor, samples: list) -> None:
    """As many regions as there may be, all cut out of the finest map: choosing them takes numbers."""
    maps, head = model.extract_feat(inputs), model.roi_head
    model.rpn_head(maps)
    rois = torch.zeros(model.test_cfg.rpn.max_per_img, 5, device='meta')
    found = rois[:model.test_cfg.rcnn.max_per_img]
    stages = [(i,) for i in range(head.num_stages)] if hasattr(head, 'num_stages') else [()]  # of a cascade
    for at in stages:
        head._bbox_forward(*at, maps[:1], rois)
        if head.with_mask:
            head._mask_forward(*at, maps[:1], found)


# The metafile.


def load(path: Path) -> dict:
    with path.open() as file:
        return yaml.safe_load(file)


def filled_in(text: str, figures: dict[str, dict[str, int]]) -> str:
    """Return a metafile with other figures; all else, comments included, stays as it is.

    Args:
        text: The metafile.
        figures: Of models by name.

    Raises:
        ValueError: A model has no ``Metadata`` of its own.
    """
    head, *models = re.split(r'(?m)^(?= *- Name: )', text)
    block = re.compile(r'(?m)^( +)Metadata:.*\n((?:\1 .*\n)*)')
    for i, model in enumerate(models):
        name = yaml.safe_load(model.splitlines()[0])[0]['Name']
        if name not in figures:
            continue
        found = block.search(model)
        if found is None:
            raise ValueError(f'{name} must have Metadata, but has none.')
        indent, kept = found[1], found[2].splitlines(keepends=True)
        kept = [line for line in kept if line.split(':')[0].strip() not in FIGURES]
        new = [f'{indent}  {key}: {figures[name][key]}\n' for key in FIGURES if key in figures[name]]
        models[i] = f'{model[:found.start()]}{indent}Metadata:\n{"".join(kept + new)}{model[found.end():]}'
    return head + ''.join(models)


def wrong_configs(meta: dict, folder: Path, root: Path) -> list[str]:
    """Models without config, and configs without model."""
    listed = {model['Config'] for model in meta['Models']}
    there = {path.relative_to(root).as_posix() for path in folder.rglob('*.py')}
    lines = [f'{model["Name"]}: there is no config {model["Config"]}'
             for model in meta['Models'] if model['Config'] not in there]
    return lines + [f'{path}: no model in {folder.name}/metafile.yml has it' for path in sorted(there - listed)]


def wrong_results(meta: dict) -> list[str]:
    """Results that do not say where they come from."""
    lines = []
    for model in meta['Models']:
        for result in model.get('Results') or []:
            needed = {'Source', 'Dataset', 'Metrics'}
            needed |= {'Command', 'Hardware'} if result.get('Source') == 'ours' else set()
            lines += [f'{model["Name"]}: a result must have its {key}' for key in sorted(needed - set(result))]
    return lines


# The table of a README.


def table(meta: dict, folder: str) -> str:
    """Return the table of a metafile, and below it how our own results came about.

    Columns of which nothing is known are left out, and the data if all models have the same.
    """
    collections = {collection['Name']: collection for collection in meta['Collections']}
    models = {}
    for model in meta['Models']:
        models.setdefault(_data_of(model, collections[model['In Collection']]), []).append(model)
    data = [name for name, group in models.items() for _ in group]
    models = [model for group in models.values() for model in group]
    columns = {'Model': [f'[{m["Name"]}]({Path(m["Config"]).relative_to(folder).as_posix()})' for m in models]}
    if len(set(data)) > 1:
        columns['Data'] = data
    for title, (key, scale) in COLUMNS.items():
        values = [(model.get('Metadata') or {}).get(key) for model in models]
        columns[title] = ['-' if v is None else v if scale is None else short(v / scale) for v in values]
    results = [(i, result) for i, model in enumerate(models) for result in model.get('Results') or []]
    results.sort(key=lambda entry: entry[1]['Source'] == 'ours')
    for i, result in results:
        for metric, value in result['Metrics'].items():
            title = f'{TITLES.get(metric, metric if "(" in metric else f"{metric} (%)")}, *{result["Source"]}*'
            columns.setdefault(title, ['-'] * len(models))[i] = str(value)
    columns = {title: cells for title, cells in columns.items() if set(cells) != {'-'}}
    aligned = [':---' if title in ('Model', 'Data', 'Note') else ':-:' for title in columns]
    lines = ['', _row(columns), _row(aligned), *map(_row, zip(*columns.values(), strict=True)), '']
    ours = [f'- *ours*, `{models[i]["Name"]}`: `{result["Command"]}`; {result["Hardware"]}.'
            for i, result in results if result['Source'] == 'ours']
    lines += [EXPLAINED] if 'MACs (G)' in columns else []
    return '\n'.join([*lines, *ours, '', ''])


def _data_of(model: dict, collection: dict) -> str:
    names = [result['Dataset'] for result in model.get('Results') or []]
    names += [(entry.get('Metadata') or {}).get('Training Data') for entry in (model, collection)]
    return next(filter(None, names), '-')


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def short(x: float) -> str:
    """Three digits or all that are before the point."""
    return f'{x:,.0f}' if x >= 100 else f'{x:.3g}'


# All of it.


def attempt(path: Path) -> dict[str, int] | str:
    """Return the figures of a config, or what went wrong."""
    try:
        return figures_of(path)
    except Exception as error:  # whatever a model raises; the others are to be counted all the same
        return f'{type(error).__name__}: {error}'.splitlines()[0]


def update(metafiles: list[Path], root: Path, check: bool, jobs: int) -> list[str]:
    """Bring metafiles and READMEs up to date, or with ``check`` only say what differs.

    Args:
        metafiles: Files in folders of ``root``.
        root: What the paths in a metafile go from.
        check: Whether to change nothing.
        jobs: Processes.

    Returns:
        A line for everything that is wrong and was not mended.
    """
    metas = {path: load(path) for path in metafiles}
    configs = [root / model['Config'] for meta in metas.values() for model in meta['Models']]
    configs = [path for path in configs if path.is_file()]
    if jobs > 1:
        with ProcessPoolExecutor(jobs, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            counted = dict(zip(configs, pool.map(attempt, configs), strict=True))
    else:
        counted = {path: attempt(path) for path in configs}
    complaints = []
    for path, meta in metas.items():
        complaints += wrong_configs(meta, path.parent, root) + (unfounded := wrong_results(meta))
        found = {model['Name']: counted.get(root / model['Config']) for model in meta['Models']}
        complaints += [f'{name}: {error}' for name, error in found.items() if isinstance(error, str)]
        found = {name: figures for name, figures in found.items() if isinstance(figures, dict)}
        text = filled_in(path.read_text(), found)
        if check:
            complaints += _differences(meta, found)
        else:
            path.write_text(text)
        if not unfounded:
            complaints += _update_readme(path.parent / 'README.md', yaml.safe_load(text), root, check)
    return complaints


def _differences(meta: dict, found: dict[str, dict[str, int]]) -> list[str]:
    lines = []
    for model in meta['Models']:
        written, counted = model.get('Metadata') or {}, found.get(model['Name'])
        if counted is not None:
            lines += [f'{model["Name"]}: {key} must be {counted.get(key)}, but is {written.get(key)}'
                      for key in FIGURES if written.get(key) != counted.get(key)]
    return lines


def _update_readme(readme: Path, meta: dict, root: Path, check: bool) -> list[str]:
    text = readme.read_text()
    name = readme.relative_to(root)
    if not MARKERS.search(text):
        return [f'{name}: it must have the markers <!-- zoo --> and <!-- /zoo -->']
    wanted = table(meta, readme.parent.relative_to(root).as_posix())
    new = MARKERS.sub(lambda match: match[1] + wanted + match[3], text)
    if new == text:
        return []
    if check:
        return [f'{name}: its table is not that of the metafile']
    readme.write_text(new)
    return []


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('metafiles', nargs='*', type=Path, help='metafiles (default: those of model-index.yml)')
    parser.add_argument('--check', action='store_true', help='change nothing and exit with 1 if something differs')
    parser.add_argument('-j', '--jobs', type=int, default=os.cpu_count(), help='processes (default: one a core)')
    args = parser.parse_args(argv)

    metafiles = args.metafiles or map(Path, load(ROOT / 'model-index.yml')['Import'])
    complaints = update([ROOT / path for path in metafiles], ROOT, args.check, args.jobs)
    print('\n'.join(complaints))
    sys.exit(bool(complaints))


if __name__ == '__main__':
    main()
