_base_ = '../ann/vgg16_8xb32-100e_in1k.py'
model = dict(backbone=dict(_delete_=True, type='spikemm.ConvertedANN', ann=_base_.model.backbone, T=16))

# All time steps are in memory at once.
val_dataloader = dict(batch_size=8)
test_dataloader = val_dataloader
