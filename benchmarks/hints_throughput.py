"""Hints per second on two cores, from JPEG files to hint files, beside the plain procedure.

usage: python benchmarks/hints_throughput.py .../kitti_stereo_2015/training [--rounds N]

Each round has the published procedure written plainly (`hints_plain.py`) make some pairs in two
processes of one thread each, then `generate_hints` the same pairs, many times over, with one worker
and with two. Wall time, of whole calls and from the first pair to the last: the start of processes
counts in the first only. The memory of a worker is the most that it ever held.

What only the plain procedure needs is imported where it runs: workers import this file.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median

import psutil

from leadline.hints.generate import generate_hints
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob

PAIRS, COPIES = 10, 16
"""The plain procedure makes each pair once, we make it so many times."""
VIEWS = 2


@dataclass(frozen=True)
class Timing:
    """One call, in views per second."""

    whole: float
    steady: float
    memory: float = 0.0
    """MB, of the worker that had most; 0 where this process, which holds more, was it."""


def write_photographs(training: Path, folder: Path) -> list[HintJob]:
    """The pairs as JPEG; copies are files of their own."""
    from hints_speed import as_jpeg

    originals = sorted((training / "image_2").glob("*.png"))[:PAIRS]
    jobs = []
    for copy in range(COPIES):
        for original in originals:
            name = f"{copy:02d}_{original.stem}"
            paths = []
            for side, camera in (("left", "image_2"), ("right", "image_3")):
                path = folder / side / f"{name}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                paths.append(as_jpeg(training / camera / original.name, path))
            views = (PurePosixPath(side, f"{name}.png") for side in ("left", "right"))
            jobs.append(HintJob(*paths, *views))
    return jobs


def plain_pair(job: HintJob, folder: Path) -> None:
    import cv2
    import torch
    from hints_plain import plain_hint

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for number, right_view in enumerate((False, True)):
        plain_hint(
            job.left, job.right, folder / f"{job.left.stem}{number}.npy", right_view=right_view
        )


def time_plain(jobs: Sequence[HintJob], workers: int) -> Timing:
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(workers, mp_context=context) as pool,
    ):
        start = time.perf_counter()
        # What a process imports is not counted: its first pair is made beforehand.
        for future in [pool.submit(plain_pair, jobs[0], Path(name)) for _ in range(workers)]:
            future.result()
        first = time.perf_counter()
        for future in [pool.submit(plain_pair, job, Path(name)) for job in jobs]:
            future.result()
        end = time.perf_counter()
    return Timing(VIEWS * (len(jobs) + workers) / (end - start), VIEWS * len(jobs) / (end - first))


def time_ours(jobs: Sequence[HintJob], workers: int) -> Timing:
    times: list[float] = []
    most = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal most
        times.append(time.perf_counter())
        if workers > 1:
            most = max([most, *map(held, psutil.Process().children(recursive=True))])

    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        generate_hints(jobs, Path(name), HintMethod(), workers=workers, progress=progress)
        end = time.perf_counter()
    steady = VIEWS * (len(times) - workers) / (times[-1] - times[workers - 1])
    return Timing(VIEWS * len(jobs) / (end - start), steady, most)


def held(process: psutil.Process) -> float:
    """MB that a process has held at its peak; 0 where it has gone, or the system does not say."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0")
    return int(peak.split()[1]) / 1024


def main() -> None:
    from stereo_drive import setting

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path, help="folder with image_2 and image_3")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{setting()}\n")
    rows: dict[str, list[Timing]] = {}
    with tempfile.TemporaryDirectory() as name:
        jobs = write_photographs(options.training, Path(name))
        time_ours(jobs[:PAIRS], 2)  # compiles
        for _ in range(options.rounds):
            timings = {
                "plain, 2 processes": time_plain(jobs[:PAIRS], 2),
                "ours, 1 worker": time_ours(jobs, 1),
                "ours, 2 workers": time_ours(jobs, 2),
            }
            for what, timing in timings.items():
                rows.setdefault(what, []).append(timing)
                print(what, timing, flush=True)
    print("\n| | views/s, whole call | first pair to last | MB a worker |\n|---|---:|---:|---:|")
    for what, timings in rows.items():
        whole, steady = (
            f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
            for values in ([t.whole for t in timings], [t.steady for t in timings])
        )
        print(f"| {what} | {whole} | {steady} | {max(t.memory for t in timings):.0f} |")
    plain, one, two = rows.values()
    for what, above, below in (("ours to plain, two processes", two, plain), ("2 to 1", two, one)):
        whole = [a.whole / b.whole for a, b in zip(above, below, strict=True)]
        steady = [a.steady / b.steady for a, b in zip(above, below, strict=True)]
        print(f"{what}: whole {median(whole):.2f}, first to last {median(steady):.2f}; {steady}")


if __name__ == "__main__":
    main()
