"""Hints stay only where they are of the images that are there now."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hints.pairs import METHOD, SIZE, pair, write_pair

from leadline.data.confidence_files import confidence_path, read_confidence
from leadline.data.depth_files import read_disparity, read_settings, write_disparity
from leadline.hints import generate as generate_module
from leadline.hints.generate import generate_hints
from leadline.hints.method import HintMethod
from leadline.hints.origin import ORIGIN_KEY
from leadline.hints.pair import HintJob
from leadline.hints.plan import plan
from leadline.hints.summary import HintSummary

PAIRS = 3


@pytest.fixture
def jobs(tmp_path: Path) -> list[HintJob]:
    return write_rig(tmp_path / "a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "hints"


def write_rig(root: Path) -> list[HintJob]:
    return [write_pair(root, number) for number in range(PAIRS)]


def run(jobs: list[HintJob], folder: Path, *, overwrite: bool = False) -> HintSummary:
    return generate_hints(jobs, folder, METHOD, workers=1, overwrite=overwrite)


def test_a_hint_without_its_confidence_is_made_anew(jobs: list[HintJob], folder: Path) -> None:
    method = HintMethod(size=SIZE)
    generate_hints(jobs, folder, method, workers=1)
    view = jobs[1].hints[0]
    confidence_path(folder, view).unlink()
    confidence_path(folder, jobs[2].hints[1]).write_bytes(b"cut short")
    left = plan(jobs, folder, method, overwrite=False)
    assert [job.hints for job in left.jobs] == [(view,), (jobs[2].hints[1],)]
    generate_hints(jobs, folder, method, workers=1)
    assert read_confidence(confidence_path(folder, view), SIZE).any()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*/*.png")}


def times(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*/*.png")}


def replace_picture(path: Path) -> None:
    noise = np.random.default_rng(99).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    cv2.imwrite(str(path), cv2.GaussianBlur(noise, (5, 5), 0))


def age(path: Path, seconds: float) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns - int(seconds * 1e9)))


def forget_images(path: Path) -> None:
    """Make a hint what earlier versions wrote."""
    settings = read_settings(path)
    del settings[ORIGIN_KEY]
    write_disparity(path, read_disparity(path), settings)


def interrupted_after_one(work: Any, items: Any, *_: Any, **__: Any) -> Iterator[Any]:
    yield work(items[0])
    raise KeyboardInterrupt


def test_hints_of_images_that_changed_are_made_anew_and_others_stay(
    jobs: list[HintJob], folder: Path, tmp_path: Path
) -> None:
    run(jobs, folder)
    before = times(folder)
    replace_picture(jobs[1].left)
    replace_picture(jobs[1].right)
    summary = run(jobs, folder)
    assert (summary.written, summary.skipped, summary.changed) == (2, 4, 2)
    assert "2 hints written (2 anew, their images have changed)" in str(summary)
    assert {name for name, time in times(folder).items() if time != before[name]} == {
        "left/001.png",
        "right/001.png",
    }
    run(jobs, tmp_path / "fresh")
    assert contents(folder) == contents(tmp_path / "fresh")
    assert run(jobs, folder).skipped == 2 * PAIRS


def test_one_image_of_a_pair_makes_both_its_hints_stale(jobs: list[HintJob], folder: Path) -> None:
    run(jobs, folder)
    replace_picture(jobs[2].right)
    todo = plan(jobs, folder, METHOD, overwrite=False)
    assert todo.jobs == (jobs[2],)
    assert todo.changed == set(jobs[2].hints)


def test_a_stale_hint_does_not_outlive_a_pair_that_cannot_be_matched(
    jobs: list[HintJob], folder: Path
) -> None:
    run(jobs, folder)
    jobs[0].left.write_bytes(b"no image")
    summary = run(jobs, folder)
    assert (summary.skipped, summary.changed, len(summary.failures)) == (4, 0, 1)
    assert not any((folder / view).exists() for view in jobs[0].hints)


def test_a_hint_whose_images_are_out_of_reach_is_neither_counted_nor_removed(
    jobs: list[HintJob], folder: Path
) -> None:
    run(jobs, folder)
    jobs[0].right.unlink()
    summary = run(jobs, folder)
    assert (summary.skipped, len(summary.failures)) == (4, 1)
    assert "no such image" in summary.failures[0].reason
    assert all((folder / view).exists() for view in jobs[0].hints)


def test_another_rig_with_the_same_names_is_refused_or_replaces_every_hint(
    jobs: list[HintJob], folder: Path, tmp_path: Path
) -> None:
    run(jobs, folder)
    before = contents(folder)
    others = write_rig(tmp_path / "b")
    for job in others:
        replace_picture(job.left)
    words = r"6 hints here .*first left/000\.png: of .*a/left/000\.png instead of .*b/left/000\.png"
    with pytest.raises(ValueError, match=words):
        run(others, folder)
    assert contents(folder) == before
    assert run(others, folder, overwrite=True).written == 2 * PAIRS
    run(others, tmp_path / "fresh")
    assert contents(folder) == contents(tmp_path / "fresh")


def test_a_data_set_that_moved_keeps_its_hints(
    jobs: list[HintJob], folder: Path, tmp_path: Path
) -> None:
    run(jobs, folder)
    shutil.move(tmp_path / "a", tmp_path / "b")
    moved = [pair(tmp_path / "b", number) for number in range(PAIRS)]
    assert run(moved, folder).skipped == 2 * PAIRS


def test_overwriting_makes_current_hints_anew_with_equal_bytes(
    jobs: list[HintJob], folder: Path
) -> None:
    run(jobs, folder)
    before, then = contents(folder), times(folder)
    summary = run(jobs, folder, overwrite=True)
    assert (summary.written, summary.skipped) == (2 * PAIRS, 0)
    assert contents(folder) == before
    assert all(time != then[name] for name, time in times(folder).items())


def test_overwriting_that_was_interrupted_goes_on_without_the_option(
    jobs: list[HintJob], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate_hints(jobs, folder, replace(METHOD, mode="published"), workers=1)
    monkeypatch.setattr(generate_module, "in_processes", interrupted_after_one)
    with pytest.raises(KeyboardInterrupt):
        run(jobs, folder, overwrite=True)
    monkeypatch.undo()
    summary = run(jobs, folder)
    assert (summary.written, summary.skipped) == (4, 2)


def test_hints_of_earlier_versions_stay_if_they_are_newer_than_their_images(
    jobs: list[HintJob], folder: Path
) -> None:
    run(jobs, folder)
    for path in folder.rglob("*/*.png"):
        forget_images(path)
    age(folder / "left/002.png", seconds=3600)
    todo = plan(jobs, folder, METHOD, overwrite=False)
    assert set(todo.there) == {v for job in jobs for v in job.hints} - {jobs[2].left_hint}
    assert todo.changed == {jobs[2].left_hint}


def test_a_damaged_record_of_images_is_made_anew(jobs: list[HintJob], folder: Path) -> None:
    run(jobs, folder)
    path = folder / "left/000.png"
    write_disparity(path, read_disparity(path), read_settings(path) | {ORIGIN_KEY: "{"})
    assert run(jobs, folder).written == 1


def test_no_image_is_opened_to_see_what_is_left(
    jobs: list[HintJob], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(jobs, folder)
    for job in jobs:
        for path in (job.left, job.right):
            state = path.stat()
            path.write_bytes(bytes(state.st_size))
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert plan(jobs, folder, METHOD, overwrite=False).jobs == ()


def test_a_crew_that_looks_through_thousands_finds_what_one_process_finds(
    jobs: list[HintJob], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def crew(work: Any, parts: Any) -> Iterator[Any]:
        asked.extend(len(part) for part in parts)
        yield from map(work.do, reversed(parts))

    run(jobs, folder)
    (folder / "left/001.png").unlink()
    replace_picture(jobs[2].left)
    monkeypatch.setattr("leadline.hints.plan.FEW", 2)
    found = plan(jobs, folder, METHOD, overwrite=False, crew=crew)
    assert asked == [2, 1]
    assert set(found.there) == {*jobs[0].hints, jobs[1].right_hint}
    assert found.changed == set(jobs[2].hints)
    assert found.jobs == (replace(jobs[1], right_hint=None), jobs[2])
