"""``compare_energy.py``: several reports in one chart and one table."""

import runpy
import sys

import pytest
from tiny_reports import tiny_report
from tool_runs import TOOLS

from spikemm.analysis import energy_of


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Run the tool on reports and return what it prints; the chart is ``chart.png``."""

    def run(reports, *flags):
        paths = [report.save(tmp_path / str(i)) / 'report.json' for i, report in enumerate(reports)]
        out = tmp_path / 'charts' / 'chart.png'
        monkeypatch.setattr(sys, 'argv', ['compare_energy.py', *map(str, paths), '--out', str(out), *flags])
        runpy.run_path(str(TOOLS / 'analysis_tools/compare_energy.py'))['main']()
        assert out.read_bytes().startswith(b'\x89PNG')
        return capsys.readouterr().out

    return run


def test_models_are_listed_with_what_they_reach_and_cost(compare):
    printed = compare([tiny_report(title='a', metrics={'top1': 70.5})], '--y', 'top1')
    assert '| 1 | a | 70.5 | 8.380 nJ | 1.000 k | 4.200 k | 0.500 | spike-driven |' in printed


def test_the_thriftiest_model_comes_first(compare):
    cheap, dear = tiny_report(title='cheap'), tiny_report(title='dear')
    for layer in dear.energies['exact'].layers:
        layer.ac_pj *= 10
    printed = compare([dear, cheap])
    assert printed.index('| 1 | cheap') < printed.index('| 2 | dear')


def test_random_input_is_marked(compare):
    assert 'a **(random input)**' in compare([tiny_report(title='a', random=True)])


def test_the_energy_of_an_ann_is_in_no_doubt_for_its_input(compare):
    ann = tiny_report(title='ann', random=True)
    ann.counts.neurons = []
    assert '| ann |' in compare([ann])


def test_a_metric_that_a_report_lacks_is_refused_with_those_it_has(compare, capsys):
    with pytest.raises(SystemExit):
        compare([tiny_report(metrics={'top1': 70.0})], '--y', 'mIoU')
    assert "must be one of ['top1', 'parameters']" in capsys.readouterr().err


def test_prices_of_two_energy_models_are_not_compared(compare, capsys):
    other = tiny_report()
    other.energies['exact'] = energy_of(other.counts, 'exact', '45nm-int8')
    with pytest.raises(SystemExit):
        compare([tiny_report(), other])
    assert 'one energy model' in capsys.readouterr().err
