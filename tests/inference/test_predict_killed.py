"""A prediction that is killed and started again is the prediction that was never killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from commands import leadline
from leftovers import leave_half_a_file
from small_models import files_below, write_model, write_photographs, write_tiny_backbone

COUNT = 50
TIMEOUT = 120
"""Seconds; far beyond what a slow machine takes to predict the first photographs."""


def kill_after(command: list[str], folder: Path, count: int) -> None:
    """Start a prediction, and kill it when `folder` holds so many results."""
    process = subprocess.Popen(
        [sys.executable, "-m", "leadline", *command],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + TIMEOUT
    try:
        while len(list(folder.glob("[!.]*"))) < count:
            assert process.poll() is None, "the prediction ended before it could be killed"
            assert time.monotonic() < deadline, "the prediction took too long"
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", str(write_tiny_backbone(tmp_path / "backbone")))
    names = [f"{number:03d}.png" for number in range(COUNT)]
    photographs = write_photographs(tmp_path / "photographs", names, size=(20, 30))

    def words(out: Path) -> list[str]:
        kinds = ("--outputs", "npy", "millimetres", "colour")
        return ["predict", str(model), str(photographs), "--out", str(out), *kinds]

    out = tmp_path / "out"
    kill_after(words(out), out / "colour", 5)
    finished = [path for path in out.rglob("[!.]*.*") if path.is_file()]
    for path in finished:  # each is whole
        if path.suffix == ".npy":
            assert np.load(path).shape == (20, 30)
        elif path.suffix == ".png":
            assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape[:2] == (20, 30)
    results = [path for path in finished if path.parent != out]
    assert 5 * 3 <= len(results) < COUNT * 3
    times = {path: path.stat().st_mtime_ns for path in results}
    for folder in (out, out / "npy", out / "colour"):
        leave_half_a_file(folder / "000.png")

    answer = leadline(*words(out))
    assert answer.code == 0, answer.err
    kept = int(answer.out.split(" kept")[0].split()[-1])
    assert 5 <= kept < COUNT
    # All three results of a photograph make it finished; of the one under way some may be there.
    again = [path for path in results if path.stat().st_mtime_ns != times[path]]
    assert len(results) - len(again) == 3 * kept
    assert len({path.stem for path in again}) <= 1

    assert leadline(*words(tmp_path / "whole")).code == 0
    found, expected = files_below(out), files_below(tmp_path / "whole")
    assert len(found) == 3 * COUNT + 1
    assert found == expected


WRITE_SLOWLY = """
import sys
from pathlib import Path
from leadline.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("whole")
    print("at work", flush=True)
    sys.stdin.read()
"""


def test_another_process_at_work_in_the_same_folder_is_not_disturbed(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", str(write_tiny_backbone(tmp_path / "backbone")))
    photographs = write_photographs(tmp_path / "photographs", ["a.png"], size=(20, 30))
    words = ("predict", model, photographs, "--out", tmp_path / "out", "--outputs", "npy")
    assert leadline(*words).code == 0
    other = tmp_path / "out" / "npy" / "b.npy"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE_SLOWLY, str(other)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"at work\n"
        assert leadline(*words).code == 0
        writer.communicate(timeout=TIMEOUT)
    finally:
        writer.kill()
        writer.wait()
    assert writer.returncode == 0
    assert other.read_text() == "whole"
