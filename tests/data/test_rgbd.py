"""RGB-D sequences as they lie on the disk: what is read, what is missing, what is wrong."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from data.rgbd_trees import (
    camera_to_world,
    motion_between,
    wall,
    write_depth_png,
    write_intrinsics,
    write_sequence,
    write_tum,
)
from data.tiny_trees import CX, CY, FOCAL, SIZE, cut_short, write_camera_file, write_image

from leadline.data.dataset import DepthDataset, Extras
from leadline.data.selection import Needs, select
from leadline.data.sources.base import FrameId
from leadline.data.sources.detect import open_source, source_config
from leadline.data.sources.rgbd import RgbdSequences
from leadline.offset import STEREO, TARGET, Offset

VIDEO = (Offset(-1), Offset(1))
SEQUENCE = "seq-01"
FRAME, NEXT = FrameId(SEQUENCE, 1), FrameId(SEQUENCE, 2)


def write_scene(root: Path, *numbers: int, sequence: str = SEQUENCE) -> Path:
    """One sequence of 7-Scenes' layout with the camera of both."""
    write_sequence(root / sequence, numbers or range(4))
    write_intrinsics(root)
    return root


def test_sub_folders_are_sequences_and_so_is_the_folder_itself(tmp_path: Path) -> None:
    for sequence in ("seq-01", "seq-02"):
        write_scene(tmp_path / "chess", 0, 1, 2, sequence=sequence)
    scene = open_source(tmp_path / "chess")
    assert isinstance(scene, RgbdSequences)
    assert list(scene.sequences) == ["seq-01", "seq-02"]
    assert list(open_source(tmp_path).sequences) == ["chess/seq-01", "chess/seq-02"]
    write_intrinsics(tmp_path / "chess" / "seq-01")
    alone = open_source(tmp_path / "chess" / "seq-01")
    assert alone.frames == tuple(FrameId(".", number) for number in range(3))
    assert scene.image_path(FRAME) == tmp_path / "chess/seq-01/frame-000001.color.png"
    assert str(scene.hint_path(FRAME)) == "seq-01/frame-000001.color.png"
    assert scene.neighbour(FRAME, STEREO) is None
    assert scene.remarks() == ()


def test_a_frame_has_the_number_of_its_file_and_a_gap_stays_a_gap(tmp_path: Path) -> None:
    source = RgbdSequences(write_scene(tmp_path, 0, 10, 20, 40, 50))
    assert [frame.index for frame in source.frames] == [0, 10, 20, 40, 50]
    assert source.neighbour(FrameId(SEQUENCE, 10), Offset(1)) == FrameId(SEQUENCE, 20)
    assert source.neighbour(FrameId(SEQUENCE, 20), Offset(1)) is None
    assert source.neighbour(FrameId(SEQUENCE, 40), Offset(-2)) == FrameId(SEQUENCE, 20)
    chosen = select(source, source.frames, Needs(VIDEO))
    assert chosen.frames == (FrameId(SEQUENCE, 10),)
    assert source.remarks() == ("of every 10 frames one is here: neighbours are so far apart",)


def test_every_thins_a_sequence(tmp_path: Path) -> None:
    write_scene(tmp_path, *range(7))
    write_scene(tmp_path, *range(3, 9), sequence="seq-02")
    source = open_source(tmp_path, ["every=3"])
    numbers = {name: [f.index for f in frames] for name, frames in source.sequences.items()}
    assert numbers == {"seq-01": [0, 3, 6], "seq-02": [3, 6]}
    assert source.neighbour(FrameId("seq-01", 3), Offset(1)) == FrameId("seq-01", 6)
    with pytest.raises(ValueError, match="every: expected 1"):
        RgbdSequences(tmp_path, every=0)


