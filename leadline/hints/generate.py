"""Hints for a whole data set: every core, resumable, each file whole or absent."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, Quality, make_hints
from leadline.hints.plan import Plan, plan
from leadline.hints.sheet import write_sheet
from leadline.hints.summary import Failure, HintSummary
from leadline.hints.workers import available_cores, in_processes

_SHEET_ROWS = 5


def generate_hints(
    jobs: Sequence[HintJob],
    folder: Path,
    method: HintMethod | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    console: Console | None = None,
) -> HintSummary:
    """Make the hints of `jobs` in `folder`, with `summary.json` and `contact_sheet.png` beside.

    Hints that are there, whole and of the same method, stay. Hints of another method stop the run
    before it starts, unless `overwrite` lets them be replaced. A pair that cannot be read costs
    one line, and the rest goes on: see `HintSummary.failures`. After an interruption the same call
    goes on where it stopped. `workers` left out: one per core. Scripts must call this under
    `if __name__ == "__main__":`, since workers import the script.

    Raises:
        ValueError: no jobs, two views for one file, or hints of another method in the folder.
        OSError: the folder cannot be written, or the disk is full.
        RuntimeError: a worker process was killed.
        KeyboardInterrupt: after what was under way has been written.
    """
    method = method or HintMethod()
    console = console or Console(stderr=True)
    start = time.perf_counter()
    todo = plan(jobs, folder, method, overwrite=overwrite)
    qualities, failures = _run(todo, folder, method, workers or available_cores(), console)
    qualities = {**todo.there, **qualities}
    summary = HintSummary.of(
        method.recorded(),
        list(qualities.values()),
        failures,
        skipped=len(todo.there),
        seconds=time.perf_counter() - start,
        bytes_per_hint=_mean_size([folder / view for view in qualities]),
    )
    summary.write(folder)
    _show([job for job in jobs if job.left_hint in qualities], folder)
    return summary


def _run(
    todo: Plan, folder: Path, method: HintMethod, workers: int, console: Console
) -> tuple[dict[PurePosixPath, Quality], list[Failure]]:
    qualities: dict[PurePosixPath, Quality] = {}
    failures: list[Failure] = []
    work = partial(_attempt, method=method, folder=folder)
    start = time.perf_counter()
    with _progress(console) as progress:
        task = progress.add_task("hints", total=len(todo.jobs), rate="")
        try:
            for result in in_processes(work, todo.jobs, workers, preload=make_hints.__module__):
                if isinstance(result, Failure):
                    failures.append(result)
                    progress.console.print(f"failed: {result.reason}", markup=False, soft_wrap=True)
                else:
                    qualities.update(result)
                rate = len(qualities) / (time.perf_counter() - start)
                progress.update(task, advance=1, rate=f"{rate:.1f} views/s")
        except KeyboardInterrupt:
            progress.console.print(
                f"stopped after {len(qualities)} new hints; the same command goes on from there"
            )
            raise
    return qualities, failures


def _attempt(
    job: HintJob, method: HintMethod, folder: Path
) -> Mapping[PurePosixPath, Quality] | Failure:
    try:
        return make_hints(job, method, folder)
    except (FileNotFoundError, ValueError) as error:
        return Failure(str(job.hints[0]), str(error))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("pairs, {task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    )


def _mean_size(paths: Sequence[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / max(len(paths), 1)


def _show(jobs: Sequence[HintJob], folder: Path) -> None:
    if jobs:
        step = -(-len(jobs) // _SHEET_ROWS)
        write_sheet(jobs[::step], folder)
