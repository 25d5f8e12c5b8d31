import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hints.pairs import METHOD, pair, write_pair
from leftovers import leave_half_a_file
from PIL import Image

from leadline.data.depth_files import read_disparity, settings_of_whole, write_disparity
from leadline.hints import generate as generate_module
from leadline.hints.generate import generate_hints
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob
from leadline.hints.summary import HintSummary

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from hints.pairs import METHOD, write_pair
from leadline.hints.generate import generate_hints
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    jobs = [write_pair(folder, number) for number in range(int(sys.argv[3]))]
    generate_hints(jobs, folder / "hints", METHOD, workers=2)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> list[HintJob]:
    return [write_pair(tmp_path / "images", number) for number in range(3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "hints"


def run(jobs: list[HintJob], folder: Path, **options: Any) -> HintSummary:
    return generate_hints(jobs, folder, METHOD, **{"workers": 1, **options})


def modified(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*/*.png")}


def is_current(path: Path, method: HintMethod) -> bool:
    return method.recorded().items() <= settings_of_whole(path).items()


def test_every_view_gets_a_file_and_the_summary_describes_them(
    jobs: list[HintJob], folder: Path
) -> None:
    summary = run(jobs, folder)
    assert (summary.written, summary.skipped, summary.failures) == (6, 0, ())
    hints = [read_disparity(folder / view) for job in jobs for view in job.hints]
    assert summary.coverage == pytest.approx(np.mean([np.mean(hint > 0) for hint in hints]))
    assert summary.bytes_per_hint == np.mean([p.stat().st_size for p in modified(folder)])
    stored = json.loads((folder / "summary.json").read_text())
    assert stored["coverage"] == summary.coverage
    assert stored["method"] == METHOD.recorded()
    assert "6 hints written" in str(summary)


def test_a_second_run_keeps_what_is_whole_and_mends_the_rest(
    jobs: list[HintJob], folder: Path
) -> None:
    first = run(jobs, folder)
    before = modified(folder)
    whole = (folder / "left/001.png").read_bytes()
    (folder / "left/001.png").write_bytes(whole[:-20])
    (folder / "right/002.png").unlink()
    second = run(jobs, folder)
    assert (second.written, second.skipped) == (2, 4)
    assert (folder / "left/001.png").read_bytes() == whole
    changed = {path for path, at in modified(folder).items() if before.get(path) != at}
    assert changed == {folder / "left/001.png", folder / "right/002.png"}
    assert second.coverage == pytest.approx(first.coverage, abs=1e-4)
    assert second.shares == pytest.approx(first.shares, abs=1e-4)
    assert second.photometric_error == pytest.approx(first.photometric_error, abs=1e-4)


def test_hints_made_in_another_way_stop_the_run_or_are_overwritten(
    jobs: list[HintJob], folder: Path
) -> None:
    run(jobs, folder)
    before = modified(folder)
    other = replace(METHOD, mode="published")
    with pytest.raises(ValueError, match=r"6 hints here .* hints = 'valid' instead of 'published'"):
        generate_hints(jobs, folder, other, workers=1)
    assert modified(folder) == before
    generate_hints(jobs, folder, other, workers=1, overwrite=True)
    assert all(is_current(folder / view, other) for job in jobs for view in job.hints)


def test_files_of_other_origin_are_not_overwritten(jobs: list[HintJob], folder: Path) -> None:
    write_disparity(folder / "left/000.png", np.ones((4, 4), np.float32), {})
    with pytest.raises(ValueError, match=r"hints = 'nothing' instead of 'valid'"):
        run(jobs, folder)


def test_an_unreadable_pair_costs_one_line_and_the_rest_goes_on(
    jobs: list[HintJob], folder: Path
) -> None:
    jobs[1].right.write_bytes(b"no image")
    progress: list[tuple[int, int]] = []
    summary = run(jobs, folder, progress=lambda done, total: progress.append((done, total)))
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert summary.written == 4
    (failure,) = summary.failures
    assert failure.name == "left/001.png"
    assert str(jobs[1].right) in failure.reason
    lines = [line for line in str(summary).splitlines() if line.startswith("failed: ")]
    assert lines == [f"failed: {failure.name}: {failure.reason}"]
    assert not (folder / "left/001.png").exists()
    assert "1 pairs failed" in str(summary)


def test_what_all_pairs_failed_at_is_summed_up(jobs: list[HintJob], folder: Path) -> None:
    for job in jobs:
        job.left.unlink()
    summary = run(jobs, folder)
    assert (summary.written, len(summary.failures), summary.coverage) == (0, 3, 0)
    assert not (folder / "contact_sheet.png").exists()


def test_a_full_disk_stops_the_run(
    jobs: list[HintJob], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leadline.hints.pair.write_disparity", full)
    monkeypatch.setattr("leadline.files.PAUSES", (0.0, 0.0))
    with pytest.raises(OSError, match="No space left"):
        run(jobs, folder)


def test_the_contact_sheet_has_a_row_for_up_to_five_pairs(tmp_path: Path, folder: Path) -> None:
    jobs = [write_pair(tmp_path / "images", number) for number in range(11)]
    run(jobs, folder)
    with Image.open(folder / "contact_sheet.png") as sheet:
        width, height = sheet.size
    row = 26 + 512 // 4  # a caption, and a picture of a quarter of its width
    assert (width, height) == (3 * 512, 4 * row)  # every third of eleven


def test_jobs_without_work_are_refused(jobs: list[HintJob], folder: Path) -> None:
    with pytest.raises(ValueError, match="no stereo pairs"):
        run([replace(job, left_hint=None, right_hint=None) for job in jobs], folder)
    with pytest.raises(ValueError, match=r"left/000\.png: two views would be written"):
        run([jobs[0], jobs[1], jobs[0]], folder)
    with pytest.raises(ValueError, match="workers: expected 1 process or more, got -2"):
        run(jobs, folder, workers=-2)


def test_what_was_done_before_an_interruption_is_kept(
    jobs: list[HintJob], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(work: Any, items: Any, *_: Any, **__: Any) -> Iterator[Any]:
        yield work(items[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(generate_module, "in_processes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate_hints(jobs, folder, METHOD)
    monkeypatch.undo()
    assert run(jobs, folder).skipped == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_or_interrupted_it_leaves_whole_files_and_no_process(
    tmp_path: Path, how: signal.Signals
) -> None:
    number = 200
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    tests = Path(__file__).parents[1]
    command = [sys.executable, str(script), str(tmp_path), str(tests), str(number)]
    process = subprocess.Popen(
        command,
        start_new_session=True,
        stderr=subprocess.PIPE,
        # A test run in the background of a shell hands on that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    folder = tmp_path / "hints"
    wait_until(lambda: len(list(folder.rglob("[!.]*.png"))) >= 4)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.kill()
    process.wait(timeout=60)
    wait_until(lambda: not group_is_alive(process.pid))
    found = list(folder.rglob("[!.]*.png"))
    assert 4 <= len(found) < 2 * number
    assert all(is_current(path, METHOD) for path in found)
    if how == signal.SIGINT:
        assert not list(folder.rglob("*.part.png"))

    leave_half_a_file(folder / "left" / "000.png")
    (folder / "left/000.png").unlink(missing_ok=True)
    few = [pair(tmp_path, n) for n in range(3)]
    finished = {folder / view for job in few for view in job.hints if (folder / view).exists()}
    before = modified(folder)
    summary = run(few, folder)
    assert (summary.written, summary.skipped) == (6 - len(finished), len(finished))
    assert all(modified(folder)[path] == before[path] for path in finished)
    run(few, tmp_path / "undisturbed")
    for view in (view for job in few for view in job.hints):
        assert (folder / view).read_bytes() == (tmp_path / "undisturbed" / view).read_bytes()
    assert not list(folder.rglob("*.part.png"))


def wait_until(condition: Any, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_pair_that_is_asked_for_twice_is_made_once(jobs: list[HintJob], folder: Path) -> None:
    attempt = partial(generate_module._attempt, jobs[0], METHOD, folder)
    first = attempt(anew=False)
    before = modified(folder)
    (folder / jobs[0].right_hint).unlink()
    second = attempt(anew=False)
    assert first.keys() == second.keys() == set(jobs[0].hints)
    after = modified(folder)
    assert after[folder / jobs[0].left_hint] == before[folder / jobs[0].left_hint]
    assert attempt(anew=True).keys() == first.keys()
    assert modified(folder) != after


def test_no_worker_needs_torch() -> None:
    """It is two thirds of the memory, and a second of the start, of a process."""
    rooms = "hints.generate, leadline.hints.jobs, leadline.data.sources.detect, leadline.cli.verbs"
    program = f"import sys, leadline.{rooms}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"
