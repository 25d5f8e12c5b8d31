"""Frames at which the camera stood are found, by the way travelled and by the images alone."""

import importlib
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from data.tiny_trees import SEQUENCE, cut_short, write_camera_file, write_drive

from leadline.data.module import DepthData
from leadline.data.sources.base import FrameId
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.data.standstill import RECORD, STILL, image_motion, standing_frames
from leadline.data.synthetic import WorldSettings, generate
from leadline.data.synthetic.settings import DrivePlan
from leadline.offset import STEREO, Offset

VIDEO = (Offset(-1), Offset(1))
SIZE = (96, 320)
SHIFTS = (0, 4, 8, 8, 8, 8, 12, 16)
"""Pixels by which a camera that films a wall has moved: from frame 2 to 5 it stands."""
STANDING = {2, 3, 4, 5}
SMALL: dict[str, Any] = {"height": 32, "width": 96, "workers": 0, "frames": [0, -1, 1]}
WORLD = WorldSettings(
    drives=2, frames=10, size=(128, 40), seed=3, supersampling=1, velodyne=False, standing_frames=4
)


def wall(seed: int = 0) -> np.ndarray:
    """A random grey picture wider than the camera's."""
    noise = np.random.default_rng(seed).normal(size=(SIZE[0], SIZE[1] + 100)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 50 * blurred / blurred.std(), 0, 255).astype(np.uint8)


def seen(shift: int, seed: int = 0) -> np.ndarray:
    """The wall from a camera moved by so many pixels, with noise of its own."""
    view = wall(seed)[:, shift : shift + SIZE[1]].astype(np.float32)
    noise = np.random.default_rng(100 + shift + seed).normal(scale=3, size=view.shape)
    return np.clip(view + noise, 0, 255).astype(np.uint8)


def write_walls(root: Path, shifts: tuple[int, ...] = SHIFTS) -> ImageFolder:
    """A video of nothing but images and a camera file: nobody knows how far it travelled."""
    write_camera_file(root, width=SIZE[1], height=SIZE[0], baseline=None)
    for index, shift in enumerate(shifts):
        cv2.imwrite(str(root / f"{index:03d}.png"), seen(shift))
    return ImageFolder(root)


def indices(frames: dict[FrameId, str]) -> set[int]:
    return {frame.index for frame in frames}


def test_noise_and_exposure_are_no_motion_and_a_shift_is_measured() -> None:
    first = seen(0)
    darker = np.clip(0.85 * seen(0, seed=0).astype(np.float32) + 5, 0, 255).astype(np.uint8)
    other = np.clip(first + np.random.default_rng(1).normal(scale=4, size=SIZE), 0, 255)
    assert image_motion(first, other.astype(np.uint8)) < STILL / 2
    assert image_motion(first, darker) < STILL / 2
    assert image_motion(first, seen(3)) == pytest.approx(3, abs=0.1)


def test_a_car_that_overtakes_is_not_the_camera_and_one_ahead_does_not_hold_it() -> None:
    here, there, car, later = seen(0), seen(0), seen(40, seed=1), seen(46, seed=1)
    overtaken, overtaking = here.copy(), there.copy()
    overtaken[:, 60:190], overtaking[:, 60:190] = car[:, 60:190], later[:, 60:190]
    assert image_motion(overtaken, overtaking) < STILL
    before, after = seen(0).copy(), seen(6).copy()
    before[:, 100:230] = after[:, 100:230] = car[:, 100:230]
    assert image_motion(before, after) > 3


def test_a_black_picture_tells_nothing() -> None:
    black = np.zeros(SIZE, np.uint8)
    assert math.isnan(image_motion(black, black))


def test_images_alone_tell_where_the_camera_stood(tmp_path: Path) -> None:
    source = write_walls(tmp_path)
    found = standing_frames(source, source.frames, VIDEO, workers=2)
    assert indices(found) == STANDING
    assert "px of 320 from frame 2 to 3" in found[source.frames[2]]
    assert indices(standing_frames(source, source.frames, (Offset(1),))) == STANDING - {5}
    assert standing_frames(source, source.frames, (STEREO,)) == {}


