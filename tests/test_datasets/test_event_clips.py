import cv2
import numpy as np
import pytest
from mmpretrain.datasets import CenterCrop, ResizeEdge
from mmpretrain.datasets.transforms import PackInputs

from spikemm.datasets.transforms import GreyToPolarity, LoadFrames, SampleClip
from spikemm.datasets.transforms.event_clips import list_frames
from spikemm.datasets.transforms.on_error import skipped_images

PATHS = [f'{i}.png' for i in range(10)]
OFF, ON, BACKGROUND = 10, 128, 255


def sample(paths, **kwargs):
    return SampleClip(**kwargs)({'frame_paths': paths})['frame_paths']


@pytest.fixture
def frames(tmp_path):
    """Twelve frames of 6 x 4 pixels; frame i has the grey value 10 * i."""
    for i in range(12):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((4, 6), 10 * i, np.uint8))
    return tmp_path


@pytest.mark.parametrize(('start', 'first'), [(0, 0), (0.0, 0), (0.5, 3), (1, 6)])
def test_a_clip_lies_where_its_share_says(start, first):
    assert sample(PATHS, T=4, start=start) == PATHS[first:first + 4]


def test_a_random_clip_is_consecutive_and_reaches_both_ends():
    np.random.seed(0)
    clips = [sample(PATHS, T=8) for _ in range(50)]
    assert {tuple(clip) for clip in clips} == {tuple(PATHS[i:i + 8]) for i in range(3)}


def test_the_seed_of_numpy_decides_the_clip():
    clips = []
    for _ in range(2):
        np.random.seed(3)
        clips.append([sample(PATHS, T=2) for _ in range(5)])
    assert clips[0] == clips[1]


@pytest.mark.parametrize('start', ['random', 0.5, 1.0])
def test_a_recording_that_is_too_short_is_filled_at_its_end(start):
    assert sample(PATHS[:3], T=5, start=start) == [*PATHS[:3], None, None]


def test_frames_of_a_folder_are_in_natural_order(frames):
    assert [path.rpartition('/')[2] for path in list_frames(str(frames))] == [f'{i}.png' for i in range(12)]
    assert SampleClip(T=2, start=1.0)({'frame_dir': str(frames)})['frame_paths'] == [
        str(frames / '10.png'), str(frames / '11.png')]


def test_other_files_of_a_folder_are_no_frames(frames):
    (frames / 'Thumbs.db').touch()
    assert len(list_frames(str(frames))) == 12


def test_a_folder_without_frames_is_named(tmp_path):
    with pytest.raises(ValueError, match=rf'Cannot use the recording {tmp_path} \(it has no frame \(\.png'):
        SampleClip()({'frame_dir': str(tmp_path)})


def test_a_missing_folder_can_be_skipped_and_is_counted(tmp_path):
    before = skipped_images().value
    assert SampleClip(on_error='skip')({'frame_dir': str(tmp_path / 'gone')}) is None
    assert skipped_images().value == before + 1


@pytest.mark.parametrize('wrong', [
    dict(T=0), dict(T=2.5), dict(T=True), dict(start='middle'), dict(start=-0.1), dict(start=1.5)])
def test_a_clip_that_cannot_be_is_refused(wrong):
    (name, value), = wrong.items()
    with pytest.raises(ValueError, match=f'`{name}` must be .* but got {value!r}'):
        SampleClip(**wrong)


def test_frames_become_one_image_with_a_channel_a_time_step(frames):
    results = LoadFrames()({'frame_paths': [str(frames / f'{i}.png') for i in (3, 1)] + [None]})
    assert (results['img'].shape, results['img'].dtype) == ((4, 6, 3), np.uint8)
    assert results['img'][0, 0].tolist() == [30, 10, 0]
    assert results['img_shape'] == results['ori_shape'] == (4, 6)


def test_a_coloured_frame_has_the_grey_of_pillow(tmp_path):
    cv2.imwrite(str(tmp_path / 'red.png'), np.full((2, 2, 3), (0, 0, 255), np.uint8))
    assert LoadFrames()({'frame_paths': [str(tmp_path / 'red.png')]})['img'][0, 0, 0] == 76  # 0.299 * 255, not ON


