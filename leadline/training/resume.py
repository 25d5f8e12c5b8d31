"""The point from which a run goes on: its whole state, written whole, read without unpickling."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from leadline.files import atomic_path


class ResumePoint(pl.Callback):
    """Writes the state of the run every so many steps and at the end of each epoch.

    Weights, optimiser, schedule, epoch and position in it, and generators: a run that is killed and
    started again continues as if it had not been.
    """

    def __init__(self, path: Path, every_steps: int) -> None:
        self._path = path
        self._every_steps = every_steps

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_index: int,
    ) -> None:
        # The state is saved here and not when training ends: at this point the trainer knows that
        # the epoch may not be over, and a longer run can go on exactly where this one stopped.
        stops = trainer.is_last_batch or trainer.global_step == trainer.max_steps
        if stops or trainer.global_step % self._every_steps == 0:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        # Every rank takes part: gathering a sharded state is collective, and only rank 0 writes.
        if trainer.is_global_zero:
            with atomic_path(self._path) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self._path)


def resume_step(path: Path) -> int:
    """How many steps the run at `path` has done; 0 where there is nothing to go on from.

    Raises:
        ValueError: the file is there but is not the state of a run.
    """
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return int(state["global_step"])
    except Exception as error:
        raise ValueError(
            f"{path}: expected the state of a training run, could not read it ({error}); "
            "delete it to start again from the beginning"
        ) from error
