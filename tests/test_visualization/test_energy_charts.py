"""Charts of energy, and the numbers on them."""

import re
import xml.etree.ElementTree as ET

import pytest

from spikemm.visualization.energy_charts import Point, comparison_chart, energy_bars, shade, to_svg
from spikemm.visualization.units import energy_text, rate_text, si

ROWS = {'stem': {'encoding': (300.0, 0.0)}, 'stage': {'convolution': (0.0, 500.0), 'linear': (10.0, 90.0)}}


def test_the_lengths_of_a_rows_bars_are_its_energies():
    ax, = energy_bars(ROWS).axes
    rows = {at: sum(bar.get_width() for bar in ax.patches if round(bar.get_y() + 0.36) == at) for at in (0, 1)}
    assert rows == {0: 300, 1: 600}
    assert [label.get_text() for label in ax.get_yticklabels()] == ['stem', 'stage']


def test_multiply_accumulates_are_hatched_and_accumulates_are_not():
    ax, = energy_bars(ROWS).axes
    hatched = [bar.get_width() for bar in ax.patches if bar.get_hatch()]
    assert hatched == [300, 0, 10]


def test_a_model_without_energy_has_a_chart():
    assert '0 mJ' in to_svg(energy_bars({'stem': {'convolution': (0.0, 0.0)}}), 'a')


def test_an_svg_is_an_element_that_is_the_same_each_time():
    first, second = (to_svg(energy_bars(ROWS), 'a') for _ in range(2))
    assert ET.fromstring(first).tag.endswith('svg')
    assert first == second


def test_charts_of_a_page_share_no_ids_that_are_used():
    pages = [to_svg(energy_bars(ROWS), salt) for salt in 'ab']
    used = [set(re.findall(r'url\(#(\w+)\)', page)) for page in pages]
    assert used[0] and not used[0] & used[1]


def test_models_in_doubt_are_hollow_and_say_why():
    fig = comparison_chart([Point('good', 2.0, 70), Point('bad', 1.0, 80, 'random input')], 'mJ', 'top-1')
    points = {line.get_label(): line.get_markerfacecolor() for line in fig.axes[0].lines}
    assert points == {'1  bad (random input)': 'white', '2  good': '#0072B2'}


def test_a_higher_rate_is_darker_and_its_number_stays_readable():
    assert shade(0.0)[0] > shade(0.3)[0] > shade(1.0)[0]
    assert (shade(0.0)[1], shade(1.0)[1]) == ('#1f2328', '#ffffff')


@pytest.mark.parametrize(('number', 'text'), [
    (6.44e9, '6.440 G'), (999.96e6, '1.000 G'), (0, '0'), (512, '512'), (0.25, '0.2500'), (None, 'unknown'),
    (float('nan'), 'unknown')])
def test_numbers_have_four_digits_and_a_prefix(number, text):
    assert si(number) == text


@pytest.mark.parametrize(('pj', 'text'), [
    (1.2345e9, '1.234 mJ'), (83.8e3, '83.80 nJ'), (999_990, '1.000 µJ'), (0, '0 mJ'), (0.5, '0.5000 pJ')])
def test_energies_have_the_unit_that_suits_them(pj, text):
    assert energy_text(pj) == text


@pytest.mark.parametrize(('rate', 'text'), [(0.0, '0.000'), (0.12345, '0.123'), (0.0002, '2e-04')])
def test_a_small_rate_is_not_shown_as_none(rate, text):
    assert rate_text(rate) == text
