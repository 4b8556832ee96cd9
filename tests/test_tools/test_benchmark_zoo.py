"""``benchmark_zoo.py``: its table."""

import re
import sys

import pytest
from tool_runs import TOOLS, shell


def test_models_are_compared_side_by_side():
    printed = shell(
        sys.executable, TOOLS / 'analysis_tools/benchmark_zoo.py', '--models', 'sdt-8-384', '--T', 1, '--size', 32,
        '--rounds', 2, '--threads', 1)
    row = next(line for line in printed.splitlines() if line.startswith('| sdt-8-384 |'))
    _, T, ours, theirs, weights, ratio = row.strip('| ').split(' | ')
    assert T == '1' and weights == 'as many' and float(ours) == pytest.approx(float(theirs), abs=0.02)
    assert re.fullmatch(r'\d+\.\d\d \(\d+\.\d\d-\d+\.\d\d\)', ratio)
