# Masked pre-training of Spikformer V2: a spiking encoder sees half of the patches, a small ViT predicts the pixels of
# the others. Ratio and decoder (4 blocks of 256) are those of the released large model of Spike-driven Transformer V3.
neuron = dict(type='LIF', tau=2.0)

model = dict(
    type='MAE',
    backbone=dict(
        type='spikemm.MaskedSpikformerV2',
        arch=dict(preset='8-384'),
        T=1,
        mask_ratio=0.5,
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
