import json
from pathlib import Path

import numpy as np
import pytest
from data.tiny_trees import write_rig
from hints.pairs import METHOD, write_pair
from PIL import Image

from leadline.data.confidence_files import confidence_path, write_confidence
from leadline.data.depth_files import write_disparity
from leadline.data.hint_maps import absent_hint, hints_description, load_confidence
from leadline.data.sources.base import FrameId
from leadline.data.sources.folder import ImageFolder
from leadline.hints.generate import generate_hints
from leadline.hints.match import PUBLISHED_SETTINGS
from leadline.hints.method import HintMethod

HINT = np.ones((4, 6), np.float32)


def test_made_hints_say_mode_matchers_and_size_whole_run_or_not(tmp_path: Path) -> None:
    folder = tmp_path / "hints"
    generate_hints([write_pair(tmp_path / "rig", n) for n in range(2)], folder, METHOD, workers=1)
    said = "valid; StereoSGBM 1x16 3x32; RGB, resized to 128x32 by Lanczos"
    assert hints_description(folder) == said
    (folder / "summary.json").unlink()
    next(iter(sorted(folder.rglob("left/*.png")))).write_bytes(b"cut short")
    assert hints_description(folder) == said


def test_kinds_of_hints_are_told_apart(tmp_path: Path) -> None:
    methods = [
        HintMethod(),
        HintMethod("valid"),
        HintMethod("published"),
        HintMethod("published", PUBLISHED_SETTINGS),
        HintMethod("single"),
        HintMethod("random"),
        HintMethod("random", seed=1),
        HintMethod(size=(192, 640)),
    ]
    said = set()
    for number, method in enumerate(methods):
        write_disparity(tmp_path / f"{number}/a/b/0.png", HINT, method.recorded())
        said.add(hints_description(tmp_path / str(number)))
    assert len(said - {None}) == len(methods)


def test_folders_that_say_nothing_have_no_description(tmp_path: Path) -> None:
    assert hints_description(tmp_path / "nowhere") is None
    write_disparity(tmp_path / "0.png", HINT, {"mode": "exact"})
    Image.new("RGB", (4, 4)).save(tmp_path / "contact_sheet.png")
    (tmp_path / "summary.json").write_text(json.dumps({"method": {"hints": "valid"}}))
    assert hints_description(tmp_path) is None
    # What a killed run left is no hint.
    write_disparity(tmp_path / ".1.0123.part.png", HINT, METHOD.recorded())
    assert hints_description(tmp_path) is None


def test_confidence_is_no_hint_that_could_be_described(tmp_path: Path) -> None:
    # Before the hints in the order of names, and more than are looked at.
    for number in range(30):
        write_confidence(tmp_path / f"confidence/left/{number}.png", np.ones((4, 6), np.uint8))
    assert hints_description(tmp_path) is None
    write_disparity(tmp_path / "left/0.png", HINT, METHOD.recorded())
    assert hints_description(tmp_path) is not None


@pytest.mark.parametrize("size", [(4, 6), (8, 12), (2, 3), (3, 5)])
def test_confidence_is_brought_to_a_size_as_its_hint_is(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    source, frame = ImageFolder(write_rig(tmp_path / "rig")), FrameId(".", 1)
    hint = source.hint_path(frame)
    assert load_confidence(source, tmp_path, frame, size) is None
    levels = (51 * (np.arange(24) % 6)).astype(np.uint8).reshape(4, 6)
    write_disparity(tmp_path / hint, HINT, {})
    write_confidence(confidence_path(tmp_path, hint), levels)
    shown = load_confidence(source, tmp_path, frame, size)
    assert shown is not None
    for row in range(size[0]):
        for column in range(size[1]):
            old = (2 * row + 1) * 4 // (2 * size[0]), (2 * column + 1) * 6 // (2 * size[1])
            assert shown[0, row, column] == levels[old]


def test_confidence_of_another_hint_is_refused(tmp_path: Path) -> None:
    source, frame = ImageFolder(write_rig(tmp_path / "rig")), FrameId(".", 1)
    hint = source.hint_path(frame)
    write_disparity(tmp_path / hint, HINT, {})
    write_confidence(confidence_path(tmp_path, hint), np.ones((6, 4), np.uint8))
    with pytest.raises(ValueError, match="expected 6x4 pixels as the hint has, got 4x6"):
        load_confidence(source, tmp_path, frame, (4, 6))


@pytest.mark.parametrize("found", [True, False])
def test_an_array_in_place_of_a_hint_is_named(tmp_path: Path, found: bool) -> None:
    path = tmp_path / "left" / "000000.png"
    path.parent.mkdir()
    if found:
        np.save(path.with_suffix(".npy"), np.full((2, 3), np.nan, np.float32))
        assert f"{path}: expected disparity as 16-bit PNG, found 000000.npy" in absent_hint(path)
        assert absent_hint(path).endswith("make hints by `leadline hints`")
    else:
        assert absent_hint(path) == str(path)
