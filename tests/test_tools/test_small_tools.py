"""Tools that read a config."""

import subprocess
import sys

import pytest
from tool_runs import TOOLS, shell


def test_a_config_is_printed_with_its_overrides(config, tmp_path):
    printed = shell(
        sys.executable, TOOLS / 'misc/print_config.py', config, '--save-path', tmp_path / 'saved.py',
        '--cfg-options', 'a.b=1')
    assert 'a = dict(b=1)' in printed and "type='LeNet5'" in printed
    assert (tmp_path / 'saved.py').read_text() in printed


def test_parameters_and_multiply_accumulates_are_those_worked_out_by_hand(config):
    printed = shell(sys.executable, TOOLS / 'analysis_tools/get_flops.py', config, '--shape', 1, 32, 32)
    # convolutions 6 x 25 x 28 x 28 + 16 x 150 x 10 x 10 + 120 x 400, then 120 x 84 + 84 x 3
    assert 'MACs: 0.000 G (415932)' in printed
    # 6 x 25 + 6, 16 x 150 + 16, 120 x 400 + 120, 84 x 120 + 84, 3 x 84 + 3
    assert 'Parameters: 0.061 M (61111)' in printed


@pytest.mark.parametrize('script', sorted(TOOLS.glob('*.sh')), ids=lambda path: path.name)
def test_launch_scripts_are_valid_and_executable(script):
    assert subprocess.run(['bash', '-n', script]).returncode == 0
    assert script.stat().st_mode & 0o111
