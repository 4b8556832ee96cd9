import pytest
import torch
from small_nets import firing, inputs_of_weight_layers, strengthen, tensor
from torch import nn

from spikemm.layers import SDSA, ConvBN, RepConvBN
from spikemm.models import MetaSpikeFormer, SpikeShared2FCBBoxHead, reparameterize
from spikemm.neurons import LIF


def trained(dtype=torch.float64, **kwargs):
    """A small backbone with norms as after training, such that every layer fires."""
    torch.manual_seed(0)
    net = MetaSpikeFormer(**{'arch': 'nano', 'T': 2, **kwargs}).to(dtype)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.1, 0.5)
            nn.init.uniform_(module.weight, 0.5, 3.0)
            nn.init.normal_(module.bias, 0.3, 0.3)
    return net.eval()


def firing_rates(net, x):
    rates = []
    hooks = [
        m.register_forward_hook(lambda module, args, out: rates.append(out.mean().item()))
        for m in net.modules()
        if isinstance(m, LIF)
    ]
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return rates


VARIANTS = [
    {}, {'sdsa': 1}, {'sdsa': 2}, {'sdsa': 4}, {'arch': {'preset': 'nano', 'rep_qkv': False}}, {'shortcut': 'sew'},
]


@pytest.mark.parametrize('kwargs', VARIANTS, ids=str)
@pytest.mark.parametrize('mode', ['fast', 'spike'])
@pytest.mark.parametrize('dtype, tolerance', [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_outputs_are_those_of_the_training_graph(kwargs, mode, dtype, tolerance):
    net, x = trained(dtype, **kwargs), torch.randn(2, 3, 64, 64, dtype=dtype)
    assert min(firing_rates(net, x)) > 0, 'a silent layer would hide a wrong weight'
    with torch.no_grad():
        torch.testing.assert_close(reparameterize(net, mode)(x)[0], net(x)[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('mode', ['fast', 'spike'])
def test_no_norm_is_left_and_the_original_is_untouched(mode):
    net = trained()
    folded = reparameterize(net, mode)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, RepConvBN) for m in net.modules())


def test_in_mode_spike_every_weight_layer_but_the_stem_meets_spikes():
    net, inputs = reparameterize(trained(torch.float32), 'spike'), {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, args, out, name=name: inputs.update({name: args[0]}))
    with torch.no_grad():
        net(torch.randn(2, 3, 64, 64))
    real = [name for name, x in inputs.items() if not ((x == 0) | (x == 1)).all()]
    assert len(inputs) > 20
    assert real == ['stages.0.0.conv.layer']  # the stem reads pixels


@pytest.mark.parametrize('neuron', ['LIF', 'IF', 'PLIF'])
def test_in_mode_spike_the_scale_of_attention_is_in_the_threshold(neuron):
    net = trained(neuron={'type': neuron, 'v_reset': -0.5})
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    seen = {}

    def record(model):
        attention = next(m for m in model.modules() if isinstance(m, SDSA))
        attention.attn_neuron.register_forward_hook(lambda module, args, out: seen.setdefault(model, out))
        with torch.no_grad():
            model(x)
        return attention

    scaled, merged = record(net), record(folded := reparameterize(net, 'spike'))
    assert scaled.scale == 0.125 and merged.scale is None
    assert 0 < seen[net].mean() < 1
    assert torch.equal(seen[net], seen[folded])


def test_neurons_that_learn_keep_layers_of_their_own():
    net = trained(torch.float32, neuron={'type': 'PLIF'})
    x = torch.randn(2, 3, 64, 64)
    for i, module in enumerate(m for m in net.modules() if hasattr(m, 'w')):
        nn.init.constant_(module.w, 0.1 * (i % 5))
    with torch.no_grad():
        torch.testing.assert_close(reparameterize(net, 'fast')(x)[0], net(x)[0], rtol=1e-4, atol=1e-4)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"mode must be one of .*, but got 'dense'"):
        reparameterize(trained(), 'dense')
    with pytest.raises(ValueError, match='must have norms to fold'):
        reparameterize(nn.Linear(2, 2))


@pytest.mark.parametrize('modes', [('fast', 'fast'), ('fast', 'spike'), ('spike', 'fast'), ('spike', 'spike')], ids=str)
def test_a_folded_model_is_not_folded_again(modes):
    folded = reparameterize(trained(), modes[0])
    with pytest.raises(ValueError, match='must have norms to fold, but MetaSpikeFormer has none'):
        reparameterize(folded, modes[1])


def test_a_config_can_name_the_folded_model():
    from mmengine.registry import DefaultScope

    from spikemm.registry import MODELS

    net = trained(torch.float32)
    model = {'type': 'spikemm.MetaSpikeFormer', 'arch': 'nano', 'T': 2}
    cfg = {'type': 'spikemm.Reparameterized', 'mode': 'spike', 'model': model}
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        folded = MODELS.build(cfg)
    folded.load_state_dict(reparameterize(net, 'spike').state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(folded(x)[0], net(x)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('mode', ['fast', 'spike'])
@pytest.mark.parametrize('fires', [False, True])
def test_the_box_heads_layers_without_a_neuron_between_become_one(mode, fires):
    head = SpikeShared2FCBBoxHead(
        in_channels=4, fc_out_channels=16, roi_feat_size=2, num_classes=3, fire_before_output=fires)
    net = strengthen(nn.ModuleDict({'head': head, 'other': ConvBN(2, 2)})).eval()
    folded = reparameterize(net, mode)['head']
    x = tensor(2, 5, 4, 2, 2)
    assert min(firing(folded, lambda: folded(x))) > 0
    with torch.no_grad():
        torch.testing.assert_close(folded(x), head(x), rtol=1e-4, atol=1e-4)
    seen = inputs_of_weight_layers(folded, lambda: folded(x))
    assert len(seen) == (4 if fires else 3)
    assert all(values == [0, 1] for values in seen.values())