def test_a_damaged_frame_is_named(frames):
    (frames / '1.png').write_bytes((frames / '1.png').read_bytes()[:30])
    with pytest.raises(ValueError, match=rf'Cannot use the frame {frames}/1\.png'):
        LoadFrames()({'frame_paths': [str(frames / '0.png'), str(frames / '1.png')]})


def test_a_frame_of_another_size_is_named(frames):
    cv2.imwrite(str(frames / '1.png'), np.zeros((5, 6), np.uint8))
    with pytest.raises(ValueError, match=r'1\.png \(it is 6 x 5 pixels, the first of its clip 6 x 4\)'):
        LoadFrames()({'frame_paths': [str(frames / '0.png'), str(frames / '1.png')]})


def test_a_clip_without_a_frame_is_refused():
    with pytest.raises(ValueError, match=r'Cannot use the recording a/b \(`frame_paths` has no frame\)'):
        LoadFrames()({'frame_paths': [None, None], 'frame_dir': 'a/b'})


def test_a_frame_of_16_bits_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / 'deep.png'), np.full((2, 2), 1000, np.uint16))
    with pytest.raises(ValueError, match=r'deep\.png \(its pixels must have 8 bits, but it has the mode I'):
        LoadFrames()({'frame_paths': [str(tmp_path / 'deep.png')]})


@pytest.mark.parametrize(('grey', 'polarity'), [
    (0, [1, 0]), (30, [1, 0]), (31, [0, 0]), (76, [0, 0]), (77, [0, 1]), (198, [0, 1]), (199, [0, 0]), (255, [0, 0])])
def test_grey_becomes_polarity_at_the_released_thresholds(grey, polarity):
    img = GreyToPolarity()({'img': np.full((1, 1, 1), grey, np.uint8)})['img']
    assert img.dtype == np.float32
    assert img[0, 0].tolist() == polarity


def test_channels_are_time_steps_of_two_polarities():
    grey = np.array([[[OFF, ON, BACKGROUND]]], np.uint8)
    assert GreyToPolarity()({'img': grey})['img'][0, 0].tolist() == [1, 0, 0, 1, 0, 0]


def test_missing_frames_are_empty_and_not_black():
    results = {'img': np.full((2, 2, 2), OFF, np.uint8), 'frame_paths': ['0.png', None]}
    assert GreyToPolarity()(results)['img'][1, 1].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize('wrong', [dict(off=-0.1), dict(off=0.5), dict(on=(0.8, 0.4)), dict(on=(0.3, 1.2))])
def test_thresholds_that_overlap_are_refused(wrong):
    with pytest.raises(ValueError, match='`off` and `on` must be'):
        GreyToPolarity(**wrong)


def test_a_normalised_image_is_refused():
    with pytest.raises(TypeError, match=r'`img` must be uint8 \[H, W, T\], but got float32 \[2, 2, 3\]'):
        GreyToPolarity()({'img': np.zeros((2, 2, 3), np.float32)})


def test_image_transforms_work_on_a_clip(tmp_path):
    """A bright square on the left of the first frame is on the left of that step alone, also in the packed sample."""
    for i in range(3):
        frame = np.full((26, 34), BACKGROUND, np.uint8)
        frame[:, :8] = ON if i == 0 else BACKGROUND
        cv2.imwrite(str(tmp_path / f'{i}.png'), frame)
    results = {'frame_dir': str(tmp_path)}
    for step in (SampleClip(T=3), LoadFrames(), ResizeEdge(scale=20, edge='short', interpolation='bicubic'),
                 CenterCrop(crop_size=16), GreyToPolarity(), PackInputs()):
        results = step(results)
    clip = results['inputs'].unflatten(0, (3, 2))  # [T, C, H, W]
    assert clip.shape == (3, 2, 16, 16)
    assert clip[0, 1, :, 0].tolist() == [1] * 16
    assert clip[0, 1, :, 8:].sum() == clip[1:].sum() == 0
