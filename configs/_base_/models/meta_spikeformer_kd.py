# Distillation as in DeiT: a second classifier learns the teacher's decision, and the prediction is the mean of the two.
# The loss is 0.5 * label smoothing + 0.5 * cross entropy with the teacher's top class, the defaults of
# spikemm.DistillationLoss. The teacher has 98.8 M parameters; timm fetches its weights at the first training step.
_base_ = './meta_spikeformer.py'

model = dict(
    type='spikemm.DistilledImageClassifier',
    head=dict(type='spikemm.SpikeDistillClsHead', loss=dict(_delete_=True, type='spikemm.DistillationLoss')),
    teacher=dict(type='TimmClassifier', model_name='caformer_b36.sail_in22k_ft_in1k', pretrained=True))
