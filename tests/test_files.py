"""Nothing half written is ever seen."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from leftovers import leave_half_a_file

from leadline.files import SECONDS_AT_WORK, atomic_path, remove_leftovers


def test_a_finished_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    for text in ("first", "second"):
        with atomic_path(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def fill_the_disk() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fill_the_disk()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_keeps_the_suffix_and_hides(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "map.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.name.startswith(".")
        temporary.touch()


def test_what_a_killed_process_left_is_removed_at_once(tmp_path: Path) -> None:
    leave_half_a_file(tmp_path / "a.npy")
    leave_half_a_file(tmp_path / "resume")
    assert remove_leftovers([tmp_path, tmp_path, tmp_path / "absent"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_is_writing_stays(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.npy") as temporary:
        temporary.write_text("half")
        sweep = f"""
from pathlib import Path
from leadline.files import remove_leftovers
print(remove_leftovers([Path({str(tmp_path)!r})]))
"""
        done = subprocess.run([sys.executable, "-c", sweep], capture_output=True, text=True)
        assert done.stdout == "0\n", done.stderr
        assert remove_leftovers([tmp_path]) == 0
        temporary.write_text("whole")
    assert (tmp_path / "a.npy").read_text() == "whole"


def test_of_a_process_on_another_machine_only_the_age_can_tell(tmp_path: Path) -> None:
    left = leave_half_a_file(tmp_path / "a.npy")
    stem, writer, *rest = left.name.rsplit(".", 3)
    place, number, word = writer.split("-")
    elsewhere = "0" * 8 if place != "0" * 8 else "1" * 8
    foreign = left.rename(left.with_name(".".join([stem, f"{elsewhere}-{number}-{word}", *rest])))
    assert remove_leftovers([tmp_path]) == 0
    two_hours_ago = time.time() - 2 * SECONDS_AT_WORK
    os.utime(foreign, (two_hours_ago, two_hours_ago))
    assert remove_leftovers([tmp_path]) == 1


@pytest.mark.parametrize(
    "name",
    ["a.npy", ".a.part.npy", "a.00000000-999999999-0123456789ab.part.npy", ".hidden", ".a.part"],
)
def test_no_other_file_is_removed_however_old(tmp_path: Path, name: str) -> None:
    (tmp_path / "below").mkdir()
    for path in (tmp_path / name, tmp_path / "below" / ".b.00000000-1-0123456789ab.part.npy"):
        path.write_text("mine")
        os.utime(path, (0, 0))
    assert remove_leftovers([tmp_path]) == 0
    assert len(list(tmp_path.rglob("*"))) == 3
