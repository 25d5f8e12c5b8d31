"""Files, folders and globs name images, and every image has one result."""

from pathlib import Path

import pytest
from small_models import write_photographs

from leadline.inference.photographs import find_photographs


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    names = ["b.png", "a.JPG", "trip/day 1/a.png", "trip/day 2/a.png", ".thumbnails/a.png"]
    folder = write_photographs(tmp_path / "photographs", names)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_results_of_a_folder_mirror_its_layout(photographs: Path) -> None:
    found = find_photographs([str(photographs)])
    assert {str(result) for result in found.values()} == {
        *("a", "b", "trip/day 1/a", "trip/day 2/a")
    }
    assert found[photographs / "trip" / "day 1" / "a.png"] == Path("trip/day 1/a")


def test_a_file_and_a_glob_give_bare_names(photographs: Path) -> None:
    assert find_photographs([str(photographs / "b.png")]) == {photographs / "b.png": Path("b")}
    found = find_photographs([str(photographs / "trip" / "*1" / "*")])
    assert list(found.values()) == [Path("a")]


def test_dots_within_a_name_stay(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["12.30.png", "12.31.png"])
    assert set(find_photographs([str(tmp_path)]).values()) == {Path("12.30"), Path("12.31")}


def test_two_images_with_one_result_are_refused(photographs: Path) -> None:
    with pytest.raises(ValueError, match="would both be written as a: name their common folder"):
        find_photographs([str(photographs / "trip" / "*" / "a.png")])


def test_an_image_named_twice_is_one(photographs: Path) -> None:
    twice = [str(photographs), str(photographs / "trip" / "day 1" / "a.png")]
    assert find_photographs(twice) == find_photographs(twice[:1])


def test_results_among_the_photographs_are_no_photographs(photographs: Path) -> None:
    expected = find_photographs([str(photographs)])
    out = photographs / "depth"
    write_photographs(out / "colour", ["a.png", "b.png"])
    assert find_photographs([str(photographs)], out) == expected
    assert len(find_photographs([str(photographs)])) == len(expected) + 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no such file or folder"),
        ("notes.txt", r"expected an image \(\.png, "),
        ("*.exr", "found no image there"),
        ("empty", "found no image there"),
        ("clip.mp4", "ffmpeg -i .*clip.mp4"),
    ],
)
def test_an_input_without_images_is_named(photographs: Path, name: str, message: str) -> None:
    (photographs / "empty").mkdir()
    (photographs / "clip.mp4").write_bytes(b"film")
    with pytest.raises(FileNotFoundError, match=message) as error:
        find_photographs([str(photographs / "b.png"), str(photographs / name)])
    assert str(photographs / name) in str(error.value)


def test_images_that_lie_where_results_go_are_told(photographs: Path) -> None:
    with pytest.raises(ValueError, match=r"its images lie in .*, the folder of the results"):
        find_photographs([str(photographs)], photographs)
