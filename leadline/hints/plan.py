"""What is left to do of a set of hints, judged by the files that are there."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from leadline.data.confidence_files import confidence_path
from leadline.data.depth_files import settings_of_whole
from leadline.files import file_state, remove_leftovers
from leadline.hints.method import CONFIDENCE_KEY, HintMethod
from leadline.hints.origin import Origin
from leadline.hints.pair import HintJob, Quality
from leadline.workers import Crew, Work

FEW = 1000
"""Pairs that are sooner looked at by this process than given to others; with more, also how many
are given at a time."""


@dataclass(frozen=True)
class Plan:
    """Jobs reduced to the views that are to be made, and the figures of those that are there."""

    jobs: tuple[HintJob, ...]
    there: Mapping[PurePosixPath, Quality]
    changed: frozenset[PurePosixPath]
    """Views that were there, of images that have changed since."""


@dataclass(frozen=True)
class _Found:
    """What lies where a hint is wanted; by default nothing of use: no file, or a damaged one."""

    quality: Quality | None = None
    """Of the very hint that is wanted."""
    difference: str = ""
    """How this hint was made otherwise."""
    changed: bool = False
    """Whether its images have changed since."""


def plan(
    jobs: Sequence[HintJob],
    folder: Path,
    method: HintMethod,
    *,
    overwrite: bool,
    crew: Crew | None = None,
) -> Plan:
    """Compare `jobs` with the folder, and remove from it what must not be taken for their hints.

    A hint counts as there if it is whole, records the same method, and was made of the images of
    its job as they are now: see `Origin.is_same`. One that records no images, of an older version,
    must be newer than they are. Hints of images that have changed since are removed, to be made
    again, and so is what killed runs left half written. With `overwrite` nothing counts as there,
    and hints of another method or of other images are removed as well.
    Where thousands are there, `crew` looks at them.

    Raises:
        ValueError: no jobs, two views for one file, or, unless `overwrite`, a hint of another
            method, or of other images by the same names.
    """
    views = [view for job in jobs for view in job.hints]
    _check_views(views)
    found = _look(_those_there(jobs, views, folder), folder, method, crew)
    if not overwrite:
        _refuse_others(found, folder)
    remove_leftovers(hint_folders(views, folder))
    for view, hint in found.items():
        if hint.changed or hint.difference:
            (folder / view).unlink(missing_ok=True)
    there = {
        view: hint.quality
        for view, hint in found.items()
        if hint.quality is not None and not overwrite
    }
    reduced = (job.without(there) for job in jobs)
    return Plan(
        tuple(job for job in reduced if job.hints),
        there,
        frozenset(view for view, hint in found.items() if hint.changed),
    )


def hints_there(job: HintJob, folder: Path, method: HintMethod) -> dict[PurePosixPath, Quality]:
    """The views of a job whose hints are there: see `plan`."""
    found = _examine_job(job, folder, method.recorded())
    return {view: hint.quality for view, hint in found.items() if hint.quality is not None}


def hint_folders(views: Iterable[PurePosixPath], folder: Path) -> list[Path]:
    """Every folder that files of these hints lie in."""
    parents = dict.fromkeys(view.parent for view in views)
    beside = [confidence_path(folder, parent) for parent in parents]
    return [folder, *(folder / parent for parent in parents), *filter(Path.is_dir, beside)]


def _check_views(views: Sequence[PurePosixPath]) -> None:
    if not views:
        raise ValueError("no stereo pairs to make hints of: expected both images of some frames")
    if len(set(views)) < len(views):
        twice = Counter(views).most_common(1)[0][0]
        raise ValueError(f"{twice}: two views would be written to this file; name them apart")


def _those_there(
    jobs: Sequence[HintJob], views: Iterable[PurePosixPath], folder: Path
) -> list[HintJob]:
    """Jobs reduced to views of which there is a file: what is not there needs no look."""
    names = {
        parent: frozenset(os.listdir(folder / parent))
        for parent in dict.fromkeys(view.parent for view in views)
        if (folder / parent).is_dir()
    }
    missing = {view for view in views if view.name not in names.get(view.parent, ())}
    return [job for job in (job.without(missing) for job in jobs) if job.hints]


def _look(
    jobs: Sequence[HintJob], folder: Path, method: HintMethod, crew: Crew | None
) -> dict[PurePosixPath, _Found]:
    examine = partial(_examine_jobs, folder=folder, recorded=method.recorded())
    if crew is None or len(jobs) <= FEW:
        return examine(jobs)
    parts = [jobs[at : at + FEW] for at in range(0, len(jobs), FEW)]
    work = Work(examine, "look", lambda part: str(part[0].hints[0]), _refuse_to_guess)
    results = list(crew(work, parts))
    return {view: hint for result in results for view, hint in result.items()}


def _refuse_to_guess(part: Sequence[HintJob]) -> dict[PurePosixPath, _Found]:
    raise RuntimeError(
        f"every process that looked at the hints from {part[0].hints[0]} on was killed; look for "
        "the cause in the workers' logs"
    )


def _examine_jobs(
    jobs: Sequence[HintJob], folder: Path, recorded: Mapping[str, str]
) -> dict[PurePosixPath, _Found]:
    found: dict[PurePosixPath, _Found] = {}
    for job in jobs:
        found |= _examine_job(job, folder, recorded)
    return found


def _examine_job(
    job: HintJob, folder: Path, recorded: Mapping[str, str]
) -> dict[PurePosixPath, _Found]:
    origin = _origin(job)
    return {view: _examine(folder, view, recorded, origin) for view in job.hints}


def _origin(job: HintJob) -> Origin | None:
    try:
        return Origin.of(job.left, job.right)
    except (FileNotFoundError, ValueError):
        return None  # told when the hint is made


def _examine(
    folder: Path, view: PurePosixPath, recorded: Mapping[str, str], origin: Origin | None
) -> _Found:
    path = folder / view
    try:
        texts = settings_of_whole(path)
        earlier = Origin.parse(texts)
        if CONFIDENCE_KEY in recorded:
            settings_of_whole(confidence_path(folder, view))
    except (FileNotFoundError, ValueError):
        return _Found()
    difference = _differences(texts, recorded)
    if difference or origin is None:
        return _Found(difference=difference)
    if earlier is None:
        changed = file_state(path)[1] < origin.newest
    else:
        changed = not earlier.is_same(origin)
        difference = earlier.place_differs(origin) if changed else ""
    if changed:
        return _Found(difference=difference, changed=not difference)
    return _Found(Quality.parse(texts))


def _differences(texts: Mapping[str, str], recorded: Mapping[str, str]) -> str:
    return ", ".join(
        _difference(key, texts.get(key, "nothing"), value)
        for key, value in recorded.items()
        if texts.get(key) != value
    )


def _difference(key: str, found: str, wanted: str) -> str:
    """Of two lists of settings those that are not in both."""
    parts, others = found.split(","), wanted.split(",")
    own = ",".join(part for part in parts if part not in others)
    new = ",".join(part for part in others if part not in parts)
    return f"{key} = {own!r} instead of {new!r}"


def _refuse_others(found: Mapping[PurePosixPath, _Found], folder: Path) -> None:
    others = {view: hint.difference for view, hint in found.items() if hint.difference}
    if others:
        view, text = next(iter(others.items()))
        raise ValueError(
            f"{folder}: {len(others)} hints here were made in another way or of other images "
            f"(first {view}: {text}); choose another folder, or allow overwriting them "
            "(--overwrite)"
        )
