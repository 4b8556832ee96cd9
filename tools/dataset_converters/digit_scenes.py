"""Make DigitScenes, the built-in data (no download)."""

import argparse

from spikemm.datasets.digit_scenes import generate_classification


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--out', default='data/digit_scenes', help='folder of the data')
    parser.add_argument('--seed', type=int, default=0, help='decides the split and every image')
    parser.add_argument('--size', type=int, default=32, help='height and width of the images, in pixels')
    parser.add_argument('--num-train', type=int, default=24000, help='number of training images')
    parser.add_argument('--num-val', type=int, default=2000, help='number of validation images')
    args = vars(parser.parse_args())
    try:
        folder = generate_classification(**args)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f'{folder}: {args["num_train"]} train and {args["num_val"]} val images of {args["size"]} px.')


if __name__ == '__main__':
    main()
