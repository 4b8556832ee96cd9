"""Mixing of clips within a batch, in the way of mmpretrain's Mixup and CutMix."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.registry import Registry
from mmpretrain.models.utils.batch_augments import RandomBatchAugment
from mmpretrain.registry import BATCH_AUGMENTS as MMPRETRAIN_BATCH_AUGMENTS
from torch import Tensor

# Not in spikemm.registry: mmengine has no such registry to be a child of, and importing mmpretrain takes seconds.
BATCH_AUGMENTS = Registry('batch augment', parent=MMPRETRAIN_BATCH_AUGMENTS, scope='spikemm')


class OverTime:
    """Let a batch augmentation of images take clips, by making the time steps channels: all are mixed alike.

    mmpretrain's CutMix would cut the channels and rows of a clip ``[B, T, C, H, W]``, without an error.

    Args:
        augment: Batch augmentation of images, such as mmpretrain's CutMix.
    """

    def __init__(self, augment: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
        self.augment = augment

    def __call__(self, clips: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mix clips ``[B, T, C, H, W]`` and their scores ``[B, num_classes]``."""
        mixed, scores = self.augment(clips.flatten(1, 2), scores)
        return mixed.unflatten(1, clips.shape[1:3]), scores


def adapt_to_clips(augment: RandomBatchAugment) -> RandomBatchAugment:
    """Wrap, in place, all augmentations that are for images; those for clips say so by ``takes_clips = True``."""
    augment.augments = [
        each if each is None or getattr(each, 'takes_clips', False) else OverTime(each) for each in augment.augments]
    return augment


