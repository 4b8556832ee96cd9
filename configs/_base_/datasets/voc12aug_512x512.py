# VOC 2012 with the 9,118 images that SBD adds: SegmentationClassAug/ and ImageSets/Segmentation/aug.txt, which mmseg's
# tools/dataset_converters/voc_aug.py makes.
_base_ = './voc12_512x512.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            _base_.train_dataloader.dataset,
            dict(
                type='spikemm.PascalVOCDataset',
                data_root='data/VOCdevkit/VOC2012',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
                ann_file='ImageSets/Segmentation/aug.txt',
                pipeline=_base_.train_pipeline),
        ]))