def test_other_kinds_are_not_taken_for_it(tmp_path: Path) -> None:
    write_image(tmp_path / "frame-000000.png")
    write_camera_file(tmp_path, baseline=None)
    assert source_config(tmp_path)["class_path"].endswith("ImageFolder")
    write_sequence(tmp_path / "again")
    assert source_config(tmp_path)["class_path"].endswith("RgbdSequences")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"RGB-D sequences \(frame-\*.color.\* or rgb.txt\)"):
        source_config(tmp_path / "empty")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_depth_of_the_colour_camera_is_taken_as_it_is(tmp_path: Path, suffix: str) -> None:
    write_sequence(tmp_path / SEQUENCE, suffix=suffix)
    write_intrinsics(tmp_path)
    source = RgbdSequences(tmp_path)
    depth, steps = source.true_depth(FRAME), wall(1)
    assert depth is not None
    assert depth.dtype == np.float32
    known = (steps > 0) & (steps < 65535)
    assert (depth[known] == steps[known].astype(np.float32) / 1000).all()
    assert (depth[~known] == 0).all()
    assert (~known).sum() == 10
    assert source.truth_kind(FRAME) == "depth images"
    assert source.truth_kind(FRAME, "improved") is source.true_depth(FRAME, "improved") is None
    assert source.truth_files(FRAME) == (tmp_path / SEQUENCE / "frame-000001.depth.png",)
    camera = source.camera(FRAME)
    assert camera is not None
    assert np.array_equal(camera.intrinsics, [[FOCAL, 0, CX], [0, FOCAL, CY], [0, 0, 1]])
    assert camera.size == SIZE == source.size(FRAME)


def brought_slowly(
    steps: np.ndarray, depth_focal: float, offset: tuple[float, float, float]
) -> np.ndarray:
    """Pixel by pixel: out of the depth camera, across, into the colour camera."""
    seen = np.zeros(SIZE)
    for (v, u), step in np.ndenumerate(steps):
        if step in (0, 65535):
            continue
        z = step / 1000
        x, y = (u - CX) / depth_focal * z + offset[0], (v - CY) / depth_focal * z + offset[1]
        z += offset[2]
        column, row = (math.floor(FOCAL * a / z + c + 0.5) for a, c in ((x, CX), (y, CY)))
        inside = 0 <= column < SIZE[1] and 0 <= row < SIZE[0]
        if inside and not 0 < seen[row, column] <= z:
            seen[row, column] = z
    return seen


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (-0.1, 0.02, 0.05)])
@pytest.mark.parametrize("depth_focal", [31.7, 52.3])
def test_depth_of_another_camera_is_brought_to_the_colour_camera(
    tmp_path: Path, depth_focal: float, offset: tuple[float, float, float]
) -> None:
    write_sequence(tmp_path / SEQUENCE)
    write_camera_file(tmp_path, baseline=None)
    write_intrinsics(tmp_path, focal=depth_focal)
    steps = wall(1)
    steps[5:15, 20:30] = 700  # a pillar before the wall
    write_depth_png(tmp_path / SEQUENCE / "frame-000001.depth.png", steps)
    source = RgbdSequences(tmp_path, depth_to_colour=None if not any(offset) else offset)
    depth = source.true_depth(FRAME)
    assert depth is not None
    np.testing.assert_allclose(depth, brought_slowly(steps, depth_focal, offset), rtol=1e-6)
    assert (depth > 0).mean() > 0.3
    assert source.truth_kind(FRAME) == "depth images, brought to the colour camera"
    assert {path.name for path in source.truth_files(FRAME)} == {
        *("frame-000001.depth.png", "camera.yaml", "camera-intrinsics.txt")
    }
    (said,) = (line for line in source.remarks() if "of its own" in line)
    assert f"(fx {depth_focal:.1f}) brought to the colour camera (fx {FOCAL:.1f})" in said
    known = "as `depth_to_colour` says" if any(offset) else "since nothing tells another"
    assert known in said
    # Said to be the colour camera's own, it is left as it is.
    (tmp_path / "depth_camera.yaml").write_text((tmp_path / "camera.yaml").read_text())
    registered = RgbdSequences(tmp_path).true_depth(FRAME)
    assert registered is not None
    assert registered[7, 25] == pytest.approx(0.7)


