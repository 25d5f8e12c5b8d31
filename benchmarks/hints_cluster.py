"""What three mishaps cost a Dask cluster that makes hints, and what its scheduler costs a unit.

A scheduler and two workers, separate processes of this machine, make the hints of a synthetic
world while a worker is killed, while the scheduler is killed and started again, and while the
disk is full for a moment (a small file system of its own, which only a user who may mount can
have). What comes of it is compared byte by byte with the hints of a single process.

    python benchmarks/hints_cluster.py --out runs/cluster [--pairs 40] [--data DATA]
"""

import argparse
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import distributed

from leadline.cluster.crew import ClusterCrew
from leadline.data.confidence_files import confidence_path
from leadline.data.sources.detect import open_source
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.pair import HintJob
from leadline.workers import Work

RESULTS = Path(__file__).with_suffix(".md")
DASK = "import sys; from dask.__main__ import main; sys.exit(main())"
UNITS = 2000
"""Empty ones, to see what handing out costs."""
FULL_SECONDS = 3.0
DISK_MEGABYTES = 64
MEGABYTE = 1 << 20


@dataclass
class Cluster:
    """A scheduler and workers of one thread, as processes of their own."""

    log: Path
    port: int
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def scheduler(self) -> "subprocess.Popen[bytes]":
        return self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def worker(self) -> "subprocess.Popen[bytes]":
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny")

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", DASK, *words, "--no-dashboard"],
                cwd=self.log.parent,
                env=os.environ | {"PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Row:
    """What became of one run."""

    mishap: str
    hints: int
    equal: int
    again: int
    left: int
    seconds: float
    told: Sequence[str]

    def __str__(self) -> str:
        told = "; ".join(self.told).replace("|", "/") or "nothing"
        return (
            f"| {self.mishap} | {self.hints} | {self.equal} | {self.again} | {self.left} | "
            f"{self.seconds:.1f} | {told} |"
        )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def run(
    mishap: str,
    jobs: Sequence[HintJob],
    folder: Path,
    alone: Path,
    scheduler: str,
    befall: Callable[[], None],
) -> Row:
    """All hints into an empty folder, with a mishap when a quarter is done, and once more after it
    to see that nothing is left to do.
    """
    seen: dict[str, int] = {}
    again: set[str] = set()
    told: list[str] = []

    def watch(done: int, total: int) -> None:
        look()
        if done == max(total // 4, 1):
            befall()

    def look() -> None:
        for name, then in times(folder).items():
            if seen.setdefault(name, then) != then:
                again.add(name)

    start = time.perf_counter()
    generate_hints(jobs, folder, scheduler=scheduler, progress=watch, tell=told.append)
    seconds = time.perf_counter() - start
    look()
    rest = generate_hints(jobs, folder, scheduler=scheduler)
    views = [view for job in jobs for view in job.hints]
    files = [path for view in views for path in (view, confidence_path(Path(), view))]
    equal = sum((folder / path).read_bytes() == (alone / path).read_bytes() for path in files)
    half = [path for path in folder.rglob(".*") if path.is_file()]
    print(mishap, seconds, told, flush=True)
    return Row(mishap, rest.skipped, equal, len(again), len(half), seconds, told)


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*/[!.]*.png")}


def fill_disk(folder: Path) -> Callable[[], None]:
    """Leaves no room on the file system of `folder`, and makes room after a moment."""

    def befall() -> None:
        filler = folder / "filler"
        # The child ends by itself, and the run goes on meanwhile.
        script = (
            f"import os, time; f = open({str(filler)!r}, 'wb', buffering=0)\n"
            f"try:\n    while f.write(bytes({MEGABYTE >> 4})): pass\nexcept OSError: pass\n"
            f"time.sleep({FULL_SECONDS}); os.unlink({str(filler)!r})"
        )
        subprocess.Popen([sys.executable, "-c", script])

    return befall


def overhead(cluster: Cluster, folder: Path) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of the scheduler, for each unit of nothing."""
    work = Work(abs, "nothing", str, abs)
    crew = ClusterCrew(cluster.address, folder, (), print)
    scheduler = cluster.processes[0]
    list(crew(work, range(16)))
    before, start = cpu_seconds(scheduler.pid), time.perf_counter()
    list(crew(work, range(UNITS)))
    wall = time.perf_counter() - start
    return wall / UNITS, (cpu_seconds(scheduler.pid) - before) / UNITS


def cpu_seconds(process: int) -> float:
    """User and system time so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    # After the name, the 12th and 13th field are ticks of user and system time.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(rows: Sequence[Row], cost: tuple[float, float], pairs: int) -> str:
    columns = (
        "hints | files equal to those of one process | written again | half files | seconds | told"
    )
    return f"""# Hints by a Dask cluster whose parts fail

`python benchmarks/hints_cluster.py`, {date.today()}: {platform.machine()}, {os.cpu_count()} cores
shared with other work, Python {platform.python_version()}, distributed {distributed.__version__};
a scheduler and two workers as processes of their own, {pairs} pairs, both views, two files each.
"Written again": files whose time of change moved after they were first seen. "Half files": what is
left under temporary names. Seconds include waiting for what was killed to be there again.

| mishap, when a quarter is done | {columns} |
|---|---|---|---|---|---|---|
{chr(10).join(map(str, rows))}

A unit that does nothing takes {cost[0] * 1e3:.2f} ms from submission to result, command and
workers included, and {cost[1] * 1e3:.2f} ms of the scheduler's CPU time ({UNITS} units): one
scheduler hands out at most {1 / cost[1]:.0f} units a second.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--data", type=Path, help="real pairs instead of a synthetic world")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    data = options.data
    if data is None:
        data = out / "world"
        size = ("--drives", "2", "--frames", str(-(-options.pairs // 2)))
        words = ["synthetic", str(data), *size, "--width", "1024", "--height", "320"]
        subprocess.run([sys.executable, "-m", "leadline", *words], check=True)
    jobs = source_jobs(open_source(data)).jobs[: options.pairs]
    for name in ("alone", "peace", "worker", "scheduler"):
        shutil.rmtree(out / name, ignore_errors=True)
    generate_hints(jobs, out / "alone", workers=1)
    cluster = Cluster(out / "log.txt", free_port())
    scheduler = cluster.scheduler()
    workers = [cluster.worker(), cluster.worker()]

    def restart() -> None:
        kill(scheduler)
        cluster.processes[0] = cluster.scheduler()
        cluster.processes.pop()
        cluster.worker()
        cluster.worker()

    def one(mishap: str, folder: Path, befall: Callable[[], None]) -> Row:
        return run(mishap, jobs, folder, out / "alone", cluster.address, befall)

    try:
        cost = overhead(cluster, out)
        rows = [
            one("none", out / "peace", lambda: None),
            one("a worker is killed", out / "worker", lambda: kill(workers[0])),
            one("the scheduler is killed and started again", out / "scheduler", restart),
        ]
        disk = out / "disk"
        disk.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True).returncode == 0:
            name = f"the disk is full for {FULL_SECONDS:.0f} s"
            rows.append(one(name, disk / "hints", fill_disk(disk)))
            subprocess.run(["umount", str(disk)], check=True)
    finally:
        cluster.stop()
    RESULTS.write_text(table(rows, cost, len(jobs)))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
