# COCO 2017 as coco_instance.py, without masks.
_base_ = './coco_instance.py'

train_pipeline = [
    dict(type='LoadAnnotations', with_bbox=True) if step['type'] == 'LoadAnnotations' else step
    for step in _base_.train_pipeline
]
test_pipeline = [
    dict(type='LoadAnnotations', with_bbox=True) if step['type'] == 'LoadAnnotations' else step
    for step in _base_.test_pipeline
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(metric='bbox')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
