"""The energy of a config's model on real data of every task, and with its accuracy by ``tools/test.py --energy``."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_events import events, write_model
from tiny_tasks import DETECTION, SEGMENTATION, SIZES, write_task

from spikemm.analysis.inputs import config_shape
from spikemm.apis import evaluate, evaluate_config, parse_test_args
from spikemm.apis.energy import measure_config, spread

TEST = """
test_dataloader.update(batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
test_evaluator = dict(type='Accuracy', topk=(1, ))
test_cfg = dict()
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')  # which the command line would set for good
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope='module', params=[DETECTION, SEGMENTATION], ids=['mmdet', 'mmseg'])
def task(request, tmp_path_factory):
    return write_task(tmp_path_factory.mktemp('task'), request.param)


def run_test(config, checkpoint, tmp_path, *flags):
    """Run ``tools/test.py --energy``; return its metrics and the report."""
    args = parse_test_args([
        str(config), str(checkpoint), '--energy', '--work-dir', str(tmp_path / 'work'), *flags,
        '--cfg-options', f'experiment_name={tmp_path.name}'])  # mmengine's loggers are global and go by this name
    metrics = evaluate(evaluate_config(args), str(tmp_path / 'metrics.json'), 'metrics')
    path, = (tmp_path / 'work').rglob('report.json')
    return metrics, json.loads(path.read_text())


def test_a_classifier_is_counted_on_its_test_data(config, checkpoint):
    report = measure_config(Config.fromfile(config), str(checkpoint), num_samples=3)
    assert report.counts.rate > 0 and len(report.counts.sample_acs) == 3
    assert report.source['data'] == 'ImageFolder, 3 of 8 test samples'
    assert str(checkpoint) in report.source['checkpoint'] and 'sha256' in report.source['checkpoint']
    assert report.audit.spike_driven


def test_accuracy_and_energy_of_a_spiking_classifier_stand_together(config, checkpoint, tmp_path):
    config.write_text(config.read_text() + TEST)
    metrics, report = run_test(config, checkpoint, tmp_path)
    assert {'accuracy/top1', 'energy/mJ', 'energy/firing_rate', 'energy/spike_driven'} <= metrics.keys()
    assert json.loads((tmp_path / 'metrics.json').read_text()) == metrics
    assert report['title'] == config.stem
    assert report['metrics'] == {'accuracy/top1': metrics['accuracy/top1']}
    alone = measure_config(Config.fromfile(config), str(checkpoint), num_samples=8)
    assert metrics['energy/mJ'] == pytest.approx(alone.energies['exact'].mj, rel=1e-9)


def test_detection_and_segmentation_are_counted_image_by_image(task):
    config, checkpoint = task
    report = measure_config(Config.fromfile(config), str(checkpoint))
    assert len(report.counts.sample_macs) == len(SIZES)
    assert report.audit.verdict == 'no spikes' and report.counts.unknown == []


def test_energy_stands_with_the_metrics_of_detection_and_segmentation(task, tmp_path):
    metrics, report = run_test(*task, tmp_path)
    assert {'coco/bbox_mAP', 'mIoU'} & metrics.keys() and metrics['energy/macs_G'] > 0
    assert 'energy/firing_rate' not in metrics, 'of a model without neurons'
    alone = measure_config(Config.fromfile(task[0]), str(task[1]))
    assert report['counts']['sample_macs'] == pytest.approx(alone.counts.sample_macs)


@pytest.mark.parametrize('random', [False, True], ids=['recordings', 'random'])
def test_events_are_counted_at_every_time_step(tmp_path, random):
    config, checkpoint = write_model(tmp_path)
    for i in range(2):
        (tmp_path / 'data' / 'fist').mkdir(parents=True, exist_ok=True)
        np.savez(tmp_path / 'data' / 'fist' / f'{i}.npz', **{key: events(seed=i)[key] for key in 'txyp'})
    cfg = Config.fromfile(config)
    cfg.test_dataloader.dataset.update(data_root=str(tmp_path / 'data'), classes=['fist'])
    report = measure_config(cfg, str(checkpoint), num_samples=2, random=random)
    assert report.counts.rate > 0 and report.counts.T == 5
    assert len(report.counts.layers[-1].acs_by_step) == 5


def test_augmented_tests_are_refused_with_energy(config, checkpoint, capsys):
    with pytest.raises(SystemExit):
        parse_test_args([str(config), str(checkpoint), '--energy', '--tta'])
    assert '--energy counts one forward pass a sample' in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_refused(config, checkpoint):
    cfg = Config.fromfile(config)
    cfg.model.head.num_classes = 3
    with pytest.raises(RuntimeError, match='does not fit the model of the config'):
        measure_config(cfg, str(checkpoint), random=True, shape=(3, 32, 32))


def test_of_a_folded_checkpoint_the_config_is_named(config, checkpoint, tmp_path):
    torch.save({'state_dict': {}, 'meta': {'reparameterized': 'spike'}}, tmp_path / 'folded.pth')
    with pytest.raises(RuntimeError, match='It is folded: take the config that'):
        measure_config(Config.fromfile(config), str(tmp_path / 'folded.pth'), random=True, shape=(3, 32, 32))


def test_a_config_without_a_model_is_refused(config):
    cfg = Config.fromfile(config)
    cfg.pop('model')
    with pytest.raises(ValueError, match=r'config must have a model, but .*\.py has none'):
        measure_config(cfg, random=True)


@pytest.mark.parametrize(('length', 'number', 'indices'), [(10, 4, [0, 3, 6, 9]), (3, 64, [0, 1, 2]), (5, 1, [0])])
def test_samples_are_spread_from_the_first_to_the_last(length, number, indices):
    assert spread(length, number) == indices


@pytest.mark.parametrize(('name', 'shape'), [
    ('sdtv2-15m_t1_8xb128-200e_in1k', (3, 224, 224)),  # a crop
    ('sdtv2-tiny_t4_1xb128-300e_cifar10', (3, 32, 32)),  # the crop in training, since tests take images as they are
    ('mask-rcnn_sdtv2-15m_t1_8xb2-1x_coco', (3, 800, 1333)),  # a scale of width and height
    ('fpn_sdtv2-15m_t1_8xb2-160k_ade20k-512x512', (3, 512, 512)),  # of the data preprocessor
    ('sdtv2-nano_t4_1xb64-8e_digit-scenes-events', (4, 2, 32, 32)),  # the sensor
    ('sdtv2-tiny_t16_1xb16-200e_dvs128-gesture', (16, 2, 128, 128))])  # the sensor of the class
def test_random_inputs_have_the_size_that_the_config_says(name, shape):
    path, = (Path(__file__).parents[2] / 'configs').rglob(f'{name}.py')
    assert config_shape(Config.fromfile(path)) == shape
