"""A camera in a hand: neighbours by parallax, shown as if the camera had not turned."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.rooms import CAMERA, SIZE, motion, pose_at, view, walk, write_room
from data.tiny_trees import SEQUENCE, cut_short, write_drive, write_kitti
from scipy.spatial.transform import Rotation

from leadline.data.hand_held import (
    RECORD,
    TOO_LITTLE,
    TOO_MUCH,
    UNSEEN,
    UNTURNED,
    HandHeld,
    Neighbours,
    choose_neighbours,
    hand_held_source,
)
from leadline.data.module import DepthData
from leadline.data.sources.base import FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.rgbd import RgbdSequences
from leadline.geometry.camera import resize_intrinsics
from leadline.offset import TARGET, Offset

BEFORE, AFTER = Offset(-1), Offset(1)
COUNT = 10
WALK = walk(COUNT)
ENOUGH = HandHeld(least_parallax=16.0, most_parallax=60.0, reach=4)
"""Of `WALK`, which has some 6 from frame to frame."""
SMALL: dict[str, Any] = {"height": 96, "width": 128, "workers": 0, "frames": [0, -1, 1]}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_room(tmp_path_factory.mktemp("hand") / "room", WALK)


def steps_of(neighbours: Neighbours) -> dict[tuple[int, int], int]:
    return {
        (frame.index, way): other.index - frame.index
        for (frame, way), other in neighbours.chosen.items()
    }


def degrees(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(first.T @ second).magnitude()))


def test_the_nearest_neighbour_with_parallax_enough_is_chosen(room: Path) -> None:
    source = RgbdSequences(room)
    found = choose_neighbours(source, source.frames, ENOUGH)
    chosen = steps_of(found)
    assert set(chosen.values()) <= {-4, -3, -2, 2, 3, 4}
    assert all(np.sign(step) == way for (_, way), step in chosen.items())
    ahead = {index for index, way in chosen if way > 0}
    assert ahead == set(range(max(ahead) + 1))
    for (first, second), turn in found.turns.items():
        true = motion(WALK[first.index], WALK[second.index])[:3, :3]
        assert first < second
        assert degrees(turn, true) < 1.0
    anything = HandHeld(least_parallax=0.0, most_parallax=60.0, reach=4)
    every = steps_of(choose_neighbours(source, source.frames, anything))
    assert set(every.values()) == {-1, 1}
    assert len(every) == 2 * (COUNT - 1)


def test_why_others_have_none_is_counted(tmp_path: Path) -> None:
    """Three frames on the spot, one a step away, one that looks the other way."""
    spot = [pose_at([0, 0, 0], [0, 2 * i, i]) for i in range(3)]
    away = [pose_at([0.6, 0, 0]), pose_at([0.6, 0, 0], [0, 180, 0])]
    source = RgbdSequences(write_room(tmp_path, [*spot, *away]))
    found = choose_neighbours(source, source.frames, HandHeld(reach=2))
    assert not found.chosen
    # After 0, before 1 and 2; after 1 and 2, before 3; after 3, before 4.
    assert found.without == {TOO_LITTLE: 3, TOO_MUCH: 3, UNSEEN: 2}
    assert "of 5 frames 0 have a neighbour before and 0 one after; others: 3 " in str(found)


def test_poses_tell_the_turn_where_they_are_asked(room: Path, tmp_path: Path) -> None:
    source = RgbdSequences(room)
    settings = HandHeld("poses", least_parallax=16.0, most_parallax=60.0, reach=4)
    found = choose_neighbours(source, source.frames, settings)
    assert found.chosen
    for (first, second), turn in found.turns.items():
        true = motion(WALK[first.index], WALK[second.index])[:3, :3]
        np.testing.assert_allclose(turn, true, atol=1e-6)
        assert source.target_to_source(first, second) is None
    bare = write_room(tmp_path / "bare", WALK[:3])
    for pose in bare.glob("*.pose.txt"):
        pose.unlink()
    unknown = RgbdSequences(bare)
    found = choose_neighbours(unknown, unknown.frames, settings)
    assert not found.chosen
    assert found.without[UNTURNED] == 4


def test_turns_are_kept_where_nothing_is_to_be_undone(room: Path) -> None:
    source = RgbdSequences(room)
    keep = HandHeld("keep", least_parallax=16.0, most_parallax=60.0, reach=4)
    found = choose_neighbours(source, source.frames, keep)
    assert steps_of(found) == steps_of(choose_neighbours(source, source.frames, ENOUGH))
    assert not found.turns


def test_what_was_measured_is_kept_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = write_room(tmp_path / "room", WALK[:5]), tmp_path / "cache"
    source = RgbdSequences(folder)
    expected = choose_neighbours(source, source.frames, ENOUGH, cache, workers=2)
    module = importlib.import_module("leadline.data.hand_held")
    measured: list[object] = []
    real = module.view_change

    def watched(*arguments: object) -> object:
        measured.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(module, "view_change", watched)
    again = choose_neighbours(source, source.frames, ENOUGH, cache)
    assert steps_of(again) == steps_of(expected)
    assert all(np.array_equal(turn, again.turns[pair]) for pair, turn in expected.turns.items())
    assert measured == []
    known = len(json.loads((cache / RECORD).read_text())["pairs"])
    intrinsics = folder / "camera-intrinsics.txt"
    intrinsics.write_text(intrinsics.read_text().replace("1.4", "1.5"))
    changed = RgbdSequences(folder)
    choose_neighbours(changed, changed.frames, ENOUGH, cache)
    assert len(measured) >= known > 0
    poses = HandHeld("poses", least_parallax=16.0, most_parallax=60.0, reach=4)
    measured.clear()
    choose_neighbours(changed, changed.frames, poses, cache)
    assert measured


def test_a_damaged_picture_is_nobodys_neighbour(tmp_path: Path) -> None:
    source = RgbdSequences(write_room(tmp_path, WALK[:4]))
    cut_short(source.image_path(source.frames[1]))
    found = choose_neighbours(source, source.frames, HandHeld(least_parallax=0.0, reach=2))
    assert all(1 not in (frame.index, other.index) for (frame, _), other in found.chosen.items())
    assert found.without[UNSEEN] == 4


def test_frames_that_do_not_exist_or_have_no_camera_are_told_of_elsewhere(
    room: Path, tmp_path: Path
) -> None:
    source = RgbdSequences(room)
    frames = [*source.frames[:3], source.frames[0], FrameId("nowhere", 3)]
    assert choose_neighbours(source, frames, HandHeld(least_parallax=0.0)).asked == 3
    write_drive(tmp_path, 3)
    without = KittiRaw(tmp_path)
    assert choose_neighbours(without, without.frames, HandHeld()).asked == 0


def test_training_sees_the_chosen_neighbours_turned_back(room: Path, tmp_path: Path) -> None:
    data = DepthData(
        RgbdSequences(room),
        neighbours="optional",
        hand_held=ENOUGH,
        val_share=0.0,
        cache=tmp_path,
        flip="none",
        jitter=False,
        batch_size=2,
        **SMALL,
    )
    data.prepare_data()
    assert (tmp_path / RECORD).is_file()
    data.setup()
    assert "hand-held: of 10 frames " in data.report()
    assert "room (RgbdSequences)" in data.description()
    dataset = data.train_dataloader().dataset
    sample = dataset[0]
    assert sample.id.endswith(" 0 l")
    assert set(sample.images) == {TARGET, AFTER}
    source = hand_held_source(RgbdSequences(room), data.source.frames, ENOUGH)
    other = source.neighbour(source.frames[0], AFTER)
    assert other is not None
    virtual = WALK[0].copy()
    virtual[:3, 3] = WALK[other.index][:3, 3]
    camera = resize_intrinsics(torch.from_numpy(CAMERA), SIZE, data.size).numpy()
    expected = torch.from_numpy(view(virtual, camera, data.size)[0]).float()
    seen = sample.in_picture[AFTER][0]
    error = (sample.images[AFTER].float().mean(0) - expected).abs()[seen].mean()
    assert error < 0.35 * (sample.images[TARGET].float().mean(0) - expected).abs()[seen].mean()


def test_validation_has_the_same_neighbours_and_shares_no_picture(room: Path) -> None:
    data = DepthData(
        RgbdSequences(room),
        neighbours="optional",
        hand_held=HandHeld(least_parallax=0.0, most_parallax=60.0, reach=2),
        val_share=0.1,
        **SMALL,
    )
    data.setup()
    assert {frame.index for frame in data.val_selection.frames} == {9}
    # Two steps of its own and two of the other's.
    assert max(frame.index for frame in data.train_selection.frames) == 9 - 4 - 1


def test_no_frame_with_parallax_is_said(tmp_path: Path) -> None:
    spot = [pose_at([0, 0, 0], [0, 2 * i, i]) for i in range(4)]
    data = DepthData(
        RgbdSequences(write_room(tmp_path, spot)),
        neighbours="optional",
        hand_held=HandHeld(),
        val_share=0.0,
        **SMALL,
    )
    with pytest.raises(ValueError, match=r"got none \(4 no source at all\)"):
        data.setup()
    assert "others: 6 too little parallax within reach" in data.report()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"least_parallax": -1.0}, "expected 0 <= least_parallax <= most_parallax, got -1 and 24"),
        ({"least_parallax": 30.0}, "got 30 and 24"),
        ({"reach": 0}, "hand_held.reach: expected from 1 to 64 frames, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HandHeld(**settings)


@pytest.mark.parametrize("frames", [[0], [0, "stereo"], [0, -2, 1]])
def test_other_frames_are_refused(room: Path, frames: list[int | str]) -> None:
    with pytest.raises(ValueError, match="hand_held: expected -1, 1 or both as neighbours in time"):
        DepthData(RgbdSequences(room), hand_held=HandHeld(), frames=frames, workers=0)


def test_the_rest_of_a_source_is_what_it_was(tmp_path: Path) -> None:
    root = write_kitti(tmp_path)
    plain = KittiRaw(root)
    other = hand_held_source(plain, [], HandHeld())
    for frame in plain.frames:
        assert other.image_path(frame) == plain.image_path(frame)
        assert other.size(frame) == plain.size(frame)
        assert other.hint_path(frame) == plain.hint_path(frame)
        assert other.truth_kind(frame) == plain.truth_kind(frame)
        stereo = plain.neighbour(frame, Offset(0, 1))
        assert other.neighbour(frame, Offset(0, 1)) == stereo
        assert other.neighbour(frame, AFTER) is None
        assert stereo is not None
        np.testing.assert_array_equal(
            other.target_to_source(frame, stereo), plain.target_to_source(frame, stereo)
        )
    assert other.baseline(SEQUENCE) == plain.baseline(SEQUENCE)
    assert other.splits == plain.splits
