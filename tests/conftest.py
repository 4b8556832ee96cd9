"""What every test shares: numeric settings, the marker ``cuda``, and the golden files of the reference code."""

import functools
import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from safetensors.torch import load_file

import spikemm  # noqa: F401  before any test imports mmcv.ops

GOLDEN = Path(__file__).parent / 'data' / 'golden'


def pytest_configure():
    torch.set_num_threads(1)  # models this small are 10 times slower on more, where the cores have other work


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker('cuda'):
                item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))


@pytest.fixture(scope='session')
def golden():
    """``golden('sdt_v2_T1')``: what the reference code computed, as a dict of tensors, and its settings."""

    @functools.cache
    def load(name):
        return load_file(GOLDEN / f'{name}.safetensors'), json.loads((GOLDEN / f'{name}.json').read_text())

    return load


@pytest.fixture(params=[1, 2], ids=['one thread', 'two threads'])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def clean_scope():
    """A test that sets mmengine's default scope must not change where the next one looks types up."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)
