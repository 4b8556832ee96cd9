"""Operators: the neuron step with its backward, and mmcv's operators where mmcv has no compiled extension."""


def install_mmcv_ext() -> None:
    pass
