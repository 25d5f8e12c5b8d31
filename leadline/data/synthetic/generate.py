"""Write a world to disk: claim the folder, plan the missing frames, make them on all cores."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leadline.data.synthetic.drive import Drive, make_drive
from leadline.data.synthetic.kinds import legend
from leadline.data.synthetic.kitti_writer import (
    frame_paths,
    record_paths,
    write_calibration,
    write_frame,
    write_records,
    write_splits,
)
from leadline.data.synthetic.rig import make_rig
from leadline.data.synthetic.seeds import Purpose, stream
from leadline.data.synthetic.settings import (
    DRIVES_PER_DATE,
    SILENT_SETTINGS,
    DrivePlan,
    WorldSettings,
)
from leadline.files import atomic_path, remove_leftovers
from leadline.workers import available_cores, in_processes

VERSION = 1
"""Changes with anything that changes the bytes of a world."""
LARGEST_JOB = 25
"""Frames per job: small enough for a lively progress report, large enough to pay for building the
drive again in another process.
"""
Progress = Callable[[int, int], None]
"""Called with the frames that are there and the frames wanted."""


@dataclass(frozen=True)
class Summary:
    """What `generate` did: stereo frames written and skipped because they were there."""

    root: Path
    written: int
    skipped: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.root}: {self.written} stereo frames written, {self.skipped} were there, "
            f"{self.seconds:.0f} s"
        )


@dataclass(frozen=True)
class _Job:
    root: Path
    settings: WorldSettings
    plan: DrivePlan
    frames: tuple[int, ...]
    with_records: bool


def generate(
    root: Path | str,
    settings: WorldSettings,
    *,
    workers: int = 0,
    progress: Progress | None = None,
) -> Summary:
    """Write a world below `root`, or finish one that was interrupted: frames whose files are all
    there are kept. `workers` counts processes, 0 = one per core; with 1 all is done in this one.

    Raises:
        ValueError: `root` holds something else, or a world with other settings, or `workers` < 0.
        ImportError: the extra `leadline[synthetic]` is not installed.
    """
    started = time.monotonic()
    if workers < 0:
        raise ValueError(f"workers: expected 0 (one per core) or more, got {workers}")
    folder = Path(root)
    _claim(folder, settings)
    remove_leftovers(_folders(folder, settings))
    for plan in settings.plans()[::DRIVES_PER_DATE]:
        date = stream(settings.seed, Purpose.RIG, settings.rig_of(plan.index))
        write_calibration(folder / plan.date, make_rig(settings, date), plan.date)
    write_splits(folder, settings)

    processes = workers or available_cores()
    jobs = list(_jobs(folder, settings, processes))
    wanted = settings.drives * settings.frames
    missing = sum(len(job.frames) for job in jobs)
    done = wanted - missing
    for count in _run(jobs, processes):
        done += count
        if progress is not None:
            progress(done, wanted)
    return Summary(folder, missing, wanted - missing, time.monotonic() - started)


def _folders(root: Path, settings: WorldSettings) -> Iterator[Path]:
    """Every folder in which this world has files."""
    yield from (root, root / "splits")
    for plan in settings.plans():
        yield root / plan.date
        drive = root / plan.path
        files = [*frame_paths(drive, 0, settings).values(), *record_paths(drive, settings)]
        yield from {path.parent for path in files}


def _claim(root: Path, settings: WorldSettings) -> None:
    """Write world.json, or check that the one there is ours."""
    description = _description(settings)
    path = root / "world.json"
    if path.exists():
        found = _read_description(path)
        if found != description:
            difference = _difference(found, description)
            raise ValueError(
                f"{root} holds another world ({difference}); choose an empty folder or the "
                "settings that it was begun with"
            )
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ValueError(
            f"{root}: expected an empty folder or a synthetic world, found other files"
        )
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _read_description(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(
            f"{path}: expected the description of a world, found no JSON object; "
            "choose an empty folder"
        )
    return found


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    there, here = (SILENT_SETTINGS | world.get("settings", {}) for world in (found, wanted))
    changed = [
        f"{key} {there.get(key)} there, {here[key]} here"
        for key in here
        if there.get(key) != here[key]
    ]
    return "; ".join(changed) or f"generator version {found.get('version')} there, {VERSION} here"


def _description(settings: WorldSettings) -> dict[str, Any]:
    return {
        "generator": "leadline.data.synthetic",
        "version": VERSION,
        "settings": settings.as_json(),
        "kinds": legend(),
        "drives": [
            {
                "path": plan.path,
                "roles": [str(role) for role in plan.roles],
                "style": str(plan.style),
                "lead_vehicle": plan.lead_vehicle,
                "frames": settings.frames,
                **({} if plan.standing is None else {"standing": list(plan.standing)}),
            }
            for plan in settings.plans()
        ],
    }


def _jobs(root: Path, settings: WorldSettings, workers: int) -> Iterator[_Job]:
    """The missing frames in pieces that keep all workers busy; records go with the first piece."""
    share = -(-settings.drives * settings.frames // workers)
    size = min(LARGEST_JOB, max(share, 1))
    for plan in settings.plans():
        folder = root / plan.path
        missing = [n for n in range(settings.frames) if not _finished(folder, n, settings)]
        lacks_records = not all(path.exists() for path in record_paths(folder, settings))
        pieces = [missing[i : i + size] for i in range(0, len(missing), size)] or [[]]
        for number, piece in enumerate(pieces):
            with_records = lacks_records and number == 0
            if piece or with_records:
                yield _Job(root, settings, plan, tuple(piece), with_records)


def _finished(folder: Path, number: int, settings: WorldSettings) -> bool:
    return all(path.exists() for path in frame_paths(folder, number, settings).values())


def _run(jobs: list[_Job], workers: int) -> Iterator[int]:
    """Do the jobs and yield how many frames each step made."""
    if workers == 1:
        for job in jobs:
            yield from _do(job)
        _drive.cache_clear()
        return
    yield from in_processes(_do_whole, jobs, workers, preload=__name__)


@lru_cache(maxsize=1)
def _drive(settings: WorldSettings, plan: DrivePlan) -> Drive:
    """The drive at hand: successive jobs of one process share it."""
    return make_drive(settings, plan)


def _do(job: _Job) -> Iterator[int]:
    drive = _drive(job.settings, job.plan)
    folder = job.root / job.plan.path
    if job.with_records:
        write_records(folder, drive)
    for number in job.frames:
        write_frame(folder, number, drive.frame(number), job.settings)
        yield 1


def _do_whole(job: _Job) -> int:
    return sum(_do(job))
