"""The folder of one run: what it is called inside, and whether it may be gone on with."""

from pathlib import Path

import yaml

from leadline.files import atomic_path
from leadline.networks.trained_part import RUN_MODEL
from leadline.training.changes import Change, changes
from leadline.training.overrides import EXTRACTOR, EXTRACTOR_BACKBONE
from leadline.training.resume import Done

CONFIG = "config.yaml"
RESUME_POINT = "resume.ckpt"
CURVES = "curves.csv"
WANDB_ID = "wandb_id.txt"


def begin_run(
    run: Path,
    config: str,
    done: Done | None = None,
    images_per_batch: int | None = None,
    frames: str | None = None,
) -> list[str]:
    """Write the configuration of a new run, or check that an old one is being continued.

    A folder without a resume point, because the first attempt failed or was killed before there was
    one, may be given another configuration: its run begins anew.

    Args:
        run: the folder.
        config: the complete configuration as YAML.
        done: what its resume point says.
        images_per_batch: batch_size x devices of the run that is about to begin.
        frames: what it is about to be trained and validated on, see `frames_of`.

    Returns:
        What has changed, of that which may.

    Raises:
        ValueError: the folder's configuration differs, naming the first settings that do, or its
            batches or frames are others.
    """
    path = run / CONFIG
    told: list[str] = []
    if is_under_way(run):
        done = done or Done()
        changed = changes(path.read_text(), config)
        _refuse_other_settings(run, changed, done)
        _refuse_other_batches(run, done, images_per_batch)
        told = [str(change) for change in changed]
        if done.frames not in (None, frames):
            _refuse_other_data(run, changed)
            told.append("frames were added or lost since")
    with atomic_path(path) as temporary:
        temporary.write_text(config)
    return told


def is_under_way(run: Path) -> bool:
    """Whether a folder has a run that can be gone on with."""
    return (run / CONFIG).exists() and (run / RESUME_POINT).exists()


def recorded_start(run: Path) -> str | None:
    """The model folder whose weights the run that is under way in a folder started from."""
    if not is_under_way(run):
        return None
    start = (yaml.safe_load((run / CONFIG).read_text()).get("run") or {}).get("init_from")
    return None if start is None else str(start)


def recorded_extractor(run: Path) -> list[str]:
    """The settings by which the run that is under way in a folder names its trained extractor."""
    if not is_under_way(run):
        return []
    values = yaml.safe_load((run / CONFIG).read_text())
    for key in EXTRACTOR.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    if not isinstance(values, dict) or "trained" not in values:
        return []
    backbone = values["backbone"]
    kept = run / RUN_MODEL / EXTRACTOR_BACKBONE
    if Path(backbone).is_absolute() and not Path(backbone).exists() and kept.is_file():
        backbone = kept
    return [f"--{EXTRACTOR}.trained={values['trained']}", f"--{EXTRACTOR}.backbone={backbone}"]


def _refuse_other_settings(run: Path, changed: list[Change], done: Done) -> None:
    # Where nobody noted how many images a batch had, it must be seen to be the same.
    fixed = {"data.batch_size"} if done.images_per_batch is None else set()
    forbidden = [str(change) for change in changed if change.name in fixed or not change.is_allowed]
    if forbidden:
        raise ValueError(
            f"{run} holds a run with other settings ({'; '.join(forbidden[:3])}): "
            "give another folder, or the same settings to resume it"
        )


def _refuse_other_batches(run: Path, done: Done, images_per_batch: int | None) -> None:
    if done.images_per_batch not in (None, images_per_batch):
        raise ValueError(
            f"{run} holds a run with {done.images_per_batch} images a batch (batch_size x "
            f"devices), this one would have {images_per_batch}: change data.batch_size or "
            "run.devices so that there are as many, or give another folder"
        )


def _refuse_other_data(run: Path, changed: list[Change]) -> None:
    """Data that have been moved are the same; other frames at another place are others."""
    moves = [str(change) for change in changed if change.is_move]
    if moves:
        raise ValueError(
            f"{run} holds a run on other frames ({'; '.join(moves)}): give another folder, or the "
            "data that it was trained on to resume it"
        )
