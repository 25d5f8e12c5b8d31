"""A cluster of processes that die, vanish and run out of disk makes the hints of one process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, free_port, kill, wait_until
from commands import leadline
from distributed import Client
from hints.pairs import METHOD, write_pair
from worlds import write_stereo_folder

from leadline.cluster import session
from leadline.hints.generate import generate_hints
from leadline.hints.pair import HintJob
from leadline.hints.summary import HintSummary

HOOK = """
import os, signal, time
from pathlib import Path
from leadline.hints import pair

desk = Path("DESK")
if pair.write_disparity.__name__ == "write_disparity":
    write = pair.write_disparity  # Dask may run this twice

def write_and_tell(path, *rest):
    if (desk / "slow").exists():
        time.sleep(0.1)
    if (desk / "full").exists():
        note("refused", path)
        raise OSError(28, "No space left on device", str(path))
    if (desk / "deadly").exists() and path.name == (desk / "deadly").read_text():
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, *rest)
    note("written", path)

def note(what, path):
    with (desk / f"{what}.txt").open("a") as notes:
        notes.write(f"{path}\\n")

pair.write_disparity = write_and_tell
"""
PAIRS = 16
PART_WAY = 4


class Shop:
    """A cluster whose workers note what they write, and can be slowed, starved and poisoned."""

    def __init__(self, root: Path) -> None:
        self.desk = root / "desk"
        self.desk.mkdir(parents=True)
        self.cluster = Cluster(root / "cluster")
        self.cluster.start_scheduler()
        self.hire(2)

    def hire(self, count: int) -> None:
        for _ in range(count):
            self.cluster.start_worker(HOOK.replace("DESK", str(self.desk)))

    def ready(self) -> None:
        """With nothing noted or set, a scheduler, and a worker at least."""
        for path in self.desk.iterdir():
            path.unlink()
        scheduler = self.cluster.scheduler
        if scheduler is None or scheduler.poll() is not None:
            self.cluster.start_scheduler()
            time.sleep(1)
        if not self.alive():
            self.hire(1)

    def alive(self) -> "list[Any]":
        return [worker for worker in self.cluster.workers if worker.poll() is None]

    def noted(self, what: str) -> list[str]:
        path = self.desk / f"{what}.txt"
        return path.read_text().splitlines() if path.exists() else []

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """While a worker that dies is followed by another."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.1):
                if not self.alive():
                    self.hire(1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        yield
        over.set()
        watcher.join()


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    yield shop
    shop.cluster.stop()


@pytest.fixture
def shop(shared_shop: Shop) -> Shop:
    shared_shop.ready()
    return shared_shop


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[HintJob]:
    folder = tmp_path_factory.mktemp("images")
    return [write_pair(folder, number) for number in range(PAIRS)]


@pytest.fixture(scope="module")
def alone(jobs: list[HintJob], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes."""
    folder = tmp_path_factory.mktemp("alone")
    generate_hints(jobs, folder, METHOD, workers=1)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """By name, everything that lies there, half files as well."""
    found = (path for path in folder.rglob("*/*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def together(
    shop: Shop,
    jobs: list[HintJob],
    folder: Path,
    mishap: Callable[[], None] = lambda: None,
    told: list[str] | None = None,
) -> HintSummary:
    """Hints by the cluster, with a mishap when a few are done."""

    def progress(done: int, total: int) -> None:
        assert done <= total <= len(jobs)
        if done == PART_WAY:
            mishap()

    return generate_hints(
        jobs,
        folder,
        METHOD,
        scheduler=shop.cluster.address,
        progress=progress,
        tell=(told if told is not None else []).append,
    )


def assert_each_was_written_once(shop: Shop, alone: dict[str, bytes], folder: Path) -> None:
    assert contents(folder) == alone
    assert sorted(shop.noted("written")) == sorted(str(folder / name) for name in alone)


def test_a_cluster_makes_the_hints_of_one_process(shop: Shop, tmp_path: Path) -> None:
    rig = write_stereo_folder(tmp_path / "rig", 4, (32, 64))
    words = ("hints", rig, "--width", 256, "--height", 32)
    assert leadline(*words, "--workers", 1, "--out", tmp_path / "alone").code == 0
    there = ("--scheduler", shop.cluster.address, "--out", tmp_path / "together")
    answer = leadline(*words, *there)
    assert answer.code == 0, answer.err
    hints_and_confidence = 2 * 8
    assert len(contents(tmp_path / "alone")) == hints_and_confidence
    assert contents(tmp_path / "together") == contents(tmp_path / "alone")
    assert len(shop.noted("written")) == 8
    assert "0 hints written in" in leadline(*words, *there).out


def test_units_of_a_killed_worker_go_elsewhere(
    shop: Shop, jobs: list[HintJob], alone: dict[str, bytes], tmp_path: Path
) -> None:
    (shop.desk / "slow").touch()
    if len(shop.alive()) < 2:
        shop.hire(1)
    summary = together(shop, jobs, tmp_path, mishap=lambda: kill(shop.alive()[0]))
    assert (summary.written, summary.failures) == (2 * PAIRS, ())
    assert_each_was_written_once(shop, alone, tmp_path)


def test_a_scheduler_that_comes_back_gets_what_is_left(
    shop: Shop, jobs: list[HintJob], alone: dict[str, bytes], tmp_path: Path
) -> None:
    def restart() -> None:
        assert shop.cluster.scheduler is not None
        kill(shop.cluster.scheduler)
        shop.cluster.start_scheduler()
        shop.hire(1)

    (shop.desk / "slow").touch()
    told: list[str] = []
    summary = together(shop, jobs, tmp_path, restart, told)
    assert (summary.written, summary.failures) == (2 * PAIRS, ())
    assert f"lost the scheduler {shop.cluster.address}; waiting up to 300 s for it" in told
    assert told[-1] == "the scheduler is back; the work goes on"
    # A worker that lost its scheduler ends what it has begun, and so does the next one.
    assert contents(tmp_path) == alone
    assert len(set(shop.noted("written"))) == 2 * PAIRS
    assert len(shop.noted("written")) <= 2 * (PAIRS + 2)


def test_a_disk_that_is_full_for_a_moment_costs_a_moment(
    shop: Shop, jobs: list[HintJob], alone: dict[str, bytes], tmp_path: Path
) -> None:
    def make_room() -> None:
        wait_until(lambda: shop.noted("refused"))
        (shop.desk / "full").unlink()

    room = threading.Thread(target=make_room)
    summary = together(
        shop, jobs, tmp_path, lambda: ((shop.desk / "full").touch(), room.start())[0]
    )
    room.join()
    assert (summary.written, summary.failures) == (2 * PAIRS, ())
    assert_each_was_written_once(shop, alone, tmp_path)


def test_an_interrupted_run_is_gone_on_with(
    shop: Shop, jobs: list[HintJob], alone: dict[str, bytes], tmp_path: Path
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    (shop.desk / "slow").touch()
    with pytest.raises(KeyboardInterrupt):
        together(shop, jobs, tmp_path, interrupt)
    time.sleep(0.5)  # a unit that was under way
    after = len(shop.noted("written"))
    assert 2 * PART_WAY <= after < 2 * PAIRS
    time.sleep(0.5)
    assert len(shop.noted("written")) == after
    assert together(shop, jobs, tmp_path).written == 2 * PAIRS - after
    assert_each_was_written_once(shop, alone, tmp_path)


def test_a_pair_that_kills_its_workers_is_one_failure(
    shop: Shop, jobs: list[HintJob], alone: dict[str, bytes], tmp_path: Path
) -> None:
    def forgive_nothing(dask_scheduler: Any = None) -> None:
        dask_scheduler.allowed_failures = 0

    with Client(shop.cluster.address, set_as_default=False) as client:
        client.run_on_scheduler(forgive_nothing)
    (shop.desk / "deadly").write_text("005.png")
    with shop.replacing():
        summary = together(shop, jobs, tmp_path)
    (failure,) = summary.failures
    assert failure.name == "left/005.png"
    assert "every worker that matched this pair was killed" in failure.reason
    rest = {name: data for name, data in alone.items() if "005.png" not in name}
    assert_each_was_written_once(shop, rest, tmp_path)


@pytest.mark.parametrize(
    ("preload", "says"),
    [
        ("import sys; sys.modules['leadline'] = None", "has no leadline, or another version"),
        (
            "import leadline; leadline.__version__ = '0.0.9'",
            r"has leadline 0\.0\.9 .*, the command 0\.1\.0 .*; install the same versions",
        ),
    ],
)
def test_a_worker_that_is_unlike_the_command_is_named_before_any_work(
    shop: Shop, jobs: list[HintJob], tmp_path: Path, preload: str, says: str
) -> None:
    worker = shop.cluster.start_worker(preload)
    wait_until(lambda: shop.cluster.is_known(worker))
    with pytest.raises(RuntimeError, match=rf"the worker tcp://127\.0\.0\.1:\d+ {says}"):
        together(shop, jobs, tmp_path)
    kill(worker)
    assert not contents(tmp_path)
    assert shop.noted("written") == []


def test_a_scheduler_that_stays_away_ends_the_run_in_one_line(
    shop: Shop, jobs: list[HintJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0.5)
    monkeypatch.setattr(session, "ANSWER", 0.5)

    def kill_scheduler() -> None:
        assert shop.cluster.scheduler is not None
        kill(shop.cluster.scheduler)

    (shop.desk / "slow").touch()
    with pytest.raises(RuntimeError, match="the scheduler did not come back within 0 s; what is"):
        together(shop, jobs, tmp_path, kill_scheduler)


def test_nobody_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ANSWER", 0.3)
    rig = write_stereo_folder(tmp_path / "rig", 2, (32, 64))
    words = ("hints", rig, "--out", tmp_path / "hints", "--scheduler")
    address = f"tcp://127.0.0.1:{free_port()}"
    answer = leadline(*words, address)
    assert answer.code == 2
    assert answer.complaint.startswith(f"{address}: no Dask scheduler answers there; start one")
    answer = leadline(*words, "somewhere")
    assert "expected an address like tcp://HOST:8786, got 'somewhere'" in answer.complaint
    answer = leadline(*words, address, "--workers", 2)
    assert "workers of this machine or the scheduler of a cluster, got both" in answer.complaint
