"""What is left to do of a set of hints, judged by the files that are there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from leadline.data.depth_files import is_current, read_settings
from leadline.files import remove_leftovers
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, Quality


@dataclass(frozen=True)
class Plan:
    """Jobs reduced to the views that are missing, and the figures of those that are there."""

    jobs: tuple[HintJob, ...]
    there: Mapping[PurePosixPath, Quality]


def plan(jobs: Sequence[HintJob], folder: Path, method: HintMethod, *, overwrite: bool) -> Plan:
    """Compare `jobs` with the folder; what killed runs left half written is removed from it.

    A hint counts as there if it is whole and records the same method; a damaged one is made anew.

    Raises:
        ValueError: no jobs, two views for one file, or, unless `overwrite`, a hint of another
            method.
    """
    views = list(_views(jobs))
    if not views:
        raise ValueError("no stereo pairs to make hints of: expected both images of some frames")
    if len(set(views)) < len(views):
        twice = next(view for n, view in enumerate(views) if view in views[:n])
        raise ValueError(f"{twice}: two views would be written to this file; name them apart")
    recorded = method.recorded()
    present = [view for view in views if (folder / view).is_file()]
    there = {view for view in present if is_current(folder / view, recorded)}
    if not overwrite:
        _refuse_foreign([view for view in present if view not in there], folder, recorded)
    remove_leftovers([folder, *(folder / view.parent for view in views)])
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
        {view: Quality.parse(read_settings(folder / view)) for view in views if view in there},
    )


def _views(jobs: Sequence[HintJob]) -> Iterator[PurePosixPath]:
    for job in jobs:
        yield from job.hints


def _refuse_foreign(
    views: Sequence[PurePosixPath], folder: Path, recorded: Mapping[str, str]
) -> None:
    foreign = {view: _differences(folder / view, recorded) for view in views}
    foreign = {view: text for view, text in foreign.items() if text}
    if foreign:
        view, text = next(iter(foreign.items()))
        raise ValueError(
            f"{folder}: {len(foreign)} hints here were made in another way (first {view}: {text}); "
            "choose another folder, or allow overwriting them"
        )


def _differences(path: Path, recorded: Mapping[str, str]) -> str:
    try:
        other = read_settings(path)
    except ValueError:
        return ""  # a damaged file is nobody's
    return ", ".join(
        f"{key} = {other.get(key, 'nothing')!r} instead of {value!r}"
        for key, value in recorded.items()
        if other.get(key) != value
    )
