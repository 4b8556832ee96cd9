# Fully sharded data parallel: parameters, gradients and optimizer states are spread over the GPUs. 55 M parameters fit
# on one; this is the pattern for larger models. Start it with tools/dist_train.sh.
_base_ = './sdtv2-55m_t1_8xb128-200e_in1k.py'

runner_type = 'FlexibleRunner'
strategy = dict(
    type='FSDPStrategy',
    state_dict_cfg='full',  # one checkpoint file, which tools/test.py takes
    model_wrapper=dict(
        auto_wrap_policy=dict(
            type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
            min_num_params=int(4e6))))  # about one block of the last stages
# A GPU holds a flat piece of every parameter. So this is not Lamb, whose trust ratio is that of a whole one, there is
# no clip_grad, which would take the norm of the pieces, and weight decay goes by the kind of layer, not by ndim.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    use_fsdp=True,
    optimizer=dict(_delete_=True, type='AdamW', lr=5e-4 * 1024 / 512, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, bias_decay_mult=0.0))
