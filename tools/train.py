"""Train a model of any task: ``python tools/train.py CONFIG``."""

from spikemm.apis import parse_train_args, train, train_config

if __name__ == '__main__':
    train(train_config(parse_train_args()))