def test_what_was_measured_is_kept_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, cache = write_walls(tmp_path / "walls"), tmp_path / "cache"
    expected = standing_frames(source, source.frames, VIDEO, cache)
    module = importlib.import_module("leadline.data.standstill")
    measured: list[float] = []

    def watched(first: np.ndarray, second: np.ndarray) -> float:
        measured.append(image_motion(first, second))
        return measured[-1]

    monkeypatch.setattr(module, "image_motion", watched)
    assert standing_frames(source, source.frames, VIDEO, cache) == expected
    assert measured == []
    cv2.imwrite(str(source.image_path(source.frames[4])), seen(30))
    assert indices(standing_frames(source, source.frames, VIDEO, cache)) == {2, 3}
    assert len(measured) == 2
    assert len(json.loads((cache / RECORD).read_text())["pairs"]) == len(SHIFTS) - 1
    (cache / RECORD).write_text("[1, 2")
    assert indices(standing_frames(source, source.frames, VIDEO, cache)) == {2, 3}


def test_a_damaged_image_tells_nothing(tmp_path: Path) -> None:
    source = write_walls(tmp_path)
    cut_short(source.image_path(source.frames[3]))
    assert indices(standing_frames(source, source.frames, VIDEO)) == {4, 5}


@pytest.mark.parametrize("metre", [1.0, 1e-3])
def test_the_way_travelled_tells_it_at_any_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metre: float
) -> None:
    write_drive(tmp_path, 8)
    source = KittiRaw(tmp_path)
    places = np.array([0, 0.9, 1.8, 1.8, 1.801, 1.8, 2.4, 3.3]) * metre

    def way(self: KittiRaw, target: FrameId, other: FrameId) -> float:
        return float(abs(places[target.index] - places[other.index]))

    monkeypatch.setattr(KittiRaw, "distance", way)
    found = standing_frames(source, source.frames, VIDEO)
    assert indices(found) == STANDING
    assert len(found) == 2 * len(STANDING)
    assert "0.000 m from frame 2 to 3" in found[FrameId(SEQUENCE, 2)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("standing") / "world"
    generate(root, WORLD, workers=1)
    return root


class WithoutRecords(KittiRaw):
    """A world that knows nothing but its images."""

    def distance(self, target: FrameId, source: FrameId) -> float:
        return math.nan


@pytest.mark.parametrize("source", [KittiRaw, WithoutRecords])
def test_training_leaves_out_the_frames_of_a_stop_and_no_other(
    world: Path, source: type[KittiRaw]
) -> None:
    plan: DrivePlan = WORLD.plans()[0]
    assert plan.standing == (3, 6)
    split = world / "splits" / "train.txt"
    data: dict[str, Any] = dict(SMALL, train_split=split, val_split=split)
    kept = DepthData(source(world), **data)
    skipped = DepthData(source(world), static="skip", **data)
    for each in (kept, skipped):
        each.setup()
    assert {frame.index for frame in kept.train_selection.frames} == set(range(1, 9))
    assert {frame.index for frame in skipped.train_selection.frames} == {1, 2, 7, 8}
    assert skipped.train_selection.reasons()["the camera stood still"] == 8
    assert f"8 skipped, the camera stood still ({plan.path}); first: {plan.path} 3 l: " in (
        skipped.report()
    )
    assert "8 skipped, the camera stood still" in skipped.description()
    assert skipped.val_selection == kept.val_selection


def test_a_cache_is_filled_before_frames_are_chosen(world: Path, tmp_path: Path) -> None:
    data = DepthData(WithoutRecords(world), static="skip", cache=tmp_path, **SMALL)
    data.prepare_data()
    assert (tmp_path / RECORD).is_file()


def test_static_frames_cannot_be_told_without_neighbours_in_time(world: Path) -> None:
    with pytest.raises(ValueError, match=r"static: 'skip' expects neighbours .* got \[0, stereo"):
        DepthData(KittiRaw(world), static="skip")


def test_a_wandering_gps_does_not_hide_a_stop(tmp_path: Path) -> None:
    """On a short way the images are asked as well; where they move it is a way."""
    root = tmp_path / "walls"
    write_walls(root)
    with (root / "camera.yaml").open("a") as file:
        file.write("fps: 10\ntrajectory: poses.txt\n")
    for stride, expected in ((0.05, STANDING), (2.0, set())):
        rows = [f"1 0 0 {stride * (i % 2)} 0 1 0 0 0 0 1 0\n" for i in range(len(SHIFTS))]
        (root / "poses.txt").write_text("".join(rows))
        source = ImageFolder(root)
        assert indices(standing_frames(source, source.frames, VIDEO)) == expected
