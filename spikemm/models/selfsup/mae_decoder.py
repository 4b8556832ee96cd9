"""The decoder of masked pre-training."""

import torch
from mmpretrain.models.necks import MAEPretrainDecoder
from torch import Tensor

from spikemm.registry import MODELS


@MODELS.register_module()
class SpikeMAEDecoder(MAEPretrainDecoder):
    """mmpretrain's decoder of MAE, a small ViT (an ANN), for encoders without a class token.

    It gets the latents of the visible patches, fills the places of the others with a learnt token, and predicts the
    pixels of all. It is thrown away after pre-training: the spiking encoder is what is kept.

    Args:
        kwargs: As of :class:`mmpretrain.models.necks.MAEPretrainDecoder`; ``num_patches`` must be a square number.
    """

    def forward(self, x: Tensor, ids_restore: Tensor) -> Tensor:
        """Predict the pixels of all patches.

        Args:
            x: Latents ``[B, N_visible, C]``.
            ids_restore: Indices ``[B, N]`` that bring the visible tokens, followed by the masked ones, to their places.

        Returns:
            ``[B, N, patch_size**2 * in_chans]``.

        Raises:
            ValueError: There are not ``num_patches`` patches.
        """
        if ids_restore.shape[1] != self.num_patches:
            raise ValueError(
                f'num_patches must be the {ids_restore.shape[1]} patches of the images, but got {self.num_patches}.')
        x = self.decoder_embed(x)
        missing = self.mask_token.expand(len(x), ids_restore.shape[1] - x.shape[1], -1)
        x = torch.cat([x, missing], dim=1)
        x = x.gather(1, ids_restore[:, :, None].expand_as(x)) + self.decoder_pos_embed[:, 1:]  # 0 is a class token's
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))
