"""A tiny world on disk: its layout, its truth, and that it comes out the same every time."""

import hashlib
import importlib
import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leftovers import leave_half_a_file
from PIL import Image

from leadline.data.sources.kitti import KittiRaw
from leadline.data.splits import read_split
from leadline.data.synthetic import Kind, WorldSettings, generate
from leadline.data.synthetic.drive import Drive, make_drive
from leadline.data.synthetic.kitti_writer import frame_paths
from leadline.data.synthetic.oxts import EARTH_RADIUS, ORIGIN, position_to_degrees
from leadline.data.synthetic.start import errors_of_guessing
from leadline.data.synthetic.trajectory import frame_time

TINY = WorldSettings(drives=2, frames=2, size=(128, 40), seed=3, supersampling=1)
PERFECT = WorldSettings(drives=2, frames=8, size=(128, 40), seed=0, perfect_sensor=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "world"
    reports: list[tuple[int, int]] = []
    summary = generate(root, TINY, workers=1, progress=lambda *report: reports.append(report))
    assert (summary.written, summary.skipped) == (4, 0)
    assert reports == [(1, 4), (2, 4), (3, 4), (4, 4)]
    return root


@pytest.fixture(scope="module")
def perfect() -> Drive:
    """The test drive of a world whose cameras have no flaws."""
    return make_drive(PERFECT, PERFECT.plans()[-1])


@pytest.fixture(scope="module")
def source(world: Path) -> KittiRaw:
    return KittiRaw(world, truth="exact", temporal_poses=True)


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def drives(root: Path) -> Iterator[Path]:
    for drive in json.loads((root / "world.json").read_text())["drives"]:
        yield root / drive["path"]


def depth(drive: Path, number: int, camera: str = "image_02") -> np.ndarray:
    with np.load(drive / "proj_depth" / "exact" / camera / f"{number:010d}.npz") as file:
        return file["depth"]


def test_what_is_lost_comes_back_in_other_processes_byte_for_byte(
    world: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(world, root)
    first, last = drives(root)
    (first / "kinds" / "image_03" / "0000000001.png").unlink()
    (first / "image_02" / "poses.txt").unlink()
    for path in frame_paths(last, 0, TINY).values():
        path.unlink()
    (last / "oxts" / "data" / "0000000001.txt").unlink()
    for path in (first / "instances" / "image_03" / "0000000001.png", root / "world.json"):
        leave_half_a_file(path)
    untouched = first / "image_02" / "data" / "0000000000.png"
    stamp = untouched.stat().st_mtime_ns
    summary = generate(root, TINY, workers=2)
    assert (summary.written, summary.skipped) == (2, 2)
    assert untouched.stat().st_mtime_ns == stamp
    assert digests(root) == digests(world)


def test_a_complete_world_is_not_built_again(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("leadline.data.synthetic.generate")
    monkeypatch.setattr(module, "make_drive", None)
    summary = generate(world, TINY, workers=1)
    assert (summary.written, summary.skipped) == (0, 4)


def test_another_world_or_a_strangers_folder_is_refused(world: Path, tmp_path: Path) -> None:
    other = replace(TINY, seed=4)
    with pytest.raises(ValueError, match=r"another world \(seed 3 there, 4 here\)"):
        generate(world, other)
    (tmp_path / "thesis.txt").write_text("keep me")
    with pytest.raises(ValueError, match="expected an empty folder or a synthetic world"):
        generate(tmp_path, TINY)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "world.json").write_text('{"generator": ')
    with pytest.raises(ValueError, match=r"world\.json: expected the description of a world"):
        generate(tmp_path / "damaged", TINY)
    with pytest.raises(ValueError, match="workers: expected 0"):
        generate(tmp_path / "new", TINY, workers=-1)


def test_drives_and_frames_differ(world: Path) -> None:
    pictures = [
        np.asarray(Image.open(drive / "image_02" / "data" / f"{number:010d}.png"), np.float64)
        for drive in drives(world)
        for number in range(TINY.frames)
    ]
    for a, b in itertools.combinations(pictures, 2):
        assert np.abs(a - b).mean() > 3


def test_another_seed_is_another_world(world: Path, perfect: Drive) -> None:
    *_, last = drives(world)
    assert np.abs(perfect.frame(0).views[0].depth - depth(last, 0)).mean() > 1


def test_split_files_name_frames_that_are_there(world: Path, source: KittiRaw) -> None:
    train, val, test = (
        read_split(world / "splits" / f"{name}.txt") for name in ("train", "val", "test")
    )
    assert all(frame in source for frame in (*train, *val, *test))
    assert {frame.camera for frame in train} == {0, 1}
    assert {frame.camera for frame in test} == {0}
    assert not {f.sequence for f in train} & {f.sequence for f in (*val, *test)}


def test_the_calibration_states_the_baseline_and_the_focal_length(source: KittiRaw) -> None:
    for sequence in source.sequences:
        left, right = source.rig(sequence)  # type: ignore[misc]
        shift = right.rig_to_camera @ np.linalg.inv(left.rig_to_camera)
        assert np.allclose(shift[:3, 3], [-TINY.baseline, 0, 0], atol=1e-9)
        assert np.allclose(left.rig_to_camera[0, 3], 0.06, atol=1e-9)
        assert left.intrinsics[0, 0] == pytest.approx(0.58 * TINY.size[0])
        assert left.size == (40, 128)


def test_speed_times_time_is_the_displacement_of_the_poses(source: KittiRaw) -> None:
    for frames in source.sequences.values():
        first, second = (frame for frame in frames if frame.camera == 0)
        moved = source.target_to_source(first, second)
        assert moved is not None
        length = float(np.linalg.norm(moved[:3, 3]))
        assert 0.3 < length < 2
        assert source.seconds(first, second) == pytest.approx(0.1)
        assert source.distance(first, second) == pytest.approx(length, rel=0.03)


def test_oxts_positions_give_the_displacement_back(world: Path) -> None:
    """Through the Mercator projection of the KITTI development kit."""
    for drive in drives(world):
        places = []
        for number in range(TINY.frames):
            values = list(
                map(float, (drive / "oxts" / "data" / f"{number:010d}.txt").read_text().split())
            )
            assert len(values) == 30
            latitude, longitude, altitude = values[:3]
            scale = np.cos(np.deg2rad(ORIGIN[0])) * EARTH_RADIUS
            north = scale * np.log(np.tan(np.deg2rad(90 + latitude) / 2))
            places.append([scale * np.deg2rad(longitude), north, altitude])
            speed = np.linalg.norm(values[8:11])
            assert np.linalg.norm([values[6], values[7], values[10]]) == pytest.approx(speed)
        step = np.linalg.norm(np.diff(places, axis=0))
        assert step == pytest.approx(speed * 0.1, rel=0.03)
    assert position_to_degrees(0.0, 0.0) == pytest.approx(ORIGIN[:2])


def test_the_scan_lies_on_the_exact_depth(world: Path) -> None:
    scanned = KittiRaw(world, truth="velodyne")
    exact = KittiRaw(world, truth="exact")
    for frame in scanned.frames:
        measured, truth = scanned.true_depth(frame), exact.true_depth(frame)
        assert measured is not None
        assert truth is not None
        both = (measured > 0) & (truth > 0)
        assert both.mean() > 0.3
        error = np.abs(measured - truth)[both] / truth[both]
        # Pixels are coarse here: a point beside an edge, or on steep ground, is off by more.
        assert np.median(error) < 0.02
        assert (error < 0.1).mean() > 0.8


def test_every_picture_of_truth_agrees_with_the_others(world: Path) -> None:
    legend = json.loads((world / "world.json").read_text())["kinds"]
    assert legend == {kind.name.lower(): kind.value for kind in Kind}
    for drive in drives(world):
        for camera in ("image_02", "image_03"):
            for number in range(TINY.frames):
                metres = depth(drive, number, camera)
                kinds = np.asarray(Image.open(drive / "kinds" / camera / f"{number:010d}.png"))
                objects = np.asarray(
                    Image.open(drive / "instances" / camera / f"{number:010d}.png")
                )
                assert metres.dtype == np.float32
                assert metres.shape == (40, 128)
                assert np.isfinite(metres).all()
                assert ((metres == 0) == (kinds == Kind.SKY)).all()
                assert ((metres == 0) == (objects == 0)).all()
                assert set(np.unique(kinds)) <= set(legend.values())
                for ground in (Kind.ROAD, Kind.TERRAIN):
                    assert set(objects[kinds == ground]) <= {1}
                on_object = ~np.isin(kinds, [Kind.SKY, Kind.ROAD, Kind.TERRAIN])
                assert (objects[on_object] > 1).all()


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    x0 = np.clip(np.floor(x).astype(int), 0, width - 2)
    y0 = np.clip(np.floor(y).astype(int), 0, height - 2)
    a, b = (x - x0)[..., None], (y - y0)[..., None]
    upper = image[y0, x0] * (1 - a) + image[y0, x0 + 1] * a
    lower = image[y0 + 1, x0] * (1 - a) + image[y0 + 1, x0 + 1] * a
    return upper * (1 - b) + lower * b


def warped_error(
    target: np.ndarray, source: np.ndarray, x: np.ndarray, y: np.ndarray, seen: np.ndarray
) -> float:
    height, width = target.shape[:2]
    warped = bilinear(source / 255.0, np.clip(x, 0, width - 1), np.clip(y, 0, height - 1))
    return float(np.abs(warped - target / 255.0).mean(-1)[seen].mean())


def sampled(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    height, width = image.shape
    rows = np.clip(np.round(y).astype(int), 0, height - 1)
    return image[rows, np.clip(np.round(x).astype(int), 0, width - 1)]


def test_the_right_picture_warped_by_the_true_disparity_is_the_left_one(perfect: Drive) -> None:
    frame = perfect.frame(2)
    left, right = frame.pictures
    truth, other = (view.depth.astype(np.float64) for view in frame.views)
    height, width = truth.shape
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    focal = perfect.motion.rig.intrinsics[0, 0]
    disparity = focal * PERFECT.baseline / np.where(truth > 0, truth, np.inf)
    landed = x - disparity
    inside = (landed >= 2) & (landed <= width - 3) & (truth > 0)
    seen = inside & (np.abs(sampled(other, landed, y) - truth) < 0.02 * truth)
    error = warped_error(left, right, landed, y, seen)
    assert seen.mean() > 0.4
    assert error < 0.03
    for shift in (-2, 2):
        assert warped_error(left, right, landed + shift, y, seen) > 2.5 * error


def test_the_next_picture_warped_by_depth_and_poses_is_this_one(perfect: Drive) -> None:
    before, after = perfect.frame(2), perfect.frame(3)
    truth, other = (frame.views[0].depth.astype(np.float64) for frame in (before, after))
    height, width = truth.shape
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    intrinsics = perfect.motion.rig.intrinsics
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1)
    points = pixels @ np.linalg.inv(intrinsics).T * truth[..., None]
    camera_to_world = [perfect.motion.camera_to_world(2, number) for number in (2, 3)]
    move = np.linalg.inv(camera_to_world[1]) @ camera_to_world[0]
    moved = points @ move[:3, :3].T + move[:3, 3]
    projected = moved @ intrinsics.T
    ahead = np.maximum(projected[..., 2], 0.1)
    u, v = projected[..., 0] / ahead, projected[..., 1] / ahead
    inside = (u >= 2) & (u <= width - 3) & (v >= 0) & (v <= height - 1) & (moved[..., 2] > 0.1)
    seen = inside & (truth > 0) & (before.views[0].kind != Kind.MOVING_VEHICLE)
    seen &= np.abs(sampled(other, u, v) - moved[..., 2]) < 0.03 * moved[..., 2]
    error = warped_error(before.pictures[0], after.pictures[0], u, v, seen)
    assert seen.mean() > 0.3
    assert error < 0.04
    for shift in (-2, 2):
        shifted = warped_error(before.pictures[0], after.pictures[0], u + shift, v, seen)
        assert shifted > 2 * error


def test_the_vehicle_ahead_keeps_its_place_in_the_image_and_others_do_not(
    perfect: Drive,
) -> None:
    lead = perfect.fleet[0].instance
    frames = [perfect.frame(number).views[0] for number in (0, 7)]
    depths = [float(np.median(view.depth[view.instance == lead])) for view in frames]
    assert abs(depths[1] - depths[0]) < 1
    travelled = perfect.motion.trajectory.s_at(0.7) - perfect.motion.trajectory.s_at(0.0)
    assert travelled > 3
    for view in frames:
        assert (view.kind[view.instance == lead] == Kind.MOVING_VEHICLE).all()


def test_a_drive_that_stops_stands_with_the_car_ahead_while_others_go_on() -> None:
    settings = replace(TINY, frames=12, standing_frames=4, lead_in_every_drive=True)
    (plan,) = (plan for plan in settings.plans() if plan.standing is not None)
    first, last = plan.standing or (0, 0)
    drive = make_drive(settings, plan)
    poses = [drive.motion.camera_to_world(2, number) for number in range(settings.frames)]
    still = [bool((a == b).all()) for a, b in itertools.pairwise(poses)]
    assert still == [first <= number < last for number in range(settings.frames - 1)]
    trajectory = drive.motion.trajectory
    assert np.abs(trajectory.velocity(frame_time(first + 1))).max() == 0
    lead, *others = drive.fleet
    begin, end = frame_time(first), frame_time(last)
    assert abs(lead.s_at(end) - lead.s_at(begin)) < 0.1
    assert all(car.s_at(end) < car.s_at(begin) - 1 for car in others)
    # Before it brakes the drive is the one without a stop.
    going = make_drive(replace(settings, standing_frames=0), replace(plan, standing=None))
    assert (going.motion.camera_to_world(2, 1) == poses[1]).all()
    assert not (going.motion.camera_to_world(2, last) == poses[last]).all()


def test_a_world_that_stops_is_told_from_one_that_does_not(world: Path) -> None:
    settings = replace(TINY, lead_in_every_drive=True)
    with pytest.raises(ValueError, match="lead_in_every_drive False there, True here"):
        generate(world, settings)


def test_a_drive_shows_much_and_is_hard_to_guess(perfect: Drive) -> None:
    views = [perfect.frame(number).views[0] for number in (0, 3, 7)]
    shown = set(np.unique(np.stack([view.kind for view in views])).tolist())
    assert {Kind.SKY, Kind.ROAD, Kind.TERRAIN, Kind.BUILDING, Kind.VEHICLE} <= shown
    assert {Kind.FOLIAGE, Kind.MOVING_VEHICLE} <= shown
    assert shown & {Kind.POLE, Kind.SIGN, Kind.FENCE, Kind.TRUNK}
    constant, per_row = errors_of_guessing(np.stack([view.depth for view in views]))
    assert constant >= 0.35
    assert per_row >= 0.20


def test_noise_and_exposure_are_the_only_flaws_of_a_sensor(perfect: Drive) -> None:
    left, right = perfect.sensors
    light = np.full((4, 6, 3), 0.1)
    random = np.random.default_rng(0)
    picture = left.develop(light, 0.0, random)
    assert (picture == picture[0, 0, 0]).all()
    assert (right.develop(light, 5.0, random) == picture).all()
