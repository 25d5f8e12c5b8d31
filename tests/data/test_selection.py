from pathlib import Path

import numpy as np
import pytest
from data.tiny_trees import DATE, SEQUENCE, cut_short, write_drive, write_kitti, write_sweep

from leadline.data.confidence_files import confidence_path, write_confidence
from leadline.data.depth_files import write_disparity
from leadline.data.selection import Needs, select
from leadline.data.sources.base import FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.offset import STEREO, Offset

VIDEO = (Offset(-1), Offset(1))


@pytest.fixture
def source(tmp_path: Path) -> KittiRaw:
    return KittiRaw(write_kitti(tmp_path))


def test_every_frame_that_has_what_is_needed(source: KittiRaw) -> None:
    selection = select(source, source.frames, Needs((STEREO,)))
    assert selection.frames == source.frames
    assert not selection.skipped
    assert str(selection) == "8 of 8 frames can be used"


def test_missing_neighbours_are_counted_by_reason(source: KittiRaw) -> None:
    selection = select(source, source.frames, Needs((*VIDEO, STEREO)))
    assert {frame.index for frame in selection.frames} == {1, 2}
    assert selection.skipped == {("no frame at -1", SEQUENCE): 2, ("no frame at +1", SEQUENCE): 2}
    assert "4 of 8 frames can be used" in str(selection)
    assert f"2 skipped, no frame at -1 ({SEQUENCE}); first: {SEQUENCE} 0 l" in str(selection)


def test_a_partner_may_have_to_stand_to_the_right(source: KittiRaw) -> None:
    """Of a pair only the left picture is a target then; frames in time have no such side."""
    selection = select(source, source.frames, Needs((STEREO,), partner_right=True))
    assert [frame.camera for frame in selection.frames] == [0] * 4
    assert selection.reasons() == {"its partner stands to its left": 4}
    needs = Needs(VIDEO, every_offset=False, partner_right=True)
    assert len(select(source, source.frames, needs).frames) == 8


def test_neighbours_may_be_absent_if_one_is_there(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    write_drive(tmp_path, 1, sequence=f"{DATE}/single")
    source = KittiRaw(tmp_path)
    selection = select(source, source.frames, Needs(VIDEO, every_offset=False))
    assert len(selection.frames) == 8
    assert selection.reasons() == {"no source at all": 2}


def test_damaged_images_are_found_before_training(tmp_path: Path) -> None:
    path = write_kitti(tmp_path) / SEQUENCE / "image_03/data/0000000002.png"
    cut_short(path)
    source = KittiRaw(tmp_path)
    selection = select(source, source.frames, Needs((STEREO,)))
    assert selection.reasons() == {"unreadable image": 2}
    assert str(path) in str(selection)
    assert len(select(source, source.frames, Needs(VIDEO, every_offset=False)).frames) == 5


def test_damaged_hints_are_found_before_training(source: KittiRaw, tmp_path: Path) -> None:
    hints = tmp_path / "hints"
    for frame in source.frames:
        write_disparity(hints / source.hint_path(frame), np.ones((8, 8), np.float32), {})
    cut_short(hints / source.hint_path(source.frames[3]))
    selection = select(source, source.frames, Needs(hints=hints))
    assert selection.reasons() == {"unreadable hint": 1}
    assert str(source.hint_path(source.frames[3])) in str(selection)


def test_confidence_is_looked_for_only_if_needed(source: KittiRaw, tmp_path: Path) -> None:
    hints = tmp_path / "hints"
    paths = [confidence_path(hints, source.hint_path(frame)) for frame in source.frames]
    for frame, path in zip(source.frames, paths, strict=True):
        write_disparity(hints / source.hint_path(frame), np.ones((8, 9), np.float32), {})
        write_confidence(path, np.ones((8, 9), np.uint8))
    needs = Needs(hints=hints, hint_confidence=True)
    assert len(select(source, source.frames, needs).frames) == 8
    for path in paths[:2]:
        path.unlink()
    cut_short(paths[3])
    write_confidence(paths[4], np.ones((9, 8), np.uint8))
    selection = select(source, source.frames, needs)
    assert selection.reasons() == {
        "no confidence": 2,
        "unreadable confidence": 1,
        "confidence of another size than its hint": 1,
    }
    assert f"{paths[0]}: expected the confidence of a hint, found none" in str(selection)
    assert f"{paths[4]}: expected 9x8 pixels as the hint has, got 8x9" in str(selection)
    assert len(select(source, source.frames, Needs(hints=hints)).frames) == 8


def test_calibration_is_needed_or_not(tmp_path: Path) -> None:
    write_drive(tmp_path)
    source = KittiRaw(tmp_path)
    assert select(source, source.frames, Needs()).reasons() == {"no calibration": 8}
    assert len(select(source, source.frames, Needs(camera=False)).frames) == 8


def test_images_resized_after_calibration_are_found(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    write_drive(tmp_path, size=(12, 32))
    source = KittiRaw(tmp_path)
    selection = select(source, source.frames, Needs())
    assert selection.reasons() == {"image size differs from the calibration's": 8}
    assert "32x12 instead of 64x24" in str(selection)


def test_depth_and_speed_are_looked_for(source: KittiRaw, tmp_path: Path) -> None:
    write_sweep(tmp_path / SEQUENCE, 1, np.ones((1, 3)))
    selection = select(source, source.frames, Needs(depth=True))
    assert {frame.index for frame in selection.frames} == {1}
    assert selection.reasons() == {"no true depth": 6}
    (tmp_path / SEQUENCE / "oxts/data/0000000003.txt").unlink()
    selection = select(source, source.frames, Needs(VIDEO, distance=True))
    assert {frame.index for frame in selection.frames} == {1}
    assert selection.reasons()["no speed"] == 2


def test_hints_are_looked_for(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    write_drive(tmp_path, 1, sequence=f"{DATE}/mono", cameras=("image_02",))
    hints = tmp_path / "hints"
    source = KittiRaw(tmp_path)
    for frame in source.frames:
        if frame.index == 0:
            write_disparity(hints / source.hint_path(frame), np.ones((8, 8), np.float32), {})
    selection = select(source, source.frames, Needs(hints=hints))
    assert {frame.index for frame in selection.frames} == {0}
    assert selection.reasons() == {"no hint": 6}
    assert "0000000001.png" in str(selection)


def test_what_a_list_asks_for_in_vain(source: KittiRaw) -> None:
    frame, absent = source.frames[0], FrameId("2011_10_03/none", 3, 1)
    selection = select(source, [frame, absent, frame], Needs())
    assert selection.frames == (frame,)
    assert selection.reasons() == {"no such image": 1, "listed twice": 1}
    assert "first: 2011_10_03/none 3 r" in str(selection)


def test_a_report_of_many_sequences_is_short(tmp_path: Path) -> None:
    for number in range(5):
        write_drive(tmp_path, 1, sequence=f"{DATE}/drive_{number}", cameras=("image_02",))
    source = KittiRaw(tmp_path)
    report = str(select(source, source.frames, Needs((STEREO,), camera=False)))
    assert (
        f"5 skipped, no frame at stereo ({DATE}/drive_0, {DATE}/drive_1, {DATE}/drive_2 and 2 more)"
        in report
    )
