"""Hints for a whole data set: every core, resumable, each file whole or absent."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, Quality, make_hints
from leadline.hints.plan import Plan, plan
from leadline.hints.sheet import write_sheet
from leadline.hints.summary import Failure, HintSummary
from leadline.workers import available_cores, in_processes

_SHEET_ROWS = 5


def generate_hints(
    jobs: Sequence[HintJob],
    folder: Path,
    method: HintMethod | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> HintSummary:
    """Make the hints of `jobs` in `folder`, with `summary.json` and `contact_sheet.png` beside.

    Hints that are there, whole, of the same method and of the images as they are, stay; those of
    images that have changed since are made anew. Hints of another method, or of other images by the
    same names, stop the run before it starts. `overwrite` replaces them, and makes anew what could
    have stayed. A pair that cannot be read costs one line, and the rest goes on: see
    `HintSummary.failures`. After an interruption the same call goes on where it stopped, if it is
    given without `overwrite`. `workers` left out: one per core. `progress` is told how many pairs
    of how many are done. Scripts must call this under `if __name__ == "__main__":`, since workers
    import the script.

    Raises:
        ValueError: no jobs, fewer than one worker, two views for one file, or hints of another
            method or of other images in the folder.
        OSError: the folder cannot be written, or the disk is full.
        RuntimeError: a worker process was killed.
        KeyboardInterrupt: after what was under way has been written.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected 1 process or more, got {workers}")
    method = method or HintMethod()
    start = time.perf_counter()
    todo = plan(jobs, folder, method, overwrite=overwrite)
    qualities, failures = _run(todo, folder, method, workers or available_cores(), progress)
    qualities = {**todo.there, **qualities}
    summary = HintSummary.of(
        method.recorded(),
        list(qualities.values()),
        failures,
        skipped=len(todo.there),
        changed=len(todo.changed & qualities.keys()),
        seconds=time.perf_counter() - start,
        bytes_per_hint=_mean_size([folder / view for view in qualities]),
    )
    summary.write(folder)
    _show([job for job in jobs if job.left_hint in qualities], folder)
    return summary


def _run(
    todo: Plan,
    folder: Path,
    method: HintMethod,
    workers: int,
    progress: Callable[[int, int], None],
) -> tuple[dict[PurePosixPath, Quality], list[Failure]]:
    qualities: dict[PurePosixPath, Quality] = {}
    failures: list[Failure] = []
    work = partial(_attempt, method=method, folder=folder)
    results = in_processes(work, todo.jobs, workers, preload=make_hints.__module__)
    for done, result in enumerate(results, start=1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            qualities.update(result)
        progress(done, len(todo.jobs))
    return qualities, failures


def _attempt(
    job: HintJob, method: HintMethod, folder: Path
) -> Mapping[PurePosixPath, Quality] | Failure:
    try:
        return make_hints(job, method, folder)
    except (FileNotFoundError, ValueError) as error:
        return Failure(str(job.hints[0]), str(error))


def _mean_size(paths: Sequence[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / max(len(paths), 1)


def _show(jobs: Sequence[HintJob], folder: Path) -> None:
    if jobs:
        step = -(-len(jobs) // _SHEET_ROWS)
        write_sheet(jobs[::step], folder)
