import shutil
from pathlib import Path

import pytest
from hints.pairs import write_pair

from leadline.hints.origin import ORIGIN_KEY, Origin


def test_what_a_file_records_comes_back(tmp_path: Path) -> None:
    job = write_pair(tmp_path / "Straße 右", 0)
    origin = Origin.of(job.left, job.right)
    assert Origin.parse({"coverage": "0.9", **origin.recorded()}) == origin
    assert Origin.parse({"coverage": "0.9"}) is None
    assert origin.recorded()[ORIGIN_KEY].isascii()
    assert origin.newest == max(path.stat().st_mtime_ns for path in (job.left, job.right))


@pytest.mark.parametrize("text", ["", "[1]", '{"a.png": 1}', '{"a.png": [1, 2, 3]}'])
def test_a_damaged_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected the images of a hint"):
        Origin.parse({ORIGIN_KEY: text})


def test_images_that_moved_are_the_same_and_others_of_their_names_are_not(tmp_path: Path) -> None:
    job = write_pair(tmp_path / "a", 0)
    origin = Origin.of(job.left, job.right)
    other = write_pair(tmp_path / "b", 0)  # equal pictures, written later
    assert not origin.is_same(Origin.of(other.left, other.right))
    shutil.rmtree(tmp_path / "b")
    shutil.move(tmp_path / "a", tmp_path / "b")
    moved = Origin.of(other.left, other.right)
    assert origin.is_same(moved)
    assert origin.place_differs(moved) == f"of {job.left} instead of {other.left}"
    assert not origin.place_differs(origin)


def test_left_and_right_swapped_are_another_pair(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    swapped = Origin.of(job.right, job.left)
    assert not Origin.of(job.left, job.right).is_same(swapped)


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    job = write_pair(tmp_path / "a", 0)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    linked = [tmp_path / "b" / path.relative_to(tmp_path / "a") for path in (job.left, job.right)]
    assert Origin.of(*linked) == Origin.of(job.left, job.right)


def test_an_image_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    with pytest.raises(FileNotFoundError, match=r"none\.png: no such image"):
        Origin.of(job.left, tmp_path / "none.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(ValueError, match=r"loop\.png: cannot be read as an image"):
        Origin.of(tmp_path / "loop.png", job.right)
