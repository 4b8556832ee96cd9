import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from small_events import events, write_model

from spikemm.apis.inferencers import init_inferencer
from spikemm.apis.inferencers.events import EventInferencer, StreamState
from spikemm.datasets.events import Recording, write_atis

RECORDING = events()


@pytest.fixture
def inferencer(tmp_path):
    return init_inferencer(*write_model(tmp_path), 'cpu')


def inferencer_with(tmp_path, frames: str) -> EventInferencer:
    return init_inferencer(*write_model(tmp_path, frames), 'cpu')


def test_a_recording_is_predicted_by_the_model_on_its_frames(inferencer):
    frames = torch.zeros(5, 1, 2, 34, 34)
    t = RECORDING['t'] - 1000
    np.add.at(frames.numpy(), (np.minimum(t // 10_000, 4), 0, RECORDING['p'], RECORDING['y'], RECORDING['x']), 1)
    with torch.no_grad():
        wanted = inferencer.model(frames).softmax(-1)[0]
    prediction, = inferencer(RECORDING)
    assert wanted.std() > 0.02, 'a dead model, the comparison proves nothing'
    assert prediction['pred_scores'] == pytest.approx(wanted.numpy(), abs=1e-5)
    assert prediction['pred_class'] == ('fist', 'palm', 'wave')[int(wanted.argmax())]


def test_a_file_an_array_and_what_is_read_of_it_are_predicted_alike(inferencer, tmp_path):
    write_atis(tmp_path / 'a.bin', RECORDING)
    results = inferencer([str(tmp_path / 'a.bin'), tmp_path / 'a.bin', RECORDING, Recording(RECORDING, (34, 34), None)])
    assert len({result['pred_scores'].tobytes() for result in results}) == 1
    assert inferencer(Recording(RECORDING, (34, 34), None))[0]['pred_scores'].tobytes() == (
        results[0]['pred_scores'].tobytes())


def test_events_that_numpy_has_packed_are_predicted_alike(inferencer):
    packed = np.concatenate([RECORDING[:9], RECORDING[9:]])
    assert packed.dtype != RECORDING.dtype
    (wanted,), (prediction,) = inferencer(RECORDING), inferencer(packed)
    assert prediction['pred_scores'].tobytes() == wanted['pred_scores'].tobytes()


def test_recordings_differ_and_a_batch_is_as_each_alone(inferencer):
    recordings = [events(seed=seed, number=2000 + 1000 * seed) for seed in range(3)]
    alone = [inferencer(recording)[0]['pred_scores'] for recording in recordings]
    assert len({scores.tobytes() for scores in alone}) == 3, 'a dead model, the comparison proves nothing'
    together = [p['pred_scores'] for p in inferencer(recordings, batch_size=3)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize('frames', [
    'T=5', "T=5, split='number'", "split='duration', duration=9000", "T=3, split='duration', duration=9000",
    "T=8, split='duration', duration=9000", "T=4, kind='binary', size=(32, 32)"])
def test_a_stream_of_the_configs_frames_ends_with_the_prediction_of_a_call(tmp_path, frames):
    inferencer = inferencer_with(tmp_path, frames)
    windows = list(inferencer.stream(RECORDING))
    whole, = inferencer(RECORDING)
    inputs = inferencer.split(inferencer.preprocess(RECORDING)['inputs']).numpy()
    assert whole['pred_scores'].std() > 0.02, 'a dead model, the comparison proves nothing'
    np.testing.assert_array_equal([window['frame'] for window in windows], inputs)
    np.testing.assert_allclose(windows[-1]['pred_scores'], whole['pred_scores'], atol=1e-5)


def test_windows_that_forget_the_neurons_state_end_elsewhere(inferencer):
    windows = list(inferencer.stream(RECORDING))
    frames = torch.from_numpy(np.stack([window['frame'] for window in windows]))
    state = None
    for frame in frames:
        if state is not None:
            state = StreamState(None, state.evidence, state.steps)  # rest
        prediction, state = inferencer.step(frame[None], state)
    assert np.abs(prediction['pred_scores'] - windows[-1]['pred_scores']).max() > 1e-3


def test_windows_have_the_length_asked_for_and_every_event_is_in_one(inferencer):
    windows = list(inferencer.stream(RECORDING, window_us=12_000))
    assert [window['start'] for window in windows] == [1000, 13_000, 25_000, 37_000, 49_000]
    assert [window['end'] for window in windows] == [13_000, 25_000, 37_000, 49_000, 61_000]
    assert sum(window['frame'].sum() for window in windows) == len(RECORDING)
    assert windows[0]['frame'].sum() == (RECORDING['t'] < 13_000).sum()


def test_a_window_without_events_is_an_empty_frame(inferencer):
    pause = np.concatenate([events(length=10_000), events(length=10_000, start=41_000)])
    totals = [window['frame'].sum() for window in inferencer.stream(pause, window_us=10_000)]
    assert totals[0] > 0 and totals[1:4] == [1, 0, 0] and totals[4] > 0  # the first part ends at 11,000 us


@pytest.mark.parametrize('split', ["T=5", "T=5, split='number'", "T=9, split='duration', duration=9000"])
def test_every_event_is_between_the_start_and_the_end_of_its_window(tmp_path, split):
    t, first = np.unique(RECORDING['t'], return_index=True)
    for window in inferencer_with(tmp_path, split).stream(RECORDING[first]):
        assert window['frame'].sum() == ((t >= window['start']) & (t < window['end'])).sum()


def test_a_stream_of_a_part_ends_with_the_prediction_of_a_call(inferencer, tmp_path):
    write_atis(tmp_path / 'a.bin', RECORDING)
    part = dict(event_path=str(tmp_path / 'a.bin'), sensor_size=(34, 34), t_range=(11_000, 41_000))
    windows = list(inferencer.stream(part))
    assert (windows[0]['start'], windows[-1]['end']) == (11_000, 41_000)
    (wanted,), (whole,) = inferencer([part]), inferencer(RECORDING)
    np.testing.assert_allclose(windows[-1]['pred_scores'], wanted['pred_scores'], atol=1e-5)
    assert np.abs(whole['pred_scores'] - wanted['pred_scores']).max() > 1e-3


def test_events_as_a_camera_delivers_them_end_with_the_prediction_of_a_call(inferencer):
    state, pieces = None, np.split(RECORDING, np.searchsorted(RECORDING['t'], 1000 + 10_000 * np.arange(1, 5)))
    for piece in pieces:
        frames = inferencer.to_frames(piece)
        assert frames.shape == (1, 2, 34, 34) and frames.sum() == len(piece) > 0
        prediction, state = inferencer.step(frames, state)
    whole, = inferencer(RECORDING)
    np.testing.assert_allclose(prediction['pred_scores'], whole['pred_scores'], atol=1e-5)


def test_a_camera_may_see_nothing_and_have_another_size(inferencer):
    assert inferencer.to_frames(RECORDING[:0], (40, 50)).shape == (1, 2, 40, 50)
    inferencer.sensor_size = None
    with pytest.raises(ValueError, match='`sensor_size` must be given where the config has none'):
        inferencer.to_frames(RECORDING)


def test_windows_without_number_are_refused(inferencer):
    late = events()
    late['t'][-1] += 3_600_000_000
    with pytest.raises(ValueError, match=r'at most 1,000,000 .* but got 3,600,050 of 1000 us .* wrong time stamp'):
        next(inferencer.stream(late, window_us=1000))


def test_steps_of_several_frames_are_steps_of_one(inferencer):
    frames = inferencer.split(inferencer.preprocess(RECORDING)['inputs'])
    state = None
    for piece in frames.split([2, 3]):
        before = copy.deepcopy(state)
        prediction, after = inferencer.step(piece, state)
        assert state is None or all(torch.equal(v, state.potentials[name]) for name, v in before.potentials.items())
        state = after
    assert state.steps == 5
    np.testing.assert_allclose(prediction['pred_scores'], inferencer(RECORDING)[0]['pred_scores'], atol=1e-5)


def test_with_a_half_life_the_past_counts_less(inferencer):
    windows = list(inferencer.stream(RECORDING))
    forgetful = list(inferencer.stream(RECORDING, half_life=0.01))  # all but the window itself
    for window in forgetful:
        np.testing.assert_allclose(window['pred_scores'], window['window_scores'], atol=1e-6)
    assert np.abs(windows[-1]['pred_scores'] - forgetful[-1]['pred_scores']).max() > 0.01


def test_a_half_life_weighs_logits_by_their_age(inferencer):
    frames = inferencer.split(inferencer.preprocess(RECORDING)['inputs'])
    _, one = inferencer.step(frames[:1])
    _, two = inferencer.step(frames[1:2], one, half_life=1)
    _, equal = inferencer.step(frames[1:2], one)
    torch.testing.assert_close(equal.evidence - two.evidence, one.evidence / 2)
    assert (two.steps, equal.steps) == (1.5, 2)


def test_a_half_life_counts_time_steps_not_calls(inferencer):
    frames = inferencer.split(inferencer.preprocess(RECORDING)['inputs'])
    _, one = inferencer.step(frames[:1])
    _, four = inferencer.step(frames[1:4], one, half_life=1)
    _, equal = inferencer.step(frames[1:4], one)
    torch.testing.assert_close(equal.evidence - four.evidence, one.evidence * 7 / 8)
    assert (four.steps, equal.steps) == (3.125, 4)


def test_two_streams_at_a_time_do_not_mix(inferencer):
    other = events(seed=1, number=2000)
    alone = [window['pred_scores'] for window in inferencer.stream(RECORDING)]
    mixed = [a['pred_scores'] for a, _ in zip(inferencer.stream(RECORDING), inferencer.stream(other), strict=True)]
    np.testing.assert_array_equal(mixed, alone)


def test_it_works_amid_another_task_and_leaves_its_scope(inferencer):
    with DefaultScope.overwrite_default_scope('mmseg'):
        for _ in inferencer.stream(RECORDING):
            assert DefaultScope.get_current_instance().scope_name == 'mmseg'
        inferencer(RECORDING)


def test_describe_and_draw_show_a_recording(inferencer, tmp_path):
    predictions = inferencer([RECORDING, RECORDING])
    assert inferencer.describe(predictions[0], topk=1).split()[1] == predictions[0]['pred_class']
    figure = inferencer.draw([RECORDING, RECORDING], predictions, [0, 1])
    captions = [ax.get_xlabel() for ax in figure.axes]
    assert any('true' in caption for caption in captions)
    picture = figure.axes[0].images[0].get_array()
    assert picture.shape == (34, 34, 3) and picture.std() > 10


@pytest.mark.parametrize('recording, message', [
    (np.zeros(3), 'fields t, x, y, p'), (RECORDING[:0], 'at least one event'), ('nowhere.bin', 'nowhere.bin')])
def test_what_is_no_recording_is_refused(inferencer, recording, message):
    with pytest.raises((ValueError, OSError), match=message):
        inferencer(recording)


def test_windows_and_half_lives_that_mean_nothing_are_refused(inferencer):
    with pytest.raises(ValueError, match='`window_us` must be at least 1, but got 0'):
        inferencer.stream(RECORDING, window_us=0)
    with pytest.raises(ValueError, match='`half_life` must be a positive number'):
        next(inferencer.stream(RECORDING, half_life=0))
    with pytest.raises(ValueError, match=r'`frames` must be \[T, C, H, W\]'):
        inferencer.step(torch.zeros(2, 34, 34))


def test_frames_that_need_other_events_than_their_own_are_refused_in_a_stream(tmp_path):
    inferencer = inferencer_with(tmp_path, "T=5, kind='time_surface', tau=1e4")
    for method in (inferencer.stream, inferencer.to_frames):
        with pytest.raises(ValueError, match=r"`kind` of EventFrames must be one of .* but got 'time_surface'"):
            method(RECORDING)
