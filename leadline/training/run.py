"""A training run in a folder of its own: started, resumed, and never half done."""

import difflib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.loggers import Logger, TensorBoardLogger

from leadline.data.module import DepthData
from leadline.files import atomic_path
from leadline.training.curves import CurveLog
from leadline.training.module import DepthTraining
from leadline.training.pictures import Pictures
from leadline.training.progress import Throughput
from leadline.training.recipe import RunSettings
from leadline.training.resume import ResumePoint, resume_step

CONFIG = "config.yaml"
RESUME_POINT = "resume.ckpt"
CURVES = "curves.csv"
MAY_CHANGE = ("epochs:", "steps:", "workers:", "devices:", "nodes:", "accelerator:", "loggers:")
"""Settings that a resumed run may be given anew: they end it later or run it elsewhere."""


def fit(
    module: DepthTraining,
    data: DepthData,
    settings: RunSettings,
    run: Path,
    config: str,
    callbacks: Sequence[pl.Callback] = (),
) -> pl.Trainer:
    """Train in the folder `run`, from its resume point where it has one.

    Raises:
        ValueError: the folder holds a run of another recipe, or a damaged resume point.
    """
    # Of the trainer's own remarks only warnings concern a user.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    begin_run(run, config)
    resume_point = run / RESUME_POINT
    done = resume_step(resume_point)
    trainer = pl.Trainer(
        default_root_dir=run,
        max_epochs=settings.epochs,
        max_steps=settings.steps if settings.steps is not None else -1,
        precision=settings.precision,
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_gradient,
        log_every_n_steps=settings.log_every,
        logger=[CurveLog(run / CURVES, done), *(_logger(name, run) for name in settings.loggers)],
        callbacks=[
            Throughput(),
            Pictures(run / "pictures", settings.pictures_every),
            ResumePoint(resume_point, settings.checkpoint_every),
            *callbacks,
        ],
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # Order and shards are ours: counted from the seed, so that a resumed run is the same run.
        use_distributed_sampler=False,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")
        trainer.fit(
            module,
            datamodule=data,
            ckpt_path=resume_point if done else None,
            weights_only=True,
        )
    return trainer


def begin_run(run: Path, config: str) -> None:
    """Write the configuration of a new run, or check that an old one is being continued.

    Raises:
        ValueError: the folder's configuration differs; names the first settings that do.
    """
    path = run / CONFIG
    if path.exists():
        changed = _differences(path.read_text(), config)
        if changed:
            raise ValueError(
                f"{run} holds a run with other settings ({'; '.join(changed[:3])}): "
                "give another folder, or the same settings to resume it"
            )
    with atomic_path(path) as temporary:
        temporary.write_text(config)


def _differences(old: str, new: str) -> list[str]:
    lines = difflib.ndiff(old.splitlines(), new.splitlines())
    changed = [
        f"{'was' if line[0] == '-' else 'now'} {line[2:].strip()}"
        for line in lines
        if line[0] in "+-"
    ]
    return [line for line in changed if not line.split(" ", 1)[1].startswith(MAY_CHANGE)]


def _logger(name: str, run: Path) -> Logger:
    if name == "tensorboard":
        return TensorBoardLogger(save_dir=run, name="tensorboard", version="")
    from lightning.pytorch import loggers

    if name == "wandb":
        return loggers.WandbLogger(name=run.name, save_dir=run, resume="allow", id=run.name)
    return loggers.MLFlowLogger(experiment_name="leadline", run_name=run.name, save_dir=str(run))