def test_the_colour_camera_of_7_scenes_is_known(tmp_path: Path) -> None:
    write_sequence(tmp_path / SEQUENCE, range(2), size=(480, 640))
    write_intrinsics(tmp_path, 585, 320, 240)
    source = RgbdSequences(tmp_path, temporal_poses=True)
    camera = source.camera(FRAME)
    assert camera is not None
    assert np.array_equal(camera.intrinsics, [[525, 0, 320], [0, 525, 240], [0, 0, 1]])
    assert source.remarks() == (
        "depth of a camera of its own (fx 585.0) brought to the colour camera (fx 525.0), 25 mm "
        "apart, as measured of 7-Scenes in 1 of 1 sequences (seq-01)",
    )
    depth = source.true_depth(FRAME)
    assert depth is not None
    u, v, z = 400, 100, wall(1, (480, 640))[100, 400] / 1000
    column = 525 * ((u - 320) / 585 - 0.025 / z) + 320
    assert depth[round(525 * (v - 240) / 585 + 240), round(column)] == pytest.approx(z, abs=0.01)
    # The poses are those of the depth camera: 25 mm beside it, a turn moves the colour camera.
    across = np.eye(4)
    across[0, 3] = -0.025
    motion = source.target_to_source(FRAME, FrameId(SEQUENCE, 0))
    expected = (
        across @ motion_between(camera_to_world(1), camera_to_world(0)) @ np.linalg.inv(across)
    )
    np.testing.assert_allclose(motion, expected, atol=1e-9)
    assert source.distance(FRAME, FrameId(SEQUENCE, 0)) == pytest.approx(
        float(np.linalg.norm(expected[:3, 3]))
    )


def test_one_camera_of_its_own_word_for_both_is_no_other(tmp_path: Path) -> None:
    write_sequence(tmp_path / SEQUENCE, range(2), size=(480, 640))
    write_intrinsics(tmp_path, 585, 320, 240)
    matrix = "[[585, 0, 320], [0, 585, 240], [0, 0, 1]]"
    write_camera_file(tmp_path, K=matrix, width=640, height=480, baseline=None)
    source = RgbdSequences(tmp_path)
    assert source.truth_kind(FRAME) == "depth images"
    assert source.remarks() == ()


def test_the_nearest_camera_file_upwards_holds(tmp_path: Path) -> None:
    write_scene(tmp_path)
    write_scene(tmp_path, sequence="seq-02")
    write_camera_file(tmp_path / "seq-02", baseline=None, fps=30)
    source = RgbdSequences(tmp_path)
    assert source.seconds(FrameId("seq-02", 1), FrameId("seq-02", 3)) == pytest.approx(2 / 30)
    assert math.isnan(source.seconds(FRAME, NEXT))
    assert math.isnan(source.seconds(FRAME, FrameId("seq-02", 2)))


def test_poses_make_the_motion_known_if_asked_for(tmp_path: Path) -> None:
    write_scene(tmp_path)
    moving, still = RgbdSequences(tmp_path, temporal_poses=True), RgbdSequences(tmp_path)
    expected = motion_between(camera_to_world(1), camera_to_world(2))
    motion = moving.target_to_source(FRAME, NEXT)
    np.testing.assert_allclose(motion, expected, atol=1e-9)
    assert still.target_to_source(FRAME, NEXT) is None
    for source in (moving, still):
        assert source.distance(FRAME, NEXT) == pytest.approx(0.05)
        assert np.array_equal(source.target_to_source(FRAME, FRAME), np.eye(4))
    write_scene(tmp_path, sequence="seq-02")
    both = RgbdSequences(tmp_path, temporal_poses=True)
    assert both.target_to_source(FRAME, FrameId("seq-02", 2)) is None
    assert math.isnan(both.distance(FRAME, FrameId("seq-02", 2)))