@BATCH_AUGMENTS.register_module()
class EventMix:
    r"""EventMix: put a blob in space and time of one clip into another, and mix their labels.

    Each clip is mixed with another of the batch. The blob is where the density of a mixture of Gaussians in (t, y, x)
    is highest; it fills a share :math:`1 - \lambda` of the clip's volume, :math:`\lambda \sim Beta(\alpha, \alpha)`,
    and both polarities. With :math:`r_1` and :math:`r_2` the shares of the events of the clip and of the other one
    that lie in the blob, the other label's weight is

    - 'events': :math:`r_2 / (1 - r_1 + r_2)`;
    - 'distance': :math:`d_1^2 / (d_1^2 + d_2^2)`, where :math:`d_i` is the mean squared difference of clip
      :math:`i` and the mixed one, both averaged over 3 x 3 pixels.

    A clip of which nothing would be left, and into which nothing would come, stays as it is.

    `EventMix: An Efficient Augmentation Strategy for Event-Based Data <https://arxiv.org/abs/2205.12054>`_. Weights and
    constants are those of the code in `BrainCog <https://github.com/BrainCog-X/Brain-Cog>`_
    (``braincog/datasets/cut_mix.py``): two to four Gaussians of weights in [0, 1], centred anywhere, with standard
    deviations of 5 to 50 % of the clip's length along each axis. There a clip is mixed with one of the whole data set,
    and noise is added to it.

    Frames must not be normalised by a mean, since their values are taken for numbers of events.

    Example::

        data_preprocessor = dict(
            type='spikemm.EventDataPreprocessor', num_classes=11,
            batch_augments=dict(augments=[dict(type='spikemm.EventMix')], probs=[0.5]))

    Args:
        alpha: Parameter of the Beta distribution.
        labels: 'events' or 'distance'.

    Raises:
        ValueError: ``alpha`` is not positive, ``labels`` is neither, or a batch is not ``[B, T, C, H, W]``.
    """

    takes_clips = True

    def __init__(self, alpha: float = 1.0, labels: str = 'events') -> None:
        if not alpha > 0:
            raise ValueError(f'`alpha` must be positive, but got {alpha!r}.')
        if labels not in WEIGHTS:
            raise ValueError(f'`labels` must be one of {tuple(WEIGHTS)}, but got {labels!r}.')
        self.alpha = alpha
        self.labels = labels

    def __call__(self, clips: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mix clips ``[B, T, C, H, W]`` and their scores ``[B, num_classes]``; neither is changed."""
        if clips.ndim != 5:
            raise ValueError(f'The clips of EventMix must be [B, T, C, H, W], but got shape {tuple(clips.shape)}.')
        share = 1 - torch.distributions.Beta(self.alpha, self.alpha).sample((len(clips),))
        mask = draw_blobs(share.to(clips.device), (clips.shape[1], *clips.shape[3:])).unsqueeze(2)  # [B, T, 1, H, W]
        order = torch.randperm(len(clips))
        return mix(clips, scores, order, mask, WEIGHTS[self.labels])


def mix(
    clips: Tensor, scores: Tensor, order: Tensor, mask: Tensor, weigh: Callable[..., Tensor],
) -> tuple[Tensor, Tensor]:
    """Put the masked part of other clips into clips ``[B, T, C, H, W]``, and mix their scores ``[B, num_classes]``.

    Args:
        clips: The clips.
        scores: Their labels, one-hot or mixed.
        order: Which clip each is mixed with, ``[B]``.
        mask: What comes from the other, ``[B, T, 1, H, W]``.
        weigh: Function of ``WEIGHTS``.
    """
    others = clips[order]
    mixed = torch.where(mask, others, clips)
    weight = weigh(clips, others, mixed, mask).nan_to_num(0).unsqueeze(1)  # 0 / 0: the other adds nothing
    empty = ~mixed.flatten(1).any(1)
    mixed[empty], weight[empty] = clips[empty], 0
    return mixed, (1 - weight) * scores + weight * scores[order]


def weigh_by_events(clips: Tensor, others: Tensor, mixed: Tensor, mask: Tensor) -> Tensor:
    """Return the weight of the other label, ``[B]``, by the shares of events; see :class:`EventMix`."""
    removed, added = (((x * mask).flatten(1).sum(1) / x.flatten(1).sum(1)).nan_to_num(0) for x in (clips, others))
    return added / (1 - removed + added)


def weigh_by_distance(clips: Tensor, others: Tensor, mixed: Tensor, mask: Tensor) -> Tensor:
    """Return the weight of the other label, ``[B]``, by the distances from both; see :class:`EventMix`."""
    smooth, *both = (F.avg_pool2d(x.flatten(1, 2), 3, stride=1, padding=1) for x in (mixed, clips, others))
    own, other = ((x - smooth).square().flatten(1).mean(1).square() for x in both)
    return own / (own + other)


WEIGHTS = dict(events=weigh_by_events, distance=weigh_by_distance)


def draw_blobs(share: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Draw the masks of EventMix, with random numbers of the CPU whatever the device.

    Args:
        share: Share of the volume that is True, in [0, 1], shape ``[B]``.
        shape: T, H and W.

    Returns:
        Mask ``[B, T, H, W]`` on the device of ``share``.
    """
    B = len(share)
    used = torch.arange(4) < torch.randint(2, 5, (B, 1))  # two to four Gaussians
    bells = [(torch.rand(B, 4) * used).to(share)]
    for size in shape:
        centre = torch.randint(size, (B, 4, 1)).to(share)
        std = (0.5 * size * torch.rand(B, 4, 1).clamp(min=0.1)).to(share)
        bells.append((-((torch.arange(size).to(share) - centre) / std).square() / 2).exp())
    density = torch.einsum('bn,bnt,bny,bnx->btyx', *bells).flatten(1)
    volume = density.shape[1]
    return torch.stack([  # the highest `inside` values; kthvalue counts from the lowest
        voxels > voxels.kthvalue(volume - inside).values if inside < volume else torch.ones_like(voxels, dtype=bool)
        for voxels, inside in zip(density, (share * volume).round().int().tolist(), strict=True)]).view(B, *shape)
