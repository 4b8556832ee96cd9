"""Print a config with everything that it inherits: ``python tools/misc/print_config.py CONFIG``."""

from argparse import ArgumentParser

from mmengine.config import Config, DictAction

import spikemm  # noqa: F401  repairs ``_base_ = 'mmseg::...'``


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--save-path', help='write it to this file (.py, .yml or .json) as well')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings to override')
    args = parser.parse_args()

    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    print(cfg.pretty_text)
    if args.save_path:
        cfg.dump(args.save_path)


if __name__ == '__main__':
    main()