def without(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("missing", without),
        ("NaN or infinite", lambda path: np.savetxt(path, np.full((4, 4), -np.inf))),
        ("NaN or infinite", lambda path: np.savetxt(path, np.full((4, 4), np.nan))),
        ("not 4x4", lambda path: np.savetxt(path, np.eye(4)[:3])),
        ("no numbers", lambda path: path.write_text("lost")),
        ("no numbers", lambda path: path.write_bytes(b"\xff\xfe\x00")),
        ("no rigid motion", lambda path: np.savetxt(path, np.diag([1.0, 1, -1, 1]))),
        ("no rigid motion", lambda path: np.savetxt(path, 0.9 * np.eye(4))),
    ],
)
def test_a_pose_that_is_none_is_counted_and_the_frame_stays(
    tmp_path: Path, reason: str, spoil: Callable[[Path], object]
) -> None:
    write_scene(tmp_path)
    path = tmp_path / SEQUENCE / "frame-000002.pose.txt"
    spoil(path)
    source = RgbdSequences(tmp_path, temporal_poses=True)
    assert source.remarks() == (f"1 poses unknown, {reason}, first: {path}",)
    assert source.target_to_source(FRAME, NEXT) is None
    assert math.isnan(source.distance(FRAME, NEXT))
    assert source.target_to_source(FRAME, FrameId(SEQUENCE, 0)) is not None
    assert len(select(source, source.frames, Needs(VIDEO)).frames) == 2
    measured = select(source, source.frames, Needs(VIDEO, every_offset=False, distance=True))
    assert measured.reasons() == {"no speed": 3}


def test_a_rotation_that_rounding_left_askew_is_made_one(tmp_path: Path) -> None:
    write_scene(tmp_path)
    pose = camera_to_world(1)
    pose[:3, :3] = np.round(pose[:3, :3], 3)
    np.savetxt(tmp_path / SEQUENCE / "frame-000001.pose.txt", pose)
    motion = RgbdSequences(tmp_path, temporal_poses=True).target_to_source(FRAME, NEXT)
    assert motion is not None
    np.testing.assert_allclose(motion[:3, :3].T @ motion[:3, :3], np.eye(3), atol=1e-12)


def test_what_a_sequence_lacks_is_said_with_counts(tmp_path: Path) -> None:
    write_scene(tmp_path)
    bare = write_sequence(tmp_path / "seq-02", [0, 5])
    for path in (*bare.glob("*.pose.txt"), *bare.glob("*.depth.png")):
        path.unlink()
    (tmp_path / SEQUENCE / "frame-000003.depth.png").unlink()
    source = RgbdSequences(tmp_path)
    assert source.remarks() == (
        "no poses: no distance, no motion in 1 of 2 sequences (seq-02)",
        "no depth images in 1 of 2 sequences (seq-02)",
        "no two frames 1 numbers apart: no neighbours in 1 of 2 sequences (seq-02)",
        "1 of 6 images without a depth image, first: "
        f"{tmp_path / SEQUENCE / 'frame-000003.color.png'}",
    )
    assert not source.has_depth(FrameId("seq-02", 0))
    assert source.true_depth(FrameId(SEQUENCE, 3)) is None
    assert select(source, source.frames, Needs(depth=True)).reasons() == {"no true depth": 3}


def test_damaged_depth_is_named(tmp_path: Path) -> None:
    write_scene(tmp_path)
    path = tmp_path / SEQUENCE / "frame-000001.depth.png"
    cut_short(path)
    with pytest.raises(ValueError, match=r"frame-000001\.depth\.png: damaged, truncated or no PNG"):
        RgbdSequences(tmp_path).true_depth(FRAME)
    write_image(path)
    with pytest.raises(ValueError, match="expected a 16-bit PNG of one channel"):
        RgbdSequences(tmp_path).true_depth(FRAME)
    write_depth_png(path, wall(1)[:-1])
    with pytest.raises(ValueError, match="expected depth of 64x24, got 64x23"):
        RgbdSequences(tmp_path).true_depth(FRAME)


