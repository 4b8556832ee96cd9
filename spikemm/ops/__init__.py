"""Operators: the neuron step with its backward, and mmcv's operators where mmcv has no compiled extension."""

from spikemm.ops.mmcv_ext import install_mmcv_ext

__all__ = ['install_mmcv_ext']
