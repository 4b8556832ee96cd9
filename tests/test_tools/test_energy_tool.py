"""``energy.py``: what it prints and writes."""

import json
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


def test_data_that_is_missing_is_named_with_the_way_out(energy):
    with pytest.raises(SystemExit, match=r'(?s)nowhere.*--random'):
        energy('--cfg-options', 'test_dataloader.dataset.data_root=nowhere')


def test_a_config_without_a_size_needs_a_shape(energy):
    with pytest.raises(ValueError, match=r'shape must be given for random inputs: .*tiny\.py name no size'):
        energy('--random', '--cfg-options', 'train_dataloader.dataset.pipeline=[]')


def test_a_shape_of_real_data_is_refused(energy, capsys):
    with pytest.raises(SystemExit):
        energy('--shape', 32)
    assert '--shape needs --random' in capsys.readouterr().err


def test_models_of_the_libraries_are_named_as_in_their_documentation(config, tmp_path, capsys):
    main = runpy.run_path(str(TOOLS / 'analysis_tools/energy.py'))['main']
    main(['mmpretrain::lenet/lenet5_mnist.py', '--random', '--shape', '1', '32', '32', '--num-samples', '2',
          '--out-dir', str(tmp_path)])
    assert '416.5 k' in capsys.readouterr().out, '84 x 7 more than the one of three classes'