def test_a_camera_costs_its_sequence_and_all_cameras_the_run(tmp_path: Path) -> None:
    write_sequence(tmp_path / SEQUENCE)
    assert RgbdSequences(tmp_path).remarks() == (
        "no usable camera.yaml or camera-intrinsics.txt: no intrinsics in 1 of 1 sequences "
        "(seq-01)",
    )
    assert RgbdSequences(tmp_path).true_depth(FRAME) is not None
    path = write_intrinsics(tmp_path)
    cut_short(path)
    with pytest.raises(ValueError, match=r"camera-intrinsics\.txt: expected fx 0 cx, 0 fy cy"):
        RgbdSequences(tmp_path)
    write_scene(tmp_path, sequence="seq-02")
    write_intrinsics(tmp_path / "seq-01", focal=0.6)
    source = RgbdSequences(tmp_path)
    assert source.rig(SEQUENCE) is None
    assert source.rig("seq-02") is not None
    no_camera, damage = source.remarks()
    assert "no intrinsics in 1 of 2 sequences (seq-01)" in no_camera
    assert f"{tmp_path / SEQUENCE / 'camera-intrinsics.txt'}: expected fx 0 cx" in damage


def test_cameras_that_fit_nothing_are_refused(tmp_path: Path) -> None:
    write_scene(tmp_path)
    for key, value in (("timestamps", "times.txt"), ("speed", "speed.csv"), ("baseline", 0.1)):
        write_camera_file(tmp_path, **{"baseline": None, key: value})
        with pytest.raises(ValueError, match=f"whose own files tell times and poses, got '{key}'"):
            RgbdSequences(tmp_path)
    write_camera_file(tmp_path, baseline=None)
    for path in (tmp_path / SEQUENCE).glob("*.depth.png"):
        write_depth_png(path, wall(0, (12, 32)))
    with pytest.raises(
        ValueError, match=r"expected a camera of 32x12, the size of the depth images in .*seq-01"
    ):
        RgbdSequences(tmp_path)
    own = write_camera_file(
        tmp_path / "own", baseline=None, width=32, height=12, K=None, fx=20, fy=20, cx=15, cy=5
    )
    own.rename(tmp_path / "depth_camera.yaml")
    depth = RgbdSequences(tmp_path).true_depth(FRAME)
    assert depth is not None
    assert depth.shape == SIZE
    assert (depth > 0).sum() > 200


@pytest.mark.parametrize(
    ("metres", "message"),
    [
        ([0.1], "expected three numbers, the metres x, y, z, got"),
        ([0.1, math.nan, 0], "expected three numbers"),
        ([-25, 0, 0], "which looks like millimetres; divide by 1000"),
    ],
)
def test_an_impossible_place_of_the_cameras_is_refused(
    tmp_path: Path, metres: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RgbdSequences(write_scene(tmp_path), depth_to_colour=metres)


def test_no_sequence_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a folder of RGB-D sequences"):
        RgbdSequences(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"expected RGB-D images, as frame-\*.color.\* or"):
        RgbdSequences(tmp_path)
    write_tum(tmp_path)
    for path in (tmp_path / "rgb").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"rgb/1305031102.000000.png: expected RGB-D"):
        RgbdSequences(tmp_path)


def test_a_recipes_frames_become_samples(tmp_path: Path) -> None:
    source = RgbdSequences(write_scene(tmp_path, 0, 10, 20), temporal_poses=True)
    target = FrameId(SEQUENCE, 10)
    dataset = DepthDataset(source, [target], VIDEO, SIZE, extras=Extras(depth=True))
    sample = dataset[0]
    assert set(sample.images) == {TARGET, *VIDEO}
    expected = motion_between(camera_to_world(10), camera_to_world(20))
    np.testing.assert_allclose(sample.known_poses[Offset(1)], expected, atol=1e-6)
    assert sample.distance[Offset(1)] == pytest.approx(0.5)
    assert sample.depth is not None
    assert torch.equal(sample.depth[0] > 0, torch.from_numpy((wall(1) > 0) & (wall(1) < 65535)))
