# Masked pre-training of Spikformer V2: a spiking encoder sees a quarter of the patches, a small ViT predicts the pixels
# of the others. The decoder is that of the released large model of Spike-driven Transformer V3 (4 blocks of 256).
neuron = dict(type='LIF', tau=2.0)

model = dict(
    type='MAE',
    backbone=dict(
        type='spikemm.MaskedSpikformerV2',
        arch=dict(preset='8-384'),
        T=1,
        mask_ratio=0.75,
        neuron=neuron),
    neck=dict(
        type='spikemm.SpikeMAEDecoder',
        num_patches=196,
        patch_size=16,
        embed_dim=384,
        decoder_embed_dim=256,
        decoder_depth=4,
        decoder_num_heads=4),
    head=dict(
        type='MAEPretrainHead',
        norm_pix=True,
        patch_size=16,
        loss=dict(type='PixelReconstructionLoss', criterion='L2')))
