"""The tools as a user runs them, each run in its own processes, and their flags in this one."""

import json
import pickle
import sys

import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope
from tool_runs import TOOLS, losses, shell

from spikemm.apis import evaluate, evaluate_config, parse_test_args, parse_train_args, train_config

# Mixup mixes the images of one process and a random crop depends on it; LeNet5 has no batch norm and no dropout
DETERMINED = (
    'model.train_cfg=None', 'model.head.loss.use_soft=False', 'train_dataloader.dataset.pipeline.1.padding=None',
    'randomness.seed=0', 'val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')


@pytest.fixture(scope='module')
def distributed(config, tmp_path_factory):
    """Work directory and output of a run of two processes."""
    work_dir = tmp_path_factory.mktemp('distributed')
    options = ('train_dataloader.batch_size=4', 'train_dataloader.num_workers=0', 'sync_bn=torch', *DETERMINED)
    output = shell(
        TOOLS / 'dist_train.sh', config, 2, '--work-dir', work_dir, '--cfg-options', *options, cwd=work_dir)
    return work_dir, output


def test_two_processes_train_as_one_with_their_batch_together(run, tmp_path, distributed):
    work_dir, output = distributed
    run('one', *DETERMINED)
    one, *two = losses(tmp_path / 'one'), losses(work_dir, 0), losses(work_dir, 1)
    assert list(one) == list(two[0]) == list(range(9))
    for iteration, (loss, _) in one.items():
        # equal up to rounding, because the loss is a mean over images and nothing else ties the images of a batch
        assert (two[0][iteration][0] + two[1][iteration][0]) / 2 == pytest.approx(loss, abs=1e-4)
    assert '2 GPUs or processes x 4 samples x 1 accumulated = 8 samples a step' in output


def test_the_log_begins_without_the_noise_of_imports(distributed):
    for noise in ('OneDL', 'faster_coco_eval', 'FileClient', 'HardDiskBackend', 'subnormal'):
        assert noise not in distributed[1]


def test_a_checkpoint_is_evaluated_and_its_metrics_stored(config, tmp_path, distributed):
    checkpoint, out = distributed[0] / 'epoch_3.pth', tmp_path / 'metrics.json'
    shell(
        sys.executable, TOOLS / 'test.py', config, checkpoint, '--amp', '--out', out, '--out-item', 'metrics',
        '--show-dir', 'pictures', cwd=tmp_path)
    assert 0 <= json.loads(out.read_text())['accuracy/top1'] <= 100
    assert list(tmp_path.glob('pictures/*.png'))
    assert list(tmp_path.glob('work_dirs/tiny/*/*.log'))


def test_predictions_are_stored_with_flipping(config, tmp_path, distributed):
    out = tmp_path / 'predictions.pkl'
    init_default_scope('mmdet')
    args = parse_test_args([str(config), str(distributed[0] / 'epoch_3.pth'), '--tta', '--work-dir', str(tmp_path)])
    evaluate(evaluate_config(args), str(out))
    predictions = pickle.loads(out.read_bytes())
    assert len(predictions) == 24 and predictions[0]['pred_score'].shape == (3,)
    assert DefaultScope.get_current_instance().scope_name == 'mmdet', 'the scope of the run must end with it'


def test_one_process_evaluates_what_was_trained_in_shards(config, tmp_path, distributed):
    args = parse_test_args([
        str(config), str(distributed[0] / 'epoch_3.pth'), '--work-dir', str(tmp_path),
        '--cfg-options', 'runner_type=FlexibleRunner', 'strategy.type=FSDPStrategy'])
    assert 'accuracy/top1' in evaluate(evaluate_config(args))


def test_amp_is_bfloat16_on_cpu(run, tmp_path):
    runner = run('amp', '--amp', *DETERMINED)
    run('full', *DETERMINED)
    assert type(runner.optim_wrapper).__name__ == 'CPUAmpOptimWrapper'
    rounded, exact = losses(tmp_path / 'amp')[0][0], losses(tmp_path / 'full')[0][0]
    assert rounded != exact and rounded == pytest.approx(exact, rel=2 ** -6)


