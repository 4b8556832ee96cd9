"""``model_zoo.py``: the figures of a model, what it writes, and what it finds wrong."""

import re
import runpy
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import DefaultScope
from small_nets import strengthen
from tool_runs import TOOLS
from torch import nn

from spikemm.analysis import OperationCounter
from spikemm.analysis.inputs import build_model, config_shape, random_batch
from spikemm.analysis.trace import Trace, called
from spikemm.models import reparameterize
from spikemm.neurons import LIF

ZOO = runpy.run_path(str(TOOLS / 'misc/model_zoo.py'))
NANO = 'configs/meta_spikeformer/sdtv2-nano_t4_1xb64-8e_digit-scenes-events.py'
COUNTED = {'T': 2, 'Parameters': 1_234_567, 'FLOPs': 9_000_000, 'MACs': 1_000_000, 'ACs': 8_700_000_000}
META = """# A remark.
Collections:
  - Name: Tiny
    Metadata:
      Training Data: Noise
Models:
  - Name: tiny
    Metadata:
      Note: smaller
      Parameters: 1
    In Collection: Tiny
    Results:
      - Dataset: Noise
        Task: Image Classification
        Metrics:
          Top 1 Accuracy: 61.5
          Power (mJ): 0.5
        Source: paper
      - Dataset: Noise
        Task: Image Classification
        Metrics:
          Top 1 Accuracy: 60.0
        Source: ours
        Command: make demo
        Hardware: a slide rule
    Config: configs/tiny/tiny.py
"""


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A model zoo of one model, as it stands before its figures are known."""
    folder = tmp_path / 'configs/tiny'
    folder.mkdir(parents=True)
    (folder / 'tiny.py').write_text("model = dict(type='Tiny')")
    monkeypatch.setitem(ZOO['update'].__globals__, 'figures_of', lambda path: COUNTED)
    (folder / 'metafile.yml').write_text(META)
    (folder / 'README.md').write_text('# Tiny\n\n<!-- zoo -->\n<!-- /zoo -->\n\nThe end.\n')
    return folder / 'metafile.yml'


def update(metafile: Path, check: bool = False) -> list[str]:
    return ZOO['update']([metafile], metafile.parents[2], check, jobs=1)


def test_the_figures_are_those_of_the_network_when_it_fires():
    cfg = Config.fromfile(TOOLS.parent / NANO)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.no_grad():
        model = build_model(cfg)
        strengthen(model)
        model = reparameterize(model.eval(), 'spike')
        with OperationCounter(model) as counter:
            model(**model.data_preprocessor(random_batch('mmpretrain', config_shape(cfg))), mode='tensor')
    counts = counter.counts()
    assert all(layer.rate is None or layer.rate > 0 for layer in counts.layers), 'a silent layer proves nothing'
    encoding, = (layer.dense for layer in counts.layers if layer.encoding)
    figures = ZOO['figures_of'](TOOLS.parent / NANO)
    assert (figures['T'], figures['MACs']) == (4, encoding)
    assert figures['MACs'] + figures['ACs'] == sum(layer.dense for layer in counts.layers)
    assert {layer.operand for layer in counts.layers if not layer.encoding} <= {'binary', 'scaled', 'integer'}


class EveryReading(nn.Module):
    """Layers named after what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = LIF()
        for name in READINGS:
            setattr(self, name, nn.Linear(8, 8))

    def forward(self, x: torch.Tensor) -> None:
        potentials = self.data(x)
        spikes = self.neuron(potentials)
        self.signs_of_data((x > 0).float())
        self.potentials(potentials)
        self.scaled_spikes(0.5 * spikes)
        self.sums_of_spikes(spikes + self.neuron(-potentials))
        self.means_of_spikes(spikes.mean(0))
        self.spikes_after_a_norm(nn.functional.layer_norm(spikes, (8,)))
        self.spikes_of_means(self.neuron(spikes.mean(1, keepdim=True)))
        self.both_kinds(spikes)
        self.both_kinds(potentials)
        spikes @ potentials.transpose(-2, -1)
        potentials @ potentials.transpose(-2, -1)


READINGS = {
    'data': True, 'signs_of_data': True, 'potentials': True, 'scaled_spikes': False, 'sums_of_spikes': False,
    'means_of_spikes': True, 'spikes_after_a_norm': True, 'spikes_of_means': False, 'both_kinds': True}


def test_what_a_layer_reads_decides_whether_it_multiplies():
    model = EveryReading().to('meta')
    with Trace(model) as trace:
        model(torch.empty(4, 2, 8, device='meta'))
    multiplies = {name: any(map(ZOO['_multiplies'], reads)) for name, reads in called(trace.reads)}
    assert multiplies == {**READINGS, 'product_1': False, 'product_2': True}


def test_of_masked_pre_training_the_encoder_is_counted_on_a_whole_image():
    folder = TOOLS.parent / 'configs/spikformer_v2'
    mae, = folder.glob('mae_spikformerv2-nano_*.py')
    alone, = folder.glob('spikformerv2-nano_t1_*.py')
    mae, alone = map(ZOO['figures_of'], (mae, alone))
    assert (mae['MACs'], mae['ACs']) == (alone['MACs'] - 96 * 10, alone['ACs'])  # without the classifier
    assert mae['Parameters'] > alone['Parameters']  # with the decoder


