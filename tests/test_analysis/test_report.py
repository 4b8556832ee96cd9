"""The energy report: what it says first, and that its files say the same."""

import csv
import json
import re

import pytest
from tiny_reports import NAMES, tiny_report

from spikemm.analysis import EnergyReport, LayerCount

TOTAL = 1000 * 4.6 + (4000 + 200) * 0.9  # pJ, worked out by hand


@pytest.fixture
def saved(tmp_path):
    def save(report):
        report.save(tmp_path)
        return tmp_path

    return save


def test_a_report_reads_back_as_it_was_written(saved):
    report = tiny_report(metrics={'accuracy/top1': 97.0}, memory={'simple': {'total_mj': 1.5}}, unknown=True)
    assert EnergyReport.load(saved(report) / 'report.json') == report


@pytest.mark.parametrize('text', ['{}', '[]', 'name,type', '{"counts": {}}'])
def test_a_file_that_is_no_report_is_named(tmp_path, text):
    (tmp_path / 'other.json').write_text(text)
    with pytest.raises(ValueError, match=r'other\.json must be the report\.json of an energy report'):
        EnergyReport.load(tmp_path / 'other.json')


def test_a_report_without_audit_reads_back(saved):
    report = tiny_report()
    report.audit = None
    assert EnergyReport.load(saved(report) / 'report.json').audit is None


def test_energies_of_stages_add_up_to_the_total_in_json_csv_and_chart(saved):
    report = tiny_report()
    folder = saved(report)
    summary = json.loads((folder / 'report.json').read_text())['summary']
    stages = summary['by_stage_pj']['exact']
    assert sum(sum(map(sum, operations.values())) for operations in stages.values()) == pytest.approx(TOTAL)
    with open(folder / 'layers.csv', newline='') as file:
        assert sum(float(row['energy_exact_pj']) for row in csv.DictReader(file)) == pytest.approx(TOTAL)
    assert sum(map(sum, report.by_operation('exact').values())) == pytest.approx(TOTAL)
    assert 1e9 * summary['mj']['exact'] == pytest.approx(TOTAL)


def test_operations_are_told_apart_by_layer_and_by_what_they_cost():
    shares = tiny_report().by_operation('exact')
    assert shares == {
        'encoding': (pytest.approx(4600), 0), 'attention products': (0, pytest.approx(3600)),
        'linear': (0, pytest.approx(180))}


def test_a_still_image_is_counted_once_and_as_papers_count_it():
    first, = tiny_report().first_layers()
    assert (first['name'], first['once'], first['repeated']) == (NAMES['conv'], 1000, 2000)


def test_random_input_is_the_first_line_and_stamped_across_the_page():
    report = tiny_report(random=True, fires=False)
    assert report.headline()[0] == 'random input: firing rates mean nothing'
    body = report.html().partition('<body')[2]
    assert body.index('random input: firing rates mean nothing') < body.index('<h1>')


def test_untrained_weights_are_stamped_as_well():
    assert 'weights are untrained' in tiny_report(checkpoint='none').headline()[0]
    assert tiny_report().stamps() == []


def test_a_silent_network_is_the_first_line_of_text_and_page():
    report = tiny_report(fires=False)
    assert report.headline()[0].startswith('SILENT NETWORK')
    assert report.html().index('SILENT NETWORK') < report.html().index('spike-driven</b>')


def test_what_was_not_counted_is_named_before_the_energy():
    lines = tiny_report(unknown=True).headline()
    assert 'head.odd (aten.frobnicate)' in lines[0]
    assert [line.partition(':')[0] for line in lines] == ['unknown', 'spike-driven', 'energy', 'counted']


def test_energy_comes_with_its_parts_and_the_spread_over_samples():
    line, counted = tiny_report().headline()[-2:]
    assert line == 'energy: 8.380 nJ a sample (exact): 4.600 nJ in 1.000 k MACs, 3.780 nJ in 4.200 k ACs'
    assert counted.startswith('counted: 2 samples, standard deviation 255 pJ')  # 0.9 * 400 / sqrt(2)


def test_the_table_has_every_layer_stage_and_convention():
    table = tiny_report().table()
    assert all(name in table for name in (*NAMES.values(), 'backbone.stages.0 ', 'paper-spikformer'))


def test_the_page_needs_nothing_from_elsewhere():
    page = tiny_report(metrics={'accuracy/top1': 97.0}).html()
    assert '<svg' in page and '97' in page
    assert not re.search(r'(src|href)="(?!#)|url\((?!#)|@import', page.replace('xlink:href="#', ''))


def test_names_are_shown_as_text_and_never_as_elements():
    page = tiny_report(title='<script>alert(1)</script>').html()
    assert '<script>alert' not in page and '&lt;script&gt;alert' in page


def test_a_figure_that_was_not_measured_is_unknown_everywhere(saved):
    report = tiny_report()
    report.counts.layers[1].rate = report.counts.layers[1].density = float('nan')
    folder = saved(report)
    assert json.loads((folder / 'report.json').read_text())['counts']['layers'][1]['rate'] is None
    loaded = EnergyReport.load(folder / 'report.json')
    assert 'unknown' in loaded.html() and 'unknown' in loaded.table()


def test_the_csv_has_full_precision(saved):
    report = tiny_report()
    report.counts.layers[2].rate = 1 / 3
    with open(saved(report) / 'layers.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert float(rows[2]['rate']) == 1 / 3
    assert set(LayerCount.__dataclass_fields__) - {'acs_by_step', 'rate_by_step'} <= set(rows[0])


def test_figures_with_memory_traffic_are_shown_in_their_units():
    figures = {'total_mj': 0.354, 'weight_read_bytes': 1.3e7, 'not seen': [], 'ops_mj': None}
    page = tiny_report(memory={'simple': figures}).html()
    for name, text in {'total': '354.0 µJ', 'weight read': '13.00 MB', 'not seen': 'none', 'ops': 'unknown'}.items():
        assert f'<dt>{name}</dt><dd>{text}</dd>' in page


def test_the_table_has_memory_traffic_where_it_was_asked_for():
    figures = {'simple': {'total_mj': 1.5, 'memory_mj': 1.25}, 'lemaire': {'unknown': 'two samples'}}
    *_, first, second = tiny_report(memory=figures).table().splitlines()
    assert first.split() == ['simple', '1.500', 'mJ', '1.250', 'mJ']
    assert second.split() == ['lemaire', 'unknown', 'unknown']
    assert 'memory traffic' not in tiny_report().table()