def test_the_learning_rate_is_scaled_by_the_batch_with_accumulation(run, tmp_path):
    run('scaled', '--auto-scale-lr', 'auto_scale_lr.base_batch_size=32', 'optim_wrapper.accumulative_counts=3')
    assert losses(tmp_path / 'scaled')[0][1] == pytest.approx(0.05 * 8 * 3 / 32)


def test_scaling_without_a_base_is_refused(run):
    with pytest.raises(ValueError, match=r'auto_scale_lr must give the base_batch_size .* but got None'):
        run('unscaled', '--auto-scale-lr')


def test_a_checkpoint_of_another_architecture_is_refused(run, config, distributed):
    given = f'load_from={distributed[0] / "epoch_3.pth"}'
    with pytest.raises(RuntimeError, match=r'2 of another shape, first backbone.classifier.2.weight: .*\[3, 84\]'):
        run('wider', given, 'model.backbone.num_classes=7')
    keys = r'4 unexpected, first backbone.classifier.0.weight, backbone.classifier.0.bias, backbone.classifier.2.weight'
    with pytest.raises(RuntimeError, match=keys):
        run('headless', given, 'model.backbone.num_classes=-1')
    seven = ('model.backbone.num_classes=7', 'model.data_preprocessor.num_classes=7')
    run('asked for', given, *seven, 'strict_load=False', 'train_cfg.max_epochs=1')


def test_the_work_directory_is_named_after_the_config(config):
    def work_dir(*args):
        return train_config(parse_train_args([str(config), *args])).work_dir

    assert work_dir() == 'work_dirs/tiny'
    assert work_dir('--cfg-options', 'work_dir=a') == 'a'
    assert work_dir('--cfg-options', 'work_dir=a', '--work-dir', 'b') == 'b'


def test_loader_defaults_follow_the_workers_and_the_task_library(config):
    def loader(*options):
        args = parse_train_args([str(config), '--cfg-options', *options])
        return train_config(args).train_dataloader

    assert loader('train_dataloader.num_workers=2').persistent_workers
    assert not loader('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=True').persistent_workers
    assert loader('default_scope=mmpretrain').collate_fn.type == 'default_collate'
    assert 'collate_fn' not in loader('default_scope=mmdet')


@pytest.mark.parametrize(('args', 'message'), [
    (['absent.pth'], "there is no checkpoint 'absent.pth'"),
    ([__file__, '--out-item', 'pred'], '--out-item needs --out'),
])
def test_a_command_line_that_cannot_work_ends_at_once(config, capsys, args, message):
    with pytest.raises(SystemExit):
        parse_test_args([str(config), *args])
    assert message in capsys.readouterr().err


def test_a_launcher_without_its_processes_is_refused(run, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(RuntimeError, match='must be started by torchrun'):
        run('alone', '--launcher', 'pytorch')


def test_what_needs_a_gpu_says_so(run):
    with pytest.raises(ValueError, match=r"strategy must be 'DDPStrategy' or absent .* but got 'FSDPStrategy'"):
        run('sharded', 'runner_type=FlexibleRunner', 'strategy.type=FSDPStrategy')


def test_the_flexible_runner_resumes_too(run, tmp_path):
    run('flexible', 'runner_type=FlexibleRunner', 'train_cfg.max_epochs=2')
    run('flexible', 'runner_type=FlexibleRunner', '--resume')
    run('stock')
    assert list(losses(tmp_path / 'flexible')) == list(range(9))
    assert losses(tmp_path / 'flexible')[8][1] == losses(tmp_path / 'stock')[8][1]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_a_sharded_model_trains_and_resumes(config, tmp_path):
    policy = 'strategy.model_wrapper.auto_wrap_policy'
    sharded = (
        'runner_type=FlexibleRunner', 'strategy.type=FSDPStrategy', 'strategy.state_dict_cfg=full',
        f'{policy}.type=torch.distributed.fsdp.wrap.size_based_auto_wrap_policy', f'{policy}.min_num_params=1000')
    for epochs, resume in (2, ()), (3, ('--resume',)):
        shell(
            TOOLS / 'dist_train.sh', config, 1, '--work-dir', tmp_path, *resume,
            '--cfg-options', *sharded, f'train_cfg.max_epochs={epochs}', cwd=tmp_path)
    assert list(losses(tmp_path)) == list(range(9))
