"""The point from which a run goes on: its whole state, written whole, read without unpickling."""

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from leadline.files import atomic_path

SECONDS_BETWEEN_EPOCHS = 30.0
"""Ends of epochs that follow each other faster are not all saved: writing would take the time."""
IMAGES_PER_BATCH = "leadline_images_per_batch"
"""Key of batch_size x devices: the position in an epoch is counted in batches of so many."""


class Interrupted(Exception):
    """The run was asked to stop and has saved its state."""


class ResumePoint(pl.Callback):
    """Writes the state of the run every so many steps and at the end of an epoch.

    Weights, optimiser, schedule, epoch and position in it, and generators: a run that is killed and
    started again continues as if it had not been. Ctrl-C, or the signal by which a cluster ends a
    job, stops the run after the step under way, with its state saved; a second Ctrl-C at once.
    Where the gradients of several batches are summed, a step is all of them: half a sum is in no
    file.
    """

    def __init__(self, path: Path, every_steps: int) -> None:
        self._path = path
        self._every_steps = every_steps
        self._last_save = time.monotonic()
        self._process = os.getpid()
        self._step_before = 0
        self.asked_to_stop = False

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Only the main thread may handle signals. Several processes would stop at different steps
        # and wait for each other in the save; there Ctrl-C stops at once.
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask_to_stop)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._step_before = trainer.global_step

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[IMAGES_PER_BATCH] = images_per_batch(trainer)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_index: int,
    ) -> None:
        if trainer.global_step == self._step_before:
            return
        # The state is saved here and not when training ends: at this point the trainer knows that
        # the epoch may not be over, and a longer run can go on exactly where this one stopped.
        stopping = self.asked_to_stop or (trainer.received_sigterm and trainer.world_size == 1)
        every = trainer.global_step % self._every_steps == 0
        if stopping or every or self._ends(trainer) or self._epoch_is_due(trainer):
            self._save(trainer)
        if stopping:
            raise Interrupted

    def on_validation_batch_start(self, *_: Any) -> None:
        if self.asked_to_stop:
            raise Interrupted

    def _ends(self, trainer: pl.Trainer) -> bool:
        last_epoch = trainer.current_epoch + 1 == trainer.max_epochs
        return (trainer.is_last_batch and last_epoch) or trainer.global_step == trainer.max_steps

    def _epoch_is_due(self, trainer: pl.Trainer) -> bool:
        if not trainer.is_last_batch:
            return False
        due = time.monotonic() - self._last_save > SECONDS_BETWEEN_EPOCHS
        # The clock of one rank decides for all: saving takes every rank.
        return bool(trainer.strategy.broadcast(due))

    def _save(self, trainer: pl.Trainer) -> None:
        # Every rank takes part: gathering a sharded state is collective, and only rank 0 writes.
        if trainer.is_global_zero:
            with atomic_path(self._path) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self._path)
        self._last_save = time.monotonic()

    def _ask_to_stop(self, number: int, frame: Any) -> None:
        if self.asked_to_stop:
            raise KeyboardInterrupt
        self.asked_to_stop = True
        # Workers inherit this handler; they are ended by the process that trains.
        if self._process == os.getpid():
            print("stopping after this step; Ctrl-C again stops at once", file=sys.stderr)


def images_per_batch(trainer: pl.Trainer) -> int:
    """batch_size x devices of a run."""
    batch_size: int = trainer.datamodule.batch_size  # type: ignore[attr-defined]
    return batch_size * trainer.world_size


def resume_step(path: Path) -> int:
    """How many steps the run at `path` has done; 0 where there is nothing to go on from.

    Raises:
        ValueError: the file is there but is not the state of a run.
    """
    return read_resume_point(path).step


@dataclass(frozen=True)
class Done:
    """How far a run has come, and on what."""

    step: int = 0
    images_per_batch: int | None = None
    """None where nothing is done, or where an early version did not note it."""


def read_resume_point(path: Path) -> Done:
    """What is done of the run at `path`; nothing where there is nothing to go on from.

    Raises:
        ValueError: the file is there but is not the state of a run.
    """
    if not path.exists():
        return Done()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return Done(int(state["global_step"]), state.get(IMAGES_PER_BATCH))
    except Exception as error:
        reason = str(error).split(". ")[0] or type(error).__name__
        raise ValueError(
            f"{path}: expected the state of a training run, could not read it ({reason}); "
            "delete it to start again from the beginning"
        ) from error
