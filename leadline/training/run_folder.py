"""The folder of one run: what it is called inside, and whether it may be gone on with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from leadline.files import atomic_path
from leadline.training.resume import Done

CONFIG = "config.yaml"
RESUME_POINT = "resume.ckpt"
CURVES = "curves.csv"
WANDB_ID = "wandb_id.txt"
MAY_CHANGE = frozenset(
    {
        *("run.epochs", "run.steps", "run.accelerator", "run.devices", "run.nodes"),
        *("run.loggers", "run.log_every", "run.checkpoint_every", "run.pictures_every"),
        *("data.workers", "data.cache", "data.batch_size"),
    }
)
"""Settings that a resumed run may be given anew: they end it later, run it elsewhere or only watch
it. Devices and batch size only together: as many images a batch as before."""


def begin_run(
    run: Path, config: str, done: Done | None = None, images_per_batch: int | None = None
) -> list[str]:
    """Write the configuration of a new run, or check that an old one is being continued.

    A folder without a resume point, because the first attempt failed or was killed before there was
    one, may be given another configuration: its run begins anew.

    Args:
        run: the folder.
        config: the complete configuration as YAML.
        done: what its resume point says.
        images_per_batch: batch_size x devices of the run that is about to begin.

    Returns:
        The settings that have changed, of those that may.

    Raises:
        ValueError: the folder's configuration differs; names the first settings that do.
    """
    path = run / CONFIG
    trained = (run / RESUME_POINT).exists()
    changed: dict[str, str] = {}
    if path.exists() and trained:
        changed = _differences(path.read_text(), config)
        before = None if done is None else done.images_per_batch
        # Where nobody noted how many images a batch had, it must be seen to be the same.
        fixed = {"data.batch_size"} if before is None else set()
        forbidden = [text for name, text in changed.items() if name not in MAY_CHANGE - fixed]
        if forbidden:
            raise ValueError(
                f"{run} holds a run with other settings ({'; '.join(forbidden[:3])}): "
                "give another folder, or the same settings to resume it"
            )
        if before is not None and before != images_per_batch:
            raise ValueError(
                f"{run} holds a run with {before} images a batch (batch_size x devices), this one "
                f"would have {images_per_batch}: change data.batch_size or run.devices so that "
                "there are as many, or give another folder"
            )
    with atomic_path(path) as temporary:
        temporary.write_text(config)
    return list(changed.values())


def recorded_start(run: Path) -> str | None:
    """The model folder whose weights the run that is under way in a folder started from."""
    path = run / CONFIG
    if not (path.exists() and (run / RESUME_POINT).exists()):
        return None
    start = _flat(yaml.safe_load(path.read_text())).get("run.init_from")
    return None if start is None else str(start)


def _differences(old: str, new: str) -> dict[str, str]:
    """By dotted name, what a setting was and is now."""
    before, now = _flat(yaml.safe_load(old)), _flat(yaml.safe_load(new))
    return {
        name: f"{name} was {before.get(name)}, now {now.get(name)}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    }


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, Mapping):
        return {prefix: values}
    items = ((f"{prefix}.{key}" if prefix else str(key), item) for key, item in values.items())
    return {name: leaf for key, item in items for name, leaf in _flat(item, key).items()}
