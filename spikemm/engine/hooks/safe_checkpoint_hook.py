"""Never be without a complete checkpoint."""

import mmengine.fileio as fileio
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from spikemm.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, deleting old checkpoints after the new one is complete instead of before.

    Together with the atomic write that ``import spikemm`` gives mmengine's local files, a full disk or a lost process
    leaves the checkpoint before it, and ``last_checkpoint`` names it. The disk must hold one checkpoint more than
    ``max_keep_ckpts``. :func:`spikemm.apis.train` puts this hook in the place of the stock one.

    Example::

        default_hooks = dict(checkpoint=dict(type='spikemm.SafeCheckpointHook', interval=1, max_keep_ckpts=2))
    """

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = self._keep(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            fileio.put(self.last_ckpt.encode(), fileio.join_path(runner.work_dir, 'last_checkpoint'))
            for old in outdated:
                delete(self.file_backend, self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))

    def _keep(self, runner: Runner, step: int) -> list[int]:
        """Note ``step`` as kept, in the message hub that goes into the checkpoint, and return what no longer is."""
        if self.max_keep_ckpts <= 0:
            return []
        kept = [old for old in self.keep_ckpt_ids if old != step] + [step]
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(kept[-self.max_keep_ckpts:])
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return kept[:-self.max_keep_ckpts]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        backend = self.file_backend
        self.file_backend = deferred = DeferredDeletion(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        best = getattr(self, 'best_ckpt_path_dict', {}).values() or [getattr(self, 'best_ckpt_path', None)]
        for path in deferred.doomed:
            if path not in best:
                delete(backend, path)


class DeferredDeletion:
    """A file backend that notes what to delete."""

    def __init__(self, backend: fileio.BaseStorageBackend) -> None:
        self.backend = backend
        self.doomed: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.doomed.append(path)

    rmtree = remove


def delete(backend: fileio.BaseStorageBackend | DeferredDeletion, path: str) -> None:
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):  # a checkpoint in shards
        backend.rmtree(path)
