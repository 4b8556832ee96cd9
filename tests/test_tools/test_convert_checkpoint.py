"""The converter writes a checkpoint that loads strictly, or nothing."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).parents[2]

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='spikemm.MetaSpikeFormer', T=2, arch=dict(preset='15m', embed_dims=(8, 16, 24, 32, 40), num_heads=4)),
    head=dict(type='spikemm.SpikeLinearClsHead', num_classes={num_classes}, in_channels=40))
"""


def convert(src, dst, *args):
    """Run the tool in a process of its own: ``--trust`` must not outlive it."""
    command = [sys.executable, ROOT / 'tools/model_converters/convert_checkpoint.py', 'sdt-v2', src, dst, *args]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope='module')
def published(golden):
    tensors, _ = golden('sdt_v2_T2')
    return {key.removeprefix('state.'): value for key, value in tensors.items() if key.startswith('state.')}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(num_classes=10))
    return path
