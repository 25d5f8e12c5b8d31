"""A Dask cluster of separate processes on this machine, to be mishandled."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
START = "import sys; from dask.__main__ import main; sys.exit(main())"


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Cluster:
    """A scheduler, and workers of one thread each without anybody to restart them."""

    folder: Path
    port: int = field(default_factory=free_port)
    scheduler: "subprocess.Popen[bytes] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        words = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        self.scheduler = self._start("scheduler", *words)

    def start_worker(self, preload: str = "") -> "subprocess.Popen[bytes]":
        """A worker that first does what `preload`, a Python text, says."""
        words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
        words += ["--name", f"worker{len(self.workers)}"]
        if preload:
            script = self.folder / f"preload{len(self.workers)}.py"
            script.write_text(preload)
            words += ["--preload", str(script)]
        worker = self._start("worker", self.address, *words)
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        """End all of them."""
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait()

    def is_known(self, worker: "subprocess.Popen[bytes]") -> bool:
        """Whether the scheduler has met this worker."""
        return f"name: worker{self.workers.index(worker)}\n" in self.log()

    def log(self) -> str:
        """What all processes said."""
        return (self.folder / "log.txt").read_text()

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        self.folder.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", START, *words],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )


def wait_until(condition: Callable[[], object], seconds: float = 90) -> None:
    """Look every moment."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.02)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """At once, with no word to anybody."""
    process.send_signal(signal.SIGKILL)
    process.wait()
