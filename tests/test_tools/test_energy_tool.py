"""``energy.py``: what it prints and writes."""

import json
import re
import runpy

import pytest
from tool_runs import TOOLS


@pytest.fixture
def energy(config, tmp_path, capsys):
    """Run the tool on the classifier of this folder; return what it prints and what it writes."""

    def run(*args):
        main = runpy.run_path(str(TOOLS / 'analysis_tools/energy.py'))['main']
        main([str(config), *map(str, args), '--out-dir', str(tmp_path / 'out')])
        return capsys.readouterr().out, json.loads((tmp_path / 'out' / 'report.json').read_text())

    return run


def test_an_ann_costs_the_multiply_accumulates_that_were_worked_out_by_hand(energy, tmp_path):
    printed, report = energy('--num-samples', 5)
    # convolutions 6 x 25 x 28 x 28 + 16 x 150 x 10 x 10 + 120 x 400, then 120 x 84 + 84 x 3
    assert sum(layer['macs'] for layer in report['counts']['layers']) == 415932
    assert len(report['counts']['sample_macs']) == 5
    assert 'no spikes' in printed and '415.9' in printed
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'report.json', 'layers.csv', 'report.html'}


def test_weights_without_a_checkpoint_are_called_untrained(energy):
    assert energy('--num-samples', 2)[0].startswith('weights are untrained: firing rates mean nothing')


def test_random_inputs_need_no_data_and_are_named_first(energy):
    printed, report = energy(
        '--random', '--shape', 1, 32, 32, '--num-samples', 2, '--cfg-options', 'test_dataloader.dataset.data_root=no')
    assert printed.startswith('random input: firing rates mean nothing')
    assert report['random'] and report['source']['data'] == 'random inputs of 1 x 32 x 32'


@pytest.mark.parametrize(('args', 'message'), [
    (['--cfg-options', 'test_dataloader.dataset.data_root=nowhere'], r'nowhere.*--random'),
    (['--cfg-options', 'test_dataloader=None'], r'test_dataloader must have a dataset in .*tiny\.py.*--random'),
    (['--random', '--cfg-options', 'train_dataloader.dataset.pipeline=[]'],
     r'shape must be given for random inputs: .*tiny\.py name no size'),
    (['--random', '--shape', '0'], r'shape must be S, H W, .* but got \[0\]'),
    (['--num-samples', '0'], 'num_samples must be at least 1, but got 0'),
    (['--device', 'gpu'], "device.* gpu"),
    (['--cfg-options', 'model.backbone.type=Nope'], 'Nope is not in')])
def test_a_mistake_is_one_line_that_says_what_to_do(energy, capsys, args, message):
    with pytest.raises(SystemExit) as end:
        energy(*args)
    line = capsys.readouterr().err.splitlines()[-1]
    assert end.value.code == 1 and re.search(message, line)


def test_one_random_input_is_enough(tmp_path, capsys):
    main = runpy.run_path(str(TOOLS / 'analysis_tools/energy.py'))['main']
    main(['mmpretrain::resnet/resnet18_8xb16_cifar10.py', '--random', '--out-dir', str(tmp_path)])
    assert 'counted: 1 sample;' in capsys.readouterr().out


def test_a_shape_of_real_data_is_refused(energy, capsys):
    with pytest.raises(SystemExit):
        energy('--shape', 32)
    assert '--shape needs --random' in capsys.readouterr().err


def test_models_of_the_libraries_are_named_as_in_their_documentation(config, tmp_path, capsys):
    main = runpy.run_path(str(TOOLS / 'analysis_tools/energy.py'))['main']
    main(['mmpretrain::lenet/lenet5_mnist.py', '--random', '--shape', '1', '32', '32', '--num-samples', '2',
          '--out-dir', str(tmp_path)])
    assert '416.5 k' in capsys.readouterr().out, '84 x 7 more than the one of three classes'
