"""A training run in a folder of its own: started, resumed, and never half done."""

import logging
import signal
import sys
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from leadline.data.module import DepthData
from leadline.files import atomic_path, remove_leftovers
from leadline.memory import keep_freed_memory
from leadline.training.curves import CurveLog
from leadline.training.draws import CountedDraws
from leadline.training.module import DepthTraining
from leadline.training.pictures import Pictures
from leadline.training.precision import chosen_precision
from leadline.training.progress import ProgressBar, ProgressLines, Throughput
from leadline.training.recipe import RunSettings
from leadline.training.resume import (
    Done,
    Interrupted,
    ResumePoint,
    frames_of,
    read_resume_point,
)
from leadline.training.run_folder import CURVES, RESUME_POINT, WANDB_ID, begin_run

IDLE_REMARKS = (
    ".*does not have many workers.*",
    ".*smaller than the logging interval.*",
    ".*across ranks is zero.*",  # a run without validation frames
    ".*in eval mode at the start of training.*",  # frozen networks
)
"""Warnings of the trainer about what is meant so."""


def fit(
    module: DepthTraining,
    data: DepthData,
    settings: RunSettings,
    run: Path,
    config: str,
    callbacks: Sequence[pl.Callback] = (),
) -> pl.Trainer:
    """Train in the folder `run`, from its resume point where it has one.

    A bar shows the progress on a terminal; elsewhere short lines do.

    Raises:
        ValueError: a setting is out of range or asks for what this machine has not, or the folder
            holds a run of another recipe or batch, or a damaged resume point.
        KeyboardInterrupt: the run was interrupted, and has saved its state.
    """
    _check(settings)
    # Of the trainer's own remarks only warnings concern a user.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    done, frames = read_resume_point(run / RESUME_POINT), frames_of(data)
    resume_point = ResumePoint(run / RESUME_POINT, settings.checkpoint_every, frames)
    with _interruptible(resume_point), _one_line_errors():
        # Last, the resume point: what it says is done, the others have done.
        watchers = [CountedDraws(data.seed), *_watchers(settings, run), *callbacks, resume_point]
        trainer = _trainer(settings, run, done, watchers)
        changed = begin_run(run, config, done, data.batch_size * trainer.world_size, frames)
        remove_leftovers([run, *(path for path in run.iterdir() if path.is_dir())])
        if trainer.strategy.root_device.type == "cpu":
            keep_freed_memory()
        _say_how(trainer, data)
        _say_where_from(trainer, run, done, changed)
        start = run / RESUME_POINT if done.step else None
        trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
    _say_if_idle(trainer, done)
    return trainer


def _trainer(
    settings: RunSettings, run: Path, done: Done, callbacks: Sequence[pl.Callback]
) -> pl.Trainer:
    """The trainer as settings and folder want it, with nothing of its own that we do ourselves."""
    curves = CurveLog(run / CURVES, done.step, done.validated)
    return pl.Trainer(
        default_root_dir=run,
        max_epochs=settings.epochs,
        max_steps=settings.steps if settings.steps is not None else -1,
        precision=chosen_precision(settings.precision, settings.accelerator),
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_gradient,
        log_every_n_steps=settings.log_every,
        logger=[curves, *(_logger(name, run, done.step) for name in settings.loggers)],
        callbacks=list(callbacks),
        enable_progress_bar=_is_watched(),
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # Order and shards are ours: counted from the seed, so that a resumed run is the same.
        use_distributed_sampler=False,
    )


def _watchers(settings: RunSettings, run: Path) -> list[pl.Callback]:
    """What shows how the run is doing."""
    throughput = Throughput()
    progress = ProgressBar(settings.log_every) if _is_watched() else ProgressLines(throughput)
    return [throughput, progress, Pictures(run / "pictures", settings.pictures_every)]


def _is_watched() -> bool:
    """Whether somebody sits before a terminal."""
    return sys.stdout.isatty()


def _say_how(trainer: pl.Trainer, data: DepthData) -> None:
    """What the machine has chosen."""
    _say(trainer, f"precision: {trainer.precision}")
    devices, size = trainer.world_size, data.batch_size
    if devices > 1:
        _say(trainer, f"{size * devices} images a batch: {size} on each of {devices} devices")


def _say_where_from(trainer: pl.Trainer, run: Path, done: Done, changed: Sequence[str]) -> None:
    """What is gone on with, and what has changed since."""
    if done.step:
        _say(trainer, "; ".join([f"going on from step {done.step} of {run}", *changed]))


def _say_if_idle(trainer: pl.Trainer, done: Done) -> None:
    """That a run was at its end before it began."""
    if trainer.global_step == done.step:
        _say(trainer, "nothing left to train; more by --run.epochs or --run.steps")


def _say(trainer: pl.Trainer, text: str) -> None:
    """Of several processes one speaks."""
    if trainer.is_global_zero:
        print(text, flush=True)


@contextmanager
def _interruptible(resume_point: ResumePoint) -> Iterator[None]:
    """However the trainer ends a run that was asked to stop, it is a KeyboardInterrupt here."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (Interrupted, SystemExit):
        raise KeyboardInterrupt from None
    except RuntimeError:
        # A worker that did not outlive Ctrl-C is missed by the loader.
        if resume_point.asked_to_stop:
            raise KeyboardInterrupt from None
        raise
    finally:
        if signal.getsignal(signal.SIGINT) != before:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """The trainer's own errors as ours, and no remarks about what is meant so."""
    with warnings.catch_warnings():
        for remark in IDLE_REMARKS:
            warnings.filterwarnings("ignore", remark)
        warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")
        try:
            yield
        except MisconfigurationException as error:
            raise ValueError(f"run: {error}; change run.accelerator or run.devices") from None


def _check(settings: RunSettings) -> None:
    counts = {
        "epochs": settings.epochs,
        "steps": settings.steps,
        "nodes": settings.nodes,
        "accumulate": settings.accumulate,
        "checkpoint_every": settings.checkpoint_every,
        "pictures_every": settings.pictures_every,
        "log_every": settings.log_every,
    }
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"run.{name}: expected 1 or more, got {count}")
    if settings.clip_gradient is not None and not settings.clip_gradient > 0:
        raise ValueError(
            f"run.clip_gradient: expected a norm above 0, got {settings.clip_gradient}"
        )


def _logger(name: str, run: Path, step: int) -> Logger:
    """A logger that goes on with what it has of this run up to `step`."""
    if name == "tensorboard":
        return TensorBoardLogger(
            save_dir=run, name="tensorboard", version="", purge_step=step or None
        )
    from lightning.pytorch import loggers

    if name == "wandb":
        identity = _wandb_id(run, begins=step == 0)
        return loggers.WandbLogger(name=run.name, save_dir=run, resume="allow", id=identity)
    return loggers.MLFlowLogger(experiment_name="leadline", run_name=run.name, save_dir=str(run))


def _wandb_id(run: Path, begins: bool) -> str | None:
    """The name of a run among all of W&B: folders that are called alike are different runs."""
    path = run / WANDB_ID
    # Only the first process logs; the others need no name, and must not write another one.
    if getattr(rank_zero_only, "rank", 0) == 0 and (begins or not path.exists()):
        with atomic_path(path) as temporary:
            temporary.write_text(uuid.uuid4().hex)
    return path.read_text() if path.exists() else None
