"""The point from which a run goes on: its whole state, written whole, read without unpickling."""

import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from leadline.data.module import DepthData
from leadline.data.splits import split_frames
from leadline.files import atomic_path
from leadline.training.loop_state import Moment, moment_of, set_counters

SECONDS_BETWEEN_EPOCHS = 30.0
"""Ends of epochs that follow each other faster are not all saved: writing would take the time."""
IMAGES_PER_BATCH = "leadline_images_per_batch"
"""Key of batch_size x devices: the position in an epoch is counted in batches of so many."""
FRAMES = "leadline_frames"
"""Key of what `frames_of` said."""
MOMENT = "leadline_moment"
"""Key of where in an epoch the state was saved."""


class Interrupted(Exception):
    """The run was asked to stop and has saved its state."""


class ResumePoint(pl.Callback):
    """Writes the state of the run every so many steps and at the end of an epoch.

    Weights, optimiser, schedule, and the place in the epoch: a run that is killed and started again
    continues as if it had not been. Ctrl-C, or the signal by which a cluster ends a job, stops the
    run after the step or the batch of validation under way, with its state saved; a second Ctrl-C
    at once. Where the gradients of several batches are summed, a step is all of them: half a sum is
    in no file.

    The end of an epoch is saved before its validation, so that no step is lost, and again after it,
    so that it is not run twice.

    Args:
        path: of the file.
        every_steps: between two saves.
        frames: what the run is trained and validated on, see `frames_of`.
    """

    def __init__(self, path: Path, every_steps: int, frames: str | None = None) -> None:
        self._path = path
        self._every_steps = every_steps
        self._frames = frames
        self._last_save = time.monotonic()
        self._saved_step: int | None = None
        self._process = os.getpid()
        self._step_before = 0
        self._validated = False
        self._moment: Moment | None = None
        self._begins_epoch = False
        self._stops = False
        self.asked_to_stop = False

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Only the main thread may handle signals. Several processes would stop at different steps
        # and wait for each other in the save; there Ctrl-C stops at once.
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask_to_stop)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[IMAGES_PER_BATCH] = images_per_batch(trainer)
        checkpoint[FRAMES] = self._frames
        if self._moment is not None:
            checkpoint[MOMENT] = self._moment

    def on_load_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        loops, moment = checkpoint["loops"]["fit_loop"], moment_in(checkpoint)
        set_counters(loops, moment)
        self._begins_epoch = moment == "validated"
        self._saved_step = checkpoint["global_step"]
        if moment == "trained" and 0 <= trainer.max_steps <= checkpoint["global_step"]:
            # No steps are left, and the trainer would not even validate: it ends with the epoch.
            trainer.fit_loop.epoch_loop.max_steps = -1
            trainer.fit_loop.max_epochs = loops["epoch_progress"]["current"]["ready"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._begins_epoch:
            # A trainer that counts steps takes any resumed run to be within an epoch.
            trainer.fit_loop.epoch_loop.restarting = False

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._stop_if_saved()
        self._step_before = trainer.global_step
        self._validated = False

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
        stopping = self._is_to_stop(trainer)
        every = trainer.global_step % self._every_steps == 0
        ends = _ends(trainer)
        if stopping or every or ends or (trainer.is_last_batch and self._is_due(trainer)):
            # The trainer logs the figures of a step after this hook: a run killed in between would
            # never log them, since the step is done.
            trainer._logger_connector.update_train_step_metrics()
            self._save(trainer, "trained" if trainer.is_last_batch else "in_epoch")
        self._stops = stopping

    def on_validation_start(self, *_: Any) -> None:
        self._stop_if_saved()

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        # After this hook the trainer itself ends a validation in which a cluster ends the job.
        if self._is_to_stop(trainer):
            if self._saved_step != trainer.global_step:
                self._save(trainer, "trained")
            raise Interrupted

    def on_validation_end(self, *_: Any) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # What ends the run is saved when it has ended, the model included.
        if _ends(trainer):
            return
        stopping = self._is_to_stop(trainer)
        to_amend = self._validated and self._saved_step == trainer.global_step
        if stopping or to_amend or self._is_due(trainer):
            self._save(trainer, "validated")
        if stopping:
            raise Interrupted

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_last_batch:
            self._save(trainer, "validated")

    def _is_to_stop(self, trainer: pl.Trainer) -> bool:
        return self.asked_to_stop or (trainer.received_sigterm and trainer.world_size == 1)

    def _stop_if_saved(self) -> None:
        if self._stops:
            raise Interrupted

    def _is_due(self, trainer: pl.Trainer) -> bool:
        due = time.monotonic() - self._last_save > SECONDS_BETWEEN_EPOCHS
        # The clock of one rank decides for all: saving takes every rank.
        return bool(trainer.strategy.broadcast(due))

    def _save(self, trainer: pl.Trainer, moment: Moment) -> None:
        self._moment = moment
        # Every rank takes part: gathering a sharded state is collective, and only rank 0 writes.
        if trainer.is_global_zero:
            with atomic_path(self._path) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self._path)
        self._moment = None
        self._last_save = time.monotonic()
        self._saved_step = trainer.global_step

    def _ask_to_stop(self, number: int, frame: Any) -> None:
        if self.asked_to_stop:
            raise KeyboardInterrupt
        self.asked_to_stop = True
        # Workers inherit this handler; they are ended by the process that trains.
        if self._process == os.getpid():
            print("stopping after this step; Ctrl-C again stops at once", file=sys.stderr)


def _ends(trainer: pl.Trainer) -> bool:
    """Whether the step just taken is the last one of the run."""
    last_epoch = trainer.current_epoch + 1 == trainer.max_epochs
    return (trainer.is_last_batch and last_epoch) or trainer.global_step == trainer.max_steps


def moment_in(checkpoint: Mapping[str, Any]) -> Moment:
    """Where in an epoch a resume point lies."""
    moment: Moment | None = checkpoint.get(MOMENT)
    return moment or moment_of(checkpoint["loops"]["fit_loop"])


def images_per_batch(trainer: pl.Trainer) -> int:
    """batch_size x devices of a run."""
    batch_size: int = trainer.datamodule.batch_size  # type: ignore[attr-defined]
    return batch_size * trainer.world_size


def frames_of(data: DepthData) -> str:
    """A short name of the frames that are trained and validated on, wherever they stand.

    Of those that the source has, before it is seen which of them can be used.
    """
    source, digest = data.source, hashlib.sha256()
    for split, default in ((data.train_split, source.frames), (data.val_split, ())):
        frames = default if split is None else split_frames(source, split)
        digest.update("\n".join(str(frame) for frame in frames if frame in source).encode())
        digest.update(b"\n\n")
    return digest.hexdigest()


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
    validated: bool = True
    """Whether no epoch waits for its validation."""
    frames: str | None = None
    """What `frames_of` said; None as above."""


def read_resume_point(path: Path) -> Done:
    """What is done of the run at `path`; nothing where there is nothing to go on from.

    Raises:
        ValueError: the file is there but is not the state of a run.
    """
    if not path.exists():
        return Done()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        validated = moment_in(state) != "trained"
        step, frames = int(state["global_step"]), state.get(FRAMES)
        return Done(step, state.get(IMAGES_PER_BATCH), validated, frames)
    except Exception as error:
        reason = str(error).split(". ")[0] or type(error).__name__
        raise ValueError(
            f"{path}: expected the state of a training run, could not read it ({reason}); "
            "delete it to start again from the beginning"
        ) from error
