"""What is left to do of a set of hints, judged by the files that are there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from leadline.data.depth_files import settings_of_whole
from leadline.files import file_state, remove_leftovers
from leadline.hints.method import HintMethod
from leadline.hints.origin import Origin
from leadline.hints.pair import HintJob, Quality


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


def plan(jobs: Sequence[HintJob], folder: Path, method: HintMethod, *, overwrite: bool) -> Plan:
    """Compare `jobs` with the folder, and remove from it what must not be taken for their hints.

    A hint counts as there if it is whole, records the same method, and was made of the images of
    its job as they are now: see `Origin.is_same`. One that records no images, of an older version,
    must be newer than they are. Hints of images that have changed since are removed, to be made
    again, and so is what killed runs left half written. With `overwrite` nothing counts as there,
    and hints of another method or of other images are removed as well.

    Raises:
        ValueError: no jobs, two views for one file, or, unless `overwrite`, a hint of another
            method, or of other images by the same names.
    """
    _check_views(list(_views(jobs)))
    recorded = method.recorded()
    found: dict[PurePosixPath, _Found] = {}
    for job in jobs:
        origin = _origin(job)
        found |= {view: _examine(folder / view, recorded, origin) for view in job.hints}
    if not overwrite:
        _refuse_others(found, folder)
    remove_leftovers([folder, *(folder / view.parent for view in found)])
    for view, hint in found.items():
        if hint.changed or hint.difference:
            (folder / view).unlink(missing_ok=True)
    there = {
        view: hint.quality
        for view, hint in found.items()
        if hint.quality is not None and not overwrite
    }
    reduced = (
        replace(
            job,
            left_hint=None if job.left_hint in there else job.left_hint,
            right_hint=None if job.right_hint in there else job.right_hint,
        )
        for job in jobs
    )
    return Plan(
        tuple(job for job in reduced if job.hints),
        there,
        frozenset(view for view, hint in found.items() if hint.changed),
    )


def _views(jobs: Sequence[HintJob]) -> Iterator[PurePosixPath]:
    for job in jobs:
        yield from job.hints


def _check_views(views: Sequence[PurePosixPath]) -> None:
    if not views:
        raise ValueError("no stereo pairs to make hints of: expected both images of some frames")
    if len(set(views)) < len(views):
        twice = next(view for n, view in enumerate(views) if view in views[:n])
        raise ValueError(f"{twice}: two views would be written to this file; name them apart")


def _origin(job: HintJob) -> Origin | None:
    try:
        return Origin.of(job.left, job.right)
    except (FileNotFoundError, ValueError):
        return None  # told when the hint is made


def _examine(path: Path, recorded: Mapping[str, str], origin: Origin | None) -> _Found:
    try:
        texts = settings_of_whole(path)
        earlier = Origin.parse(texts)
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
        f"{key} = {texts.get(key, 'nothing')!r} instead of {value!r}"
        for key, value in recorded.items()
        if texts.get(key) != value
    )


def _refuse_others(found: Mapping[PurePosixPath, _Found], folder: Path) -> None:
    others = {view: hint.difference for view, hint in found.items() if hint.difference}
    if others:
        view, text = next(iter(others.items()))
        raise ValueError(
            f"{folder}: {len(others)} hints here were made in another way or of other images "
            f"(first {view}: {text}); choose another folder, or allow overwriting them "
            "(--overwrite)"
        )
