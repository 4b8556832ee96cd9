"""Make DigitScenes, the built-in data: an image folder, COCO instances, ADE20K-style label maps, event recordings."""

import argparse

from spikemm.datasets.digit_scenes import (
    generate_classification,
    generate_detection,
    generate_events,
    generate_segmentation,
)

PARTS = {'classification': generate_classification, 'detection': generate_detection,
         'segmentation': generate_segmentation, 'events': generate_events}
OF_ONE_PART = {'size': 'height and width of the images or of the sensor, in pixels',
               'num_train': 'number of training images or recordings',
               'num_val': 'number of validation images or recordings'}


def option(name: str) -> str:
    return f'--{name.replace("_", "-")}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('parts', nargs='*', metavar='PART', help=f'{", ".join(PARTS)}; default: all of them')
    parser.add_argument('--out', default='data/digit_scenes', help='folder of the data; default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='decides the split and every image; default: %(default)s')
    for name, what in OF_ONE_PART.items():
        defaults = ', '.join(f'{make.__kwdefaults__[name]} ({part})' for part, make in PARTS.items())
        parser.add_argument(option(name), type=int, help=f'{what}; needs one PART; default: {defaults}')
    args = parser.parse_args()

    parts = args.parts or list(PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f'there is no part {", ".join(unknown)}; the parts are {", ".join(PARTS)}.')
    options = {name: getattr(args, name) for name in OF_ONE_PART if getattr(args, name) is not None}
    if options and len(parts) > 1:
        given = ', '.join(map(option, options))
        parser.error(f'{given}: size and number of samples belong to one part, but {len(parts)} would be made: '
                     f'{", ".join(parts)}. Name one of them.')
    for part in parts:
        try:
            folder = PARTS[part](args.out, seed=args.seed, **options)
        except (ValueError, OSError) as error:
            parser.error(str(error))
        made = {**PARTS[part].__kwdefaults__, **options}
        print(f'{folder}: {made["num_train"]} train and {made["num_val"]} val samples of {made["size"]} px.')


if __name__ == '__main__':
    main()
