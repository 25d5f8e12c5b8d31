"""A camera in a hand: neighbours by parallax, shown as if the camera had not turned."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.hand_helds import AFTER, ANY, BOTH, COUNT, ENOUGH, USUAL, WALK
from data.rgbd_trees import write_intrinsics
from data.rooms import CAMERA, SIZE, motion, pose_at, write_room
from scipy.spatial.transform import Rotation

from leadline.data.hand_held import (
    AS_THEY_COME,
    RECORDS,
    TOO_LITTLE,
    TOO_MUCH,
    UNSEEN,
    UNTURNED,
    Chosen,
    HandHeld,
    HandHeldSource,
    as_hand_held,
    choose_neighbours,
)
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.geometry.camera import resize_intrinsics
from leadline.offset import STEREO


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_room(tmp_path_factory.mktemp("hand") / "room", WALK)


def steps_of(chosen: Chosen) -> dict[tuple[int, int], int]:
    return {
        (frame.index, way): other.index - frame.index
        for (frame, way), other in chosen.neighbours.items()
    }


def degrees(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(first.T @ second).magnitude()))


def true_turn(first: FrameId, second: FrameId) -> np.ndarray:
    turn: np.ndarray = motion(WALK[first.index], WALK[second.index])[:3, :3]
    return turn


def test_the_nearest_neighbour_with_parallax_enough_is_chosen(room: Path) -> None:
    source = RgbdSequences(room)
    found = choose_neighbours(source, source.frames, ENOUGH)
    chosen = steps_of(found)
    assert set(chosen.values()) <= {-4, -3, -2, 2, 3, 4}
    assert all(np.sign(step) == way for (_, way), step in chosen.items())
    ahead = {index for index, way in chosen if way > 0}
    assert ahead == set(range(max(ahead) + 1))
    for (first, second), turn in found.turns.items():
        assert first < second
        assert degrees(turn, true_turn(first, second)) < 1.0
    assert sum(found.steps.values()) == len(chosen)
    every = steps_of(choose_neighbours(source, source.frames, ANY))
    assert set(every.values()) == {-1, 1}
    assert len(every) == 2 * (COUNT - 1)
    only_after = steps_of(choose_neighbours(source, source.frames, ANY, ways=[1]))
    assert only_after == {key: step for key, step in every.items() if step > 0}


def test_pictures_are_measured_small_and_in_pixels_of_one_width(tmp_path: Path) -> None:
    """The same walk seen four times as large: the same neighbours, turns, and parallax."""
    large, small = tmp_path / "large", tmp_path / "small"
    write_room(small, WALK[:4])
    size = (4 * SIZE[0], 4 * SIZE[1])
    camera = resize_intrinsics(torch.from_numpy(CAMERA), SIZE, size).numpy()
    write_room(large, WALK[:4], camera=camera, size=size)
    found = []
    for folder in (large, small):
        source, cache = RgbdSequences(folder), folder / "cache"
        chosen = choose_neighbours(source, source.frames, ANY, cache=cache)
        for (first, second), turn in chosen.turns.items():
            assert degrees(turn, true_turn(first, second)) < 0.7
        pairs = json.loads((cache / RECORDS["pictures"]).read_text())["pairs"]
        found.append([entry["found"][0] for entry in pairs.values()])
    np.testing.assert_allclose(found[0], found[1], rtol=0.3)


def test_why_others_have_none_is_counted(tmp_path: Path) -> None:
    """Three frames on the spot, one a step away, one that looks the other way."""
    spot = [pose_at([0, 0, 0], [0, 2 * i, i]) for i in range(3)]
    away = [pose_at([0.6, 0, 0]), pose_at([0.6, 0, 0], [0, 180, 0])]
    source = RgbdSequences(write_room(tmp_path, [*spot, *away]))
    found = choose_neighbours(source, source.frames, USUAL)
    assert not found.neighbours
    # After 0, before 1 and 2; after 1 and 2, before 3; after 3, before 4.
    assert found.without == {TOO_LITTLE: 3, TOO_MUCH: 3, UNSEEN: 2}
    assert "of 5 frames 0 have a neighbour before, 0 after; others: 3 " in str(found)


def test_a_gap_is_stepped_over(tmp_path: Path) -> None:
    room = write_room(tmp_path, WALK[:5])
    for path in room.glob("frame-000002.*"):
        path.unlink()
    source = RgbdSequences(room)
    found = choose_neighbours(source, source.frames, HandHeld("pictures", reach=2))
    assert steps_of(found) == {
        (0, 1): 1,
        (1, -1): -1,
        (1, 1): 2,
        (3, -1): -2,
        (3, 1): 1,
        (4, -1): -1,
    }
    assert found.steps == {1: 4, 2: 2}
    assert "frames away: 1 (4), 2 (2)" in str(found)


def test_frames_are_counted_as_a_thinned_video_counts_them(room: Path) -> None:
    source = RgbdSequences(room, every=2)
    found = choose_neighbours(source, source.frames, ANY)
    assert set(steps_of(found).values()) == {-2, 2}
    assert set(found.steps) == {1}


def test_poses_tell_the_turn_where_they_are_asked(room: Path, tmp_path: Path) -> None:
    source = RgbdSequences(room)
    settings = HandHeld("poses", least_parallax=16.0, most_parallax=60.0, reach=4)
    found = choose_neighbours(source, source.frames, settings)
    assert found.neighbours
    for (first, second), turn in found.turns.items():
        np.testing.assert_allclose(turn, true_turn(first, second), atol=1e-6)
        assert source.target_to_source(first, second) is None
    some = write_room(tmp_path / "some", WALK[:4])
    (some / "frame-000003.pose.txt").unlink()
    partly = RgbdSequences(some)
    found = choose_neighbours(partly, partly.frames, HandHeld("poses"))
    assert found.without == {UNTURNED: 2}
    assert len(found.neighbours) == 4
    for pose in some.glob("*.pose.txt"):
        pose.unlink()
    without = RgbdSequences(some)
    with pytest.raises(ValueError, match=r"'poses' expects recorded poses, .*some has none"):
        choose_neighbours(without, without.frames, settings)


def test_turns_are_kept_where_nothing_is_to_be_undone(room: Path) -> None:
    source = RgbdSequences(room)
    keep = HandHeld("keep", least_parallax=16.0, most_parallax=60.0, reach=4)
    found = choose_neighbours(source, source.frames, keep)
    assert steps_of(found) == steps_of(choose_neighbours(source, source.frames, ENOUGH))
    assert not found.turns


def test_what_comes_as_it_comes_is_not_measured(room: Path) -> None:
    source = RgbdSequences(room)
    assert as_hand_held(source, source.frames, BOTH, AS_THEY_COME) is source
    assert isinstance(as_hand_held(source, source.frames, BOTH, ANY), HandHeldSource)


def test_what_was_measured_is_kept_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = write_room(tmp_path / "room", WALK[:5]), tmp_path / "cache"
    source = RgbdSequences(folder)
    expected = choose_neighbours(source, source.frames, ENOUGH, cache=cache, workers=2)
    module = importlib.import_module("leadline.data.hand_held")
    measured: list[object] = []
    looked: list[object] = []
    real, real_look = module.view_change, module.points_of

    def watched(*arguments: object) -> object:
        measured.append(arguments)
        return real(*arguments)

    def look(picture: object) -> object:
        looked.append(picture)
        return real_look(picture)

    monkeypatch.setattr(module, "view_change", watched)
    monkeypatch.setattr(module, "points_of", look)
    again = choose_neighbours(source, source.frames, ENOUGH, cache=cache)
    assert steps_of(again) == steps_of(expected)
    assert all(np.array_equal(turn, again.turns[pair]) for pair, turn in expected.turns.items())
    assert measured == looked == []
    known = len(json.loads((cache / RECORDS["pictures"]).read_text())["pairs"])
    poses = HandHeld("poses", least_parallax=16.0, most_parallax=60.0, reach=4)
    choose_neighbours(source, source.frames, poses, cache=cache)
    assert measured
    # Every picture is looked at once, however many others it is compared with.
    assert len(looked) == 5
    # And every pair is compared once, from whichever of its frames it was asked.
    assert len(measured) == len(json.loads((cache / RECORDS["poses"]).read_text())["pairs"])
    measured.clear()
    choose_neighbours(source, source.frames, ENOUGH, cache=cache)
    assert measured == []
    write_intrinsics(folder, 1.05 * CAMERA[0, 0], *CAMERA[:2, 2])
    changed = RgbdSequences(folder)
    choose_neighbours(changed, changed.frames, ENOUGH, cache=cache)
    assert len(measured) >= known > 0


def test_the_other_camera_is_what_a_turn_holds_of(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, cache = RgbdSequences(room), tmp_path / "cache"
    frames = source.frames[:2]
    first = choose_neighbours(source, frames[:1], ANY, ways=[1], cache=cache)
    real = RgbdSequences.camera
    other = resize_intrinsics(torch.from_numpy(CAMERA), SIZE, (SIZE[0], SIZE[1] - 20)).numpy()

    def camera(self: RgbdSequences, frame: FrameId) -> Any:
        found = real(self, frame)
        if frame != frames[1] or found is None:
            return found
        return type(found)(other, found.size, found.rig_to_camera)

    monkeypatch.setattr(RgbdSequences, "camera", camera)
    second = choose_neighbours(source, frames[:1], ANY, ways=[1], cache=cache)
    assert not np.array_equal(*(chosen.turns[frames[0], frames[1]] for chosen in (first, second)))

    def none(self: RgbdSequences, frame: FrameId) -> Any:
        return None if frame == frames[1] else real(self, frame)

    monkeypatch.setattr(RgbdSequences, "camera", none)
    third = choose_neighbours(source, frames[:1], ANY, ways=[1], cache=cache)
    assert third.without == {UNSEEN: 1}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"least_parallax": -1.0}, "expected 0 <= least_parallax <= most_parallax, got -1 and 320"),
        ({"least_parallax": 30.0, "most_parallax": 24.0}, "got 30 and 24"),
        ({"reach": 0}, "hand_held.reach: expected from 1 to 64 frames, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HandHeld(**settings)


OWN = {"neighbour", "turn", "no_neighbour", "no_source", "remarks"}
"""What a `HandHeldSource` answers by itself."""
OF_FRAMES = {"frames", "sequences"}
"""What it makes of the same frames."""
OF_ONE = ("image_path", "hint_path", "size", "has_depth", "truth_kind", "true_depth", "truth_files")
OF_TWO = ("target_to_source", "recorded_motion", "distance", "seconds")


def test_the_rest_of_a_source_is_what_it_was(tmp_path: Path) -> None:
    settings = WorldSettings(drives=2, frames=3, size=(96, 64), seed=3, velodyne=False)
    generate(tmp_path / "world", settings)
    source = KittiRaw(tmp_path / "world", temporal_poses=True)
    other = as_hand_held(source, [], BOTH, ANY)
    answered = set()

    def same(name: str, *asked: object) -> None:
        answers = [getattr(each, name) for each in (source, other)]
        if callable(answers[0]):
            answers = [answer(*asked) for answer in answers]
        np.testing.assert_equal(*answers)
        if answers[0] is not None and answers[0] is not False:
            answered.add(name)

    first, second = source.frames[:2]
    for name in OF_ONE:
        same(name, first)
    for name in OF_TWO:
        same(name, first, source.neighbour(first, AFTER))
    for name in ("root", "frame_step", "temporal_poses", "splits", *OF_FRAMES):
        same(name)
    same("baseline", first.sequence)
    assert other.rig(first.sequence) is source.rig(first.sequence)
    assert other.camera(second) is source.camera(second)
    assert other.neighbour(first, STEREO) == source.neighbour(first, STEREO) is not None
    assert other.neighbour(first, AFTER) is None
    public = {name for name in dir(source) if not name.startswith("_") and hasattr(Source, name)}
    assert public - OWN - answered <= {"rig", "camera", "root"}


def test_it_counts_and_knows_as_its_source_does(room: Path) -> None:
    source = RgbdSequences(room, every=2, temporal_poses=True)
    other = as_hand_held(source, source.frames, BOTH, ANY)
    assert (other.root, other.frame_step, other.temporal_poses) == (room, 2, True)
    assert other.frames == source.frames
