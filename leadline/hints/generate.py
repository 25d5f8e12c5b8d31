"""Hints for a whole data set: every core or a cluster, resumable, each file whole or absent."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from leadline.data.confidence_files import confidence_path
from leadline.files import once_there_is_room, remove_leftovers
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, Quality, make_hints
from leadline.hints.plan import hint_folders, hints_there, plan
from leadline.hints.sheet import write_sheet
from leadline.hints.summary import Failure, HintSummary
from leadline.workers import Crew, Item, Result, Work, available_cores, in_processes

_SHEET_ROWS = 5
_WEIGHED = 10_000
"""Of so many hints at most the size is looked at."""


def generate_hints(
    jobs: Sequence[HintJob],
    folder: Path,
    method: HintMethod | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    tell: Callable[[str], None] = lambda message: None,
) -> HintSummary:
    """Make the hints of `jobs` in `folder`, with `summary.json` and `contact_sheet.png` beside.

    Hints that are there, whole, of the same method and of the images as they are, stay; those of
    images that have changed since are made anew. Hints of another method, or of other images by the
    same names, stop the run before it starts. `overwrite` replaces them, and makes anew what could
    have stayed. A pair that cannot be read costs one line, and the rest goes on: see
    `HintSummary.failures`. After an interruption the same call goes on where it stopped, if it is
    given without `overwrite`. A full disk is given half a minute to have room again. `progress` is
    told how many pairs of how many are done.

    `workers` are processes of this machine; left out: one per core. One is this process, which then
    keeps the memory that it frees (see `keep_freed_memory`). Scripts must call this under
    `if __name__ == "__main__":`, since workers import the script. `scheduler` is the address of a
    Dask cluster that does the work instead, on a file system that its machines share; `tell` hears
    what becomes of it, and a pair that kills its workers is a failure.

    Raises:
        ValueError: no jobs, fewer than one worker, workers beside a scheduler, two views for one
            file, or hints of another method or of other images in the folder.
        OSError: the folder cannot be written, or the disk is full.
        RuntimeError: a worker process was killed; the cluster is not fit for the work, or gone.
        ImportError, ConnectionError: there is no Dask here, or no scheduler at the address.
        KeyboardInterrupt: after what was under way has been written.
    """
    check_hands(workers, scheduler)
    method = method or HintMethod()
    start = time.perf_counter()
    if scheduler is None:
        crew = _local_crew(workers or available_cores())
    else:
        jobs, folder = [_absolute(job) for job in jobs], folder.absolute()
        crew = _cluster_crew(scheduler, jobs, folder, tell)
    todo = plan(jobs, folder, method, overwrite=overwrite, crew=crew)
    make = partial(_attempt, method=method, folder=folder, anew=overwrite)
    qualities, failures = _run(Work(make, "hint", _name, _killed), todo.jobs, crew, progress)
    if scheduler is not None:
        remove_leftovers(hint_folders(_views(jobs), folder))
    qualities = {**todo.there, **qualities}
    summary = HintSummary.of(
        method.recorded(),
        list(qualities.values()),
        failures,
        skipped=len(todo.there),
        changed=len(todo.changed & qualities.keys()),
        seconds=time.perf_counter() - start,
        bytes_per_hint=_mean_size(folder, _evenly(list(qualities), _WEIGHED)),
    )
    summary.write(folder)
    _show([job for job in jobs if job.left_hint in qualities], folder)
    return summary


def check_hands(workers: int | None, scheduler: str | None) -> None:
    """Refuse what `generate_hints` refuses of who does the work.

    Raises:
        ValueError: fewer than one worker, or workers beside a scheduler.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected 1 process or more, got {workers}")
    if workers is not None and scheduler is not None:
        raise ValueError("expected workers of this machine or the scheduler of a cluster, got both")


def _local_crew(workers: int) -> Crew:
    def results(work: Work[Item, Result], items: Sequence[Item]) -> Iterator[Result]:
        return in_processes(work.do, items, workers, preload=__name__)

    return results


def _cluster_crew(
    scheduler: str, jobs: Sequence[HintJob], folder: Path, tell: Callable[[str], None]
) -> Crew:
    from leadline.cluster.crew import ClusterCrew

    examples = {image for job in (*jobs[:1], *jobs[-1:]) for image in (job.left, job.right)}
    return ClusterCrew(scheduler, folder, tuple(sorted(filter(Path.is_file, examples))), tell)


def _absolute(job: HintJob) -> HintJob:
    return replace(job, left=job.left.absolute(), right=job.right.absolute())


def _views(jobs: Sequence[HintJob]) -> Iterator[PurePosixPath]:
    for job in jobs:
        yield from job.hints


def _run(
    work: Work[HintJob, Mapping[PurePosixPath, Quality] | Failure],
    jobs: Sequence[HintJob],
    crew: Crew,
    progress: Callable[[int, int], None],
) -> tuple[dict[PurePosixPath, Quality], list[Failure]]:
    qualities: dict[PurePosixPath, Quality] = {}
    failures: list[Failure] = []
    for done, result in enumerate(crew(work, jobs), start=1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            qualities.update(result)
        progress(done, len(jobs))
    return qualities, failures


def _attempt(
    job: HintJob, method: HintMethod, folder: Path, anew: bool
) -> Mapping[PurePosixPath, Quality] | Failure:
    def make_what_is_missing() -> Mapping[PurePosixPath, Quality]:
        # A cluster may ask twice for what a lost worker has done already, and a disk that is full
        # after the first view of a pair may have room for the other one later.
        there = {} if anew else hints_there(job, folder, method)
        rest = job.without(there)
        return there | make_hints(rest, method, folder) if rest.hints else there

    try:
        return once_there_is_room(make_what_is_missing)
    except (FileNotFoundError, ValueError) as error:
        return Failure(_name(job), str(error))


def _name(job: HintJob) -> str:
    return str(job.hints[0])


def _killed(job: HintJob) -> Failure:
    return Failure(
        _name(job), f"{job.left}: every worker that matched this pair was killed; see their logs"
    )


def _mean_size(folder: Path, views: Sequence[PurePosixPath]) -> float:
    """Bytes of a hint and of the confidence beside it, if there is one."""
    files = [path for view in views for path in (folder / view, confidence_path(folder, view))]
    return sum(path.stat().st_size for path in files if path.is_file()) / max(len(views), 1)


def _evenly(views: Sequence[PurePosixPath], most: int) -> Sequence[PurePosixPath]:
    return views[:: -(-len(views) // most)] if views else views


def _show(jobs: Sequence[HintJob], folder: Path) -> None:
    if jobs:
        step = -(-len(jobs) // _SHEET_ROWS)
        write_sheet(jobs[::step], folder)
