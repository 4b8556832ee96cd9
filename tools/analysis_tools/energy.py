"""Energy of a config's model, layer by layer, and whether it is spike-driven: ``energy.py CONFIG CHECKPOINT``.

    python tools/analysis_tools/energy.py CONFIG CHECKPOINT --num-samples 200  # on test data of the config
    python tools/analysis_tools/energy.py CONFIG CHECKPOINT --random           # without data
    python tools/analysis_tools/energy.py mmpretrain::resnet/resnet18_8xb32_in1k.py --random  # of an installed library

Prints a table and writes report.html, report.json and layers.csv. Of samples that are evenly spread over the test data,
every operation is counted that really happens, per layer and time step. What is counted, the energy models and the
conventions stand in docs/energy.md.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.hub import get_config

from spikemm.analysis.energy import CONVENTIONS, ENERGY_MODELS
from spikemm.analysis.inputs import input_shape
from spikemm.analysis.measure import GRAPHS
from spikemm.analysis.report import EnergyReport
from spikemm.apis.command_line import check_checkpoint, one_line_errors
from spikemm.apis.energy import measure_config
from spikemm.engine.checkpoint import TRUST
from spikemm.engine.cpu import flush_denormals


def new_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or one of an installed library as library::folder/name.py')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file or URL; without one the weights are untrained')
    parser.add_argument('--num-samples', type=int, help='samples to count (default: 64, of random inputs 1)')
    parser.add_argument('--random', action='store_true', help='random inputs: firing rates mean nothing')
    parser.add_argument(
        '--shape', type=int, nargs='+',
        help='of random inputs: S, H W, C H W or T C H W (default: as the pipelines of the config say)')
    parser.add_argument(
        '--graph', choices=GRAPHS, default='auto',
        help='the model as trained, or folded as by tools/model_converters/reparameterize.py; auto (default) is spike '
             'where there is something to fold')
    parser.add_argument(
        '--convention', choices=list(CONVENTIONS), default='exact',
        help='how operations are counted in the headline; the report has all (default: exact)')
    parser.add_argument(
        '--energy-model', choices=list(ENERGY_MODELS), default='45nm', help='energy of an operation (default: 45nm)')
    parser.add_argument('--memory', action='store_true', help="SpikingJelly's energy models of memory traffic, too")
    parser.add_argument('--out-dir', help='folder of the report (default: work_dirs/<config name>/energy)')
    parser.add_argument('--device', help='device such as cpu or cuda:0 (default: the GPU if there is one)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings to override')
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='unpickle whatever a checkpoint holds, code included; without it such a file is refused')
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = new_parser()
    args = parser.parse_args(argv)
    if args.shape and not args.random:
        parser.error('--shape needs --random')
    if args.checkpoint:
        check_checkpoint(parser, args.checkpoint)
    if args.trust_checkpoint:
        os.environ[TRUST] = '1'
    if args.num_samples is None:
        args.num_samples = 1 if args.random else 64
    flush_denormals()
    with one_line_errors(parser):
        report, out_dir = count(args)
        report.save(out_dir)
    print(report.table())
    print(f'\nReport: {out_dir / "report.html"}, report.json and layers.csv beside it')


def count(args: argparse.Namespace) -> tuple[EnergyReport, Path]:
    """Return the report that the command line asks for, and its folder."""
    cfg = get_config(args.config) if '::' in args.config else Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    out_dir = Path(args.out_dir or Path(cfg.get('work_dir') or Path('work_dirs') / Path(cfg.filename).stem) / 'energy')
    out_dir.mkdir(parents=True, exist_ok=True)  # not after a long count only to find that it cannot be written
    try:
        report = measure_config(
            cfg, args.checkpoint, num_samples=args.num_samples, random=args.random,
            shape=input_shape(args.shape) if args.shape else None, device=args.device, graph=args.graph,
            memory=args.memory, convention=args.convention, energy_model=args.energy_model)
    except FileNotFoundError as error:
        if args.random:
            raise
        raise FileNotFoundError(f'{error}; without the data, random inputs can be counted: --random') from error
    return report, out_dir


if __name__ == '__main__':
    main()
