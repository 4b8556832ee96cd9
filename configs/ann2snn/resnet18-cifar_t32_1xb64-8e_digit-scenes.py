_base_ = '../ann/resnet18-cifar_1xb64-8e_digit-scenes.py'
model = dict(backbone=dict(_delete_=True, type='spikemm.ConvertedANN', ann=_base_.model.backbone, T=32))

# All time steps are in memory at once.
val_dataloader = dict(batch_size=50)
test_dataloader = val_dataloader
