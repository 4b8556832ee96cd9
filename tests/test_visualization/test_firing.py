"""Pictures of spikes show the spikes that there are."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spikemm.analysis.spikes import LayerSpikes
from spikemm.visualization.firing import MOST_NEURONS, choose_neurons, firing_maps, spike_raster


def spikes(*shape, rate=0.3):
    torch.manual_seed(0)
    return (torch.rand(shape) < rate).to(torch.uint8)


def texts(figure):
    inside = [text.get_text() for ax in figure.axes for text in (*ax.texts, ax.xaxis.label)]
    return [text.get_text() for text in figure.texts] + inside


def maps_of(figure):
    return [np.asarray(image.get_array()) for ax in figure.axes for image in ax.images]


def test_a_map_is_the_mean_over_the_channels_and_the_last_one_over_time():
    x = spikes(3, 8, 4, 5)
    drawn = maps_of(firing_maps([LayerSpikes('layer', x)]))
    expected = x.float().mean(1)
    for picture, rates in zip(drawn, [*expected, expected.mean(0)], strict=True):
        np.testing.assert_allclose(picture, rates, atol=1e-6)


def test_the_rate_of_each_step_is_written_below():
    x = torch.zeros(2, 4, 2, 2, dtype=torch.uint8)
    x[0, 0], x[1, :3] = 1, 1
    written = texts(firing_maps([LayerSpikes('layer', x)]))
    assert {'t = 1', 't = 2', 'mean', '0.25', '0.75', '0.5', 'rate 0.5'} <= {*written}


def test_maps_of_a_layer_share_a_scale_and_those_of_another_do_not():
    figure = firing_maps([LayerSpikes('a', spikes(2, 8, 4, 4)), LayerSpikes('b', spikes(2, 8, 4, 4, rate=0.9))])
    tops = [image.norm.vmax for ax in figure.axes for image in ax.images]
    assert len(tops) == 6 and len({*tops[:3]}) == len({*tops[3:]}) == 1
    assert tops[0] < tops[3]


def test_vectors_are_squares_of_channels():
    x = spikes(1, 7, 1, 1)
    picture, = maps_of(firing_maps([LayerSpikes('layer', x)]))
    assert x.any()
    np.testing.assert_array_equal(picture.ravel()[:7], x.flatten())
    assert picture.shape == (3, 3) and np.ma.masked_invalid(picture).mask.ravel()[7:].all()


def test_a_layer_behind_the_end_of_time_stands_under_the_mean():
    figure = firing_maps([LayerSpikes('a', spikes(3, 2, 4, 4)), LayerSpikes('b', spikes(1, 2, 4, 4))])
    images = [ax for ax in figure.axes if ax.images]
    assert len(images) == 3 + 1 + 1
    assert images[-1].get_position().x0 == pytest.approx(images[3].get_position().x0)


def test_of_many_steps_some_are_drawn_and_that_is_said():
    figure = firing_maps([LayerSpikes('layer', spikes(50, 2, 2, 2))])
    assert len(maps_of(figure)) == 16 + 1
    assert {'t = 1', 't = 50'} <= {*texts(figure)}
    assert any('16 of 50 time steps' in text for text in texts(figure))


@pytest.mark.parametrize('draw, T', [(firing_maps, 1), (firing_maps, 3), (spike_raster, 1), (spike_raster, 3)])
def test_a_silent_layer_says_so(draw, T):
    layers = [LayerSpikes('dead', spikes(T, 8, 4, 4, rate=0)), LayerSpikes('alive', spikes(T, 8, 4, 4))]
    assert 'silent' in texts(draw(layers))
    assert 'silent' not in texts(draw(layers[1:]))


def test_what_the_network_got_comes_first():
    picture = np.full((4, 4, 3), 7, dtype=np.uint8)
    drawn = maps_of(firing_maps([LayerSpikes('layer', spikes(2, 2, 2, 2))], [picture, picture + 1]))
    assert (drawn[0] == 7).all() and (drawn[1] == 8).all()


def test_a_mark_of_a_raster_is_where_a_spike_is():
    x = torch.zeros(4, 3, 1, 2, dtype=torch.uint8)  # 6 neurons
    x[1, 0, 0, 0] = x[3, 2, 0, 1] = x[0, 1, 0, 1] = 1
    ax, = spike_raster([LayerSpikes('layer', x)]).axes
    marks, = ax.collections
    assert sorted(marks.get_offsets().tolist()) == [[1, 3], [2, 0], [4, 5]]  # time step, neuron


def test_ink_is_where_the_marks_are():
    x = torch.zeros(2, 2, 1, 1, dtype=torch.uint8)
    x[1, 0] = 1
    figure = spike_raster([LayerSpikes('layer', x)])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., 0]
    points = {(t, n): figure.axes[0].transData.transform((t, n)).astype(int) for t in (1, 2) for n in (0, 1)}
    dark = {place: picture[-y - 3:-y + 3, x].min() < 128 for place, (x, y) in points.items()}
    assert dark == {(1, 0): False, (1, 1): False, (2, 0): True, (2, 1): False}


def test_one_time_step_is_drawn_as_channels_against_positions():
    x = spikes(1, 5, 2, 3)
    ax, = spike_raster([LayerSpikes('layer', x)]).axes
    picture = np.nan_to_num(np.ma.filled(ax.images[0].get_array(), 0))
    np.testing.assert_array_equal(picture, x[0].flatten(1))
    assert x.any() and ax.get_ylabel() == 'channel'


def test_numbers_have_a_scale_and_spikes_have_none():
    numbers = spike_raster([LayerSpikes('layer', 4 * spikes(2, 3, 2, 2))])
    assert any('values up to 4' in text for text in texts(numbers))
    assert numbers.axes[0].collections[0].norm.vmax == 4
    assert not any('values' in text for text in texts(spike_raster([LayerSpikes('layer', spikes(2, 3, 2, 2))])))


def test_of_many_neurons_some_are_drawn_and_that_is_said():
    figure = spike_raster([LayerSpikes('layer', spikes(2, 16, 16, 16, rate=1.0))])
    assert len(figure.axes[0].collections[0].get_offsets()) == 2 * MOST_NEURONS
    assert any(f'{MOST_NEURONS} of 4096 neurons' in text for text in texts(figure))


def test_the_chosen_neurons_are_spread_over_channels_and_columns():
    chosen = choose_neurons(64 * 64, 64)  # 64 channels of one row of 64 columns: every 64th is in the same column
    np.testing.assert_array_equal(chosen // 64, np.arange(64))
    assert len(np.unique(chosen % 64)) > 40


@pytest.mark.parametrize('number', [1, 99, 100, 199, 200, 201, 5000])
def test_no_neuron_is_chosen_twice(number):
    chosen = choose_neurons(number, 100)
    assert (np.diff(chosen) > 0).all() and chosen.max() < number
    assert len(chosen) == (number if number < 200 else 100)


@pytest.mark.parametrize('draw', [firing_maps, spike_raster])
def test_no_layer_is_refused(draw):
    with pytest.raises(ValueError, match='`layers` must have at least one layer'):
        draw([])
