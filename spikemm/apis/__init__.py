"""Interfaces for users: training and testing a config."""

from spikemm.apis.command_line import evaluate_config, parse_test_args, parse_train_args, train_config
from spikemm.apis.run import evaluate, train

__all__ = ['evaluate', 'evaluate_config', 'parse_test_args', 'parse_train_args', 'train', 'train_config']
