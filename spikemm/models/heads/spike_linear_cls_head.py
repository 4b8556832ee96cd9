from collections.abc import Sequence

from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from spikemm.models.losses import TETLoss
from spikemm.neurons import build_neuron
from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeLinearClsHead(LinearClsHead):
    """Linear classifier on spikes, the head of Meta-SpikeFormer. **Time ends here**, after the linear layer.

    The membrane potentials of the last stage are averaged over space, fire once more, and every time step is
    classified; the logits are the mean over the time steps::

        [T, B, C, H, W] -> mean over H, W -> neuron -> fc -> mean over T -> [B, num_classes]

    Residual networks fire before they average (``fire_first``), so that the linear layer reads firing rates::

        [T, B, C, H, W] -> neuron -> mean over H, W -> fc -> mean over T -> [B, num_classes]

    With ``loss=dict(type='spikemm.TETLoss')`` it trains on the logits of all time steps; ``cal_acc`` then logs the
    accuracy of single time steps. Everything else is as in :class:`mmpretrain.models.LinearClsHead`.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the last stage.
        neuron: Neuron before the linear layer, a LIF by default. None is for a backbone whose outputs are spikes
            (shortcut 'vanilla' or 'sew'): their mean over space is read as it is. It is at most 1 for binary spikes,
            and a LIF that halves its input would never fire on it.
        fire_first: Whether the neuron stands in front of the mean over space, not behind it.
        dropout: Probability that the linear layer in training misses a channel, at all time steps.
        init_cfg: Initialisation, by default that of the reference: normal weights of deviation 0.02, biases 0.
        kwargs: ``loss``, ``topk`` and ``cal_acc`` of :class:`mmpretrain.models.ClsHead`.
    """

    def __init__(
        self, num_classes: int, in_channels: int, *, neuron: dict | None = dict(type='LIF'),
        fire_first: bool = False, dropout: float = 0.0, init_cfg: dict | None = None, **kwargs,
    ) -> None:
        init_cfg = init_cfg or dict(type='TruncNormal', layer='Linear', std=0.02, bias=0.0)
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, **kwargs)
        self.neuron = nn.Identity() if neuron is None else build_neuron(neuron)
        self.fire_first = fire_first
        self.dropout = nn.Dropout1d(dropout)  # of whole channels: its last axis is time

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the spikes (firing first or without a neuron: rates) ``[T, B, C]`` that the linear layer reads."""
        x = feats[-1]
        if x.ndim != 5:
            raise ValueError(
                f'`feats[-1]` must be [T, B, C, H, W], but got shape {tuple(x.shape)}: time ends in this head. For a '
                "backbone with time_reduction='mean' take mmpretrain's GlobalAveragePooling and LinearClsHead.")
        x = self.neuron(x).mean((-2, -1)) if self.fire_first else self.neuron(x.mean((-2, -1)))
        return self.dropout(x.permute(1, 2, 0)).permute(2, 0, 1)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        return self.fc(self.pre_logits(feats)).mean(0)

    def loss(self, feats: Sequence[Tensor], data_samples: list[DataSample], **kwargs) -> dict[str, Tensor]:
        if not isinstance(self.loss_module, TETLoss):
            return super().loss(feats, data_samples, **kwargs)
        cls_score = self.fc(self.pre_logits(feats))  # [T, B, num_classes]
        return self._get_loss(cls_score.flatten(0, 1), list(data_samples) * len(cls_score), **kwargs)