@pytest.mark.parametrize('folder', ['ems_resnet', 'upernet'])
def test_the_zoo_page_is_up_to_date(folder):
    assert ZOO['update']([TOOLS.parent / 'configs' / folder / 'metafile.yml'], TOOLS.parent, check=True, jobs=1) == []


def test_an_ann_multiplies_and_has_no_time_steps(tmp_path):
    (tmp_path / 'ann.py').write_text("_base_ = 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'")
    figures = ZOO['figures_of'](tmp_path / 'ann.py')
    # 32 x 32 pixels: 3 to 64 channels, four convolutions of 64, in each later stage as much as 3.5 of those and 1 x 1,
    # and 512 to 10 in the end
    of_64 = 64 * 64 * 9 * 32 * 32
    by_hand = 3 * 64 * 9 * 32 * 32 + 4 * of_64 + 3 * (of_64 * 7 // 2 + 64 * 128 * 16 * 16) + 5120
    assert figures == {'Parameters': 11173962, 'FLOPs': by_hand, 'MACs': by_hand, 'ACs': 0}


def test_regions_of_a_detector_are_as_many_as_there_may_be(tmp_path):
    path = TOOLS.parent / 'configs/mask_rcnn/mask-rcnn_sdtv2-nano_t1_1xb8-1e_digit-scenes.py'
    model = Config.fromfile(path).model
    rpn, rcnn = (model.test_cfg[part].max_per_img + 1 for part in ('rpn', 'rcnn'))
    more = f'dict(rpn=dict(max_per_img={rpn}), rcnn=dict(max_per_img={rcnn}))'
    (tmp_path / 'more.py').write_text(f'_base_ = {str(path)!r}\nmodel = dict(test_cfg={more})')
    before, after = (ZOO['figures_of'](p)['FLOPs'] for p in (path, tmp_path / 'more.py'))
    box, mask = model.roi_head.bbox_head, model.roi_head.mask_head
    wide, width = box.fc_out_channels, mask.conv_out_channels
    of_box = box.in_channels * 49 * wide + wide * wide + wide * (box.num_classes + 1) + wide * 4  # class-agnostic
    of_mask = 196 * 9 * width * (mask.in_channels + (mask.num_convs - 1) * width) + 784 * width * (width + 1)
    assert after - before == of_box + of_mask


def test_the_metafile_is_filled_in_and_keeps_the_rest(zoo):
    assert update(zoo) == []
    text = zoo.read_text()
    metadata = yaml.safe_load(text)['Models'][0]['Metadata']
    assert list(metadata) == ['Note', 'T', 'FLOPs', 'MACs', 'ACs', 'Parameters']
    assert COUNTED.items() <= metadata.items()
    kept = re.sub(r'      (T|FLOPs|MACs|ACs|Parameters): \d+\n', '', text)
    assert kept == META.replace('      Parameters: 1\n', '')


def test_the_table_is_the_metafile_s(zoo):
    update(zoo)
    text = (zoo.parent / 'README.md').read_text()
    header, _, row = [line.strip('| ').split(' | ') for line in text.splitlines() if line.startswith('|')]
    cells = dict(zip(header, row, strict=True))
    assert cells['Model'] == '[tiny](tiny.py)' and cells['T'] == '2' and cells['Note'] == 'smaller'
    assert (cells['Params (M)'], cells['MACs (G)'], cells['ACs at rate 1 (G)']) == ('1.23', '0.001', '8.7')
    assert cells['Top-1 (%), *paper*'] == '61.5' and cells['Power (mJ), *paper*'] == '0.5'
    assert cells['Top-1 (%), *ours*'] == '60.0' and '`make demo`; a slide rule.' in text
    assert text.startswith('# Tiny\n') and text.endswith('\nThe end.\n')


def test_a_check_of_what_was_just_written_finds_nothing(zoo):
    update(zoo)
    assert update(zoo, check=True) == []


def test_a_check_finds_wrong_figures_and_changes_nothing(zoo):
    update(zoo)
    wrong = zoo.read_text().replace(str(COUNTED['ACs']), '7')
    zoo.write_text(wrong)
    assert update(zoo, check=True) == [
        'tiny: ACs must be 8700000000, but is 7']
    assert zoo.read_text() == wrong


def test_a_check_finds_a_table_that_was_written_by_hand(zoo):
    update(zoo)
    readme = zoo.parent / 'README.md'
    readme.write_text(readme.read_text().replace('61.5', '62.5'))
    assert update(zoo, check=True) == ['configs/tiny/README.md: its table is not that of the metafile']


def test_a_model_without_config_and_a_config_without_model_are_named(zoo):
    (zoo.parent / 'tiny.py').rename(zoo.parent / 'small.py')
    assert update(zoo) == [
        'tiny: there is no config configs/tiny/tiny.py', 'configs/tiny/small.py: no model in tiny/metafile.yml has it']


def test_a_model_that_cannot_be_built_is_named_with_the_reason(zoo, monkeypatch):
    monkeypatch.setitem(ZOO['update'].__globals__, 'figures_of', ZOO['figures_of'])
    config = zoo.parent / 'tiny.py'
    config.write_text("default_scope = 'mmpretrain'\nmodel = dict(type='Tiny')")
    message, = update(zoo)
    assert message.startswith('tiny: KeyError') and 'Tiny is not in' in message


def test_our_own_results_need_command_and_hardware(zoo):
    zoo.write_text(META.replace('        Hardware: a slide rule\n', ''))
    assert 'tiny: a result must have its Hardware' in update(zoo, check=True)
