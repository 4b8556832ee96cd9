# PASCAL VOC 2012 in data/VOCdevkit/VOC2012: the 1,464 images of its segmentation training set. Pipelines as for ADE20K.
_base_ = './ade20k_512x512.py'

dataset = dict(
    type='spikemm.PascalVOCDataset',
    data_root='data/VOCdevkit/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))
train_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/train.txt', **dataset))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/val.txt', **dataset))
test_dataloader = val_dataloader
