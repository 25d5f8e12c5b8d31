import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from data.tiny_trees import (
    BASELINE,
    CX,
    CY,
    DATE,
    FOCAL,
    SEQUENCE,
    SIZE,
    write_calibration,
    write_drive,
    write_image,
    write_kitti,
    write_sweep,
)

from leadline.data.depth_files import write_depth
from leadline.data.selection import Needs, select
from leadline.data.sources.base import FORWARD_SWEEPS, FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.offset import STEREO, TARGET, Offset

LEFT, RIGHT = FrameId(SEQUENCE, 1, 0), FrameId(SEQUENCE, 1, 1)


def write_poses(root: Path, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    poses = []
    for _ in range(count):
        pose = np.eye(4)
        pose[:3, :3] = cv2.Rodrigues(rng.normal(0, 0.1, 3))[0]
        pose[:3, 3] = rng.normal(0, 1, 3)
        poses.append(pose)
    text = "\n".join(" ".join(str(x) for x in pose[:3].ravel()) for pose in poses)
    (root / SEQUENCE / "image_02" / "poses.txt").write_text(text + "\n")
    return poses


def test_a_frame_is_spelled_as_in_split_files() -> None:
    assert str(LEFT) == f"{SEQUENCE} 1 l"
    for frame in (LEFT, RIGHT, FrameId("a folder with spaces 7", 12, 1), FrameId(".", 0)):
        assert FrameId.parse(str(frame)) == frame
    assert FrameId.parse(f"  {SEQUENCE}\t1 ") == LEFT
    for text in ("", "drive", "drive l", "drive x l", "drive 1 m"):
        with pytest.raises(ValueError, match="expected 'date/drive frame"):
            FrameId.parse(text)


def test_neighbours_in_time_and_across_the_pair(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    assert len(source.frames) == 8
    assert source.neighbour(LEFT, TARGET) == LEFT
    assert source.neighbour(LEFT, STEREO) == RIGHT
    assert source.neighbour(RIGHT, STEREO) == LEFT
    assert source.neighbour(RIGHT, Offset(-1)) == FrameId(SEQUENCE, 0, 1)
    assert source.neighbour(LEFT, Offset(1, 1)) == FrameId(SEQUENCE, 2, 1)
    assert source.neighbour(LEFT, Offset(-2)) is None
    assert source.neighbour(LEFT, Offset(camera=2)) is None


def test_a_gap_in_the_numbers_is_a_missing_neighbour(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    (tmp_path / SEQUENCE / "image_02/data/0000000002.png").unlink()
    source = KittiRaw(tmp_path)
    assert source.neighbour(LEFT, Offset(1)) is None
    assert source.neighbour(LEFT, Offset(2)) == FrameId(SEQUENCE, 3, 0)
    assert source.neighbour(FrameId(SEQUENCE, 2, 1), STEREO) is None


def test_calibration_gives_cameras_and_the_stereo_pose(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    camera = source.camera(LEFT)
    assert camera is not None
    assert np.array_equal(camera.intrinsics, [[FOCAL, 0, CX], [0, FOCAL, CY], [0, 0, 1]])
    assert camera.size == source.size(LEFT) == SIZE
    assert source.baseline(SEQUENCE) == pytest.approx(BASELINE)
    for target, partner, x in ((LEFT, RIGHT, -BASELINE), (RIGHT, LEFT, BASELINE)):
        pose = source.target_to_source(target, partner)
        assert pose is not None
        expected = np.eye(4)
        expected[0, 3] = x
        np.testing.assert_allclose(pose, expected, atol=1e-12)
    assert source.target_to_source(LEFT, FrameId(SEQUENCE, 2, 0)) is None


def test_poses_are_known_when_asked_for(tmp_path: Path) -> None:
    poses = write_poses(write_kitti(tmp_path), 3)
    source = KittiRaw(tmp_path, temporal_poses=True)
    after, after_right = FrameId(SEQUENCE, 2, 0), FrameId(SEQUENCE, 2, 1)
    motion = source.target_to_source(LEFT, after)
    assert motion is not None
    np.testing.assert_allclose(poses[2] @ motion, poses[1], atol=1e-9)
    across = source.target_to_source(LEFT, after_right)
    assert across is not None
    shift = np.eye(4)
    shift[0, 3] = -BASELINE
    np.testing.assert_allclose(across, shift @ motion, atol=1e-9)
    assert source.target_to_source(LEFT, FrameId(SEQUENCE, 3, 0)) is None
    assert source.target_to_source(RIGHT, after_right) is None


def test_a_pose_of_eleven_numbers_is_an_error(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    (tmp_path / SEQUENCE / "image_02" / "poses.txt").write_text("1 2 3 4 5 6 7 8 9 10 11\n")
    source = KittiRaw(tmp_path, temporal_poses=True)
    with pytest.raises(ValueError, match=r"poses\.txt: expected 12 numbers per line"):
        source.target_to_source(LEFT, FrameId(SEQUENCE, 0, 0))


def test_distance_is_speed_times_time(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    first, last = FrameId(SEQUENCE, 0, 0), FrameId(SEQUENCE, 3, 0)
    assert source.seconds(first, last) == pytest.approx(0.3)
    assert source.seconds(last, first) == pytest.approx(-0.3)
    assert source.distance(first, last) == pytest.approx(3.0)
    assert source.distance(last, first) == pytest.approx(3.0)
    assert source.distance(first, first) == 0


def test_without_oxts_or_times_distance_is_unknown(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    drive = tmp_path / SEQUENCE
    (drive / "oxts/data/0000000002.txt").write_text("49.0 8.4")
    source = KittiRaw(tmp_path)
    assert math.isnan(source.distance(FrameId(SEQUENCE, 0, 0), FrameId(SEQUENCE, 3, 0)))
    assert source.distance(FrameId(SEQUENCE, 0, 0), LEFT) == pytest.approx(1.0)
    (drive / "image_02/timestamps.txt").rename(drive / "oxts/timestamps.txt")
    (drive / "image_03/timestamps.txt").unlink()
    assert KittiRaw(tmp_path).seconds(RIGHT, FrameId(SEQUENCE, 2, 1)) == pytest.approx(0.1)
    shutil.rmtree(drive / "oxts")
    source = KittiRaw(tmp_path)
    assert math.isnan(source.distance(FrameId(SEQUENCE, 0, 0), LEFT))
    assert math.isnan(source.seconds(FrameId(SEQUENCE, 0, 0), LEFT))


def test_both_cameras_see_a_sweep_where_it_is(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    write_sweep(tmp_path / SEQUENCE, 1, np.array([[10.27, 0.0, 0.0]]))
    source = KittiRaw(tmp_path)
    assert source.has_depth(LEFT)
    assert not source.has_depth(FrameId(SEQUENCE, 0, 0))
    assert source.true_depth(FrameId(SEQUENCE, 0, 0)) is None
    left, right = source.true_depth(LEFT), source.true_depth(RIGHT)
    assert left is not None
    assert right is not None
    # In camera 0 the point is at (0.01, -0.08, 10); the cameras stand at -0.1 m and 0.4 m.
    row = round(CY + FOCAL * -0.08 / 10)
    assert left[row, round(CX + FOCAL * 0.11 / 10)] == pytest.approx(10)
    assert right[row, round(CX + FOCAL * -0.39 / 10)] == pytest.approx(10)
    assert (left > 0).sum() == (right > 0).sum() == 1
    eigen = source.true_depth(LEFT, "eigen")
    assert eigen is not None
    assert eigen.max() == pytest.approx(10.27)
    # One pixel up and to the left of where the camera sees it: the historical rounding.
    assert eigen[row - 1, round(CX + FOCAL * 0.11 / 10) - 1] == eigen.max()


def test_truth_is_the_first_there_is_or_the_one_named(tmp_path: Path) -> None:
    drive = write_kitti(tmp_path) / SEQUENCE
    proj, name = drive / "proj_depth", "image_02/0000000001"
    write_depth(proj / "groundtruth" / f"{name}.png", np.full(SIZE, 3, np.float32), divide=256)
    assert KittiRaw(tmp_path).true_depth(LEFT).max() == 3
    assert KittiRaw(tmp_path).true_depth(LEFT, "eigen").max() == 3
    (proj / "velodyne" / "image_02").mkdir(parents=True)
    np.savez(proj / "velodyne" / f"{name}.npz", velodyne_depth=np.full(SIZE, 2, np.float32))
    assert KittiRaw(tmp_path).true_depth(LEFT).max() == 2
    assert KittiRaw(tmp_path).true_depth(LEFT, "eigen").max() == 2
    assert KittiRaw(tmp_path).truth_kind(LEFT, "eigen") == "LiDAR as it came projected"
    write_sweep(drive, 1, np.array([[1.27, 0.0, 0.0]]))
    assert KittiRaw(tmp_path).true_depth(LEFT).max() == pytest.approx(1.0)
    write_depth(proj / "exact" / f"{name}.npz", np.full(SIZE, 4, np.float32))
    assert KittiRaw(tmp_path).true_depth(LEFT).max() == 4
    assert KittiRaw(tmp_path).true_depth(LEFT, "eigen").max() == pytest.approx(1.27)
    assert KittiRaw(tmp_path).true_depth(LEFT, "improved").max() == 3
    for truth, depth in (("exact", 4), ("improved", 3), ("projected", 2)):
        assert KittiRaw(tmp_path, truth=truth).true_depth(LEFT).max() == depth
    assert KittiRaw(tmp_path, truth="exact").true_depth(RIGHT) is None
    assert KittiRaw(tmp_path, truth="exact").true_depth(LEFT, "eigen").max() == 4
    assert KittiRaw(tmp_path, truth="exact").true_depth(LEFT, "improved") is None


def test_the_kind_of_truth_is_said_as_it_is_read(tmp_path: Path) -> None:
    drive = write_kitti(tmp_path) / SEQUENCE
    source = KittiRaw(tmp_path)
    assert [source.truth_kind(LEFT, wanted) for wanted in ("any", "eigen", "improved")] == [
        None
    ] * 3
    write_depth(drive / "proj_depth/exact/image_02/0000000001.npz", np.ones(SIZE, np.float32))
    exact = "exact depth of a synthetic world"
    assert [source.truth_kind(LEFT, wanted) for wanted in ("any", "eigen", "improved")] == [
        *(exact, exact, None)
    ]
    write_sweep(drive, 1, np.array([[5.27, 0.0, 0.0]]))
    assert source.truth_kind(LEFT) == exact
    assert source.truth_kind(LEFT, "eigen") == FORWARD_SWEEPS
    assert KittiRaw(tmp_path, truth="velodyne").truth_kind(LEFT) == (
        "LiDAR sweeps, depth along the camera's axis"
    )
    # Sweeps that nothing says how to project are as good as none.
    (tmp_path / DATE / "calib_velo_to_cam.txt").unlink()
    assert KittiRaw(tmp_path).truth_kind(LEFT, "eigen") == exact
    assert KittiRaw(tmp_path).true_depth(LEFT, "eigen").max() == 1


def test_truth_of_another_size_is_an_error(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    path = tmp_path / SEQUENCE / "proj_depth/exact/image_02/0000000001.npz"
    write_depth(path, np.ones((5, 6), np.float32))
    with pytest.raises(ValueError, match=r"expected depth of the image's size \(24, 64\)"):
        KittiRaw(tmp_path).true_depth(LEFT)


def test_what_is_missing_is_remarked_by_name(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    bare = "2011_10_03/2011_10_03_drive_0009_sync"
    write_drive(tmp_path, sequence=bare, suffix=".jpg", cameras=("image_02",))
    write_sweep(tmp_path / bare, 1, np.ones((1, 3)))
    source = KittiRaw(tmp_path)
    remarks = "\n".join(source.remarks())
    assert (
        f"no usable calib_cam_to_cam.txt: no intrinsics, no stereo pose in 1 of 2 drives ({bare})"
    ) in remarks
    assert f"no oxts: no speed in 1 of 2 drives ({bare})" in remarks
    assert (
        f"LiDAR sweeps without usable calib_velo_to_cam.txt: not read in 1 of 2 drives ({bare})"
        in (remarks)
    )
    assert f"one camera only: no stereo in 1 of 2 drives ({bare})" in remarks
    assert f"no depth (first) in 1 of 2 drives ({SEQUENCE})" in remarks
    frame = FrameId(bare, 1, 0)
    assert source.camera(frame) is None
    assert source.baseline(bare) is None
    assert source.true_depth(frame) is None
    assert source.true_depth(frame, "eigen") is None


def test_many_names_are_shortened(tmp_path: Path) -> None:
    for number in range(5):
        write_drive(tmp_path, 1, sequence=f"{DATE}/drive_{number}")
    write_calibration(tmp_path / DATE)
    assert any("drive_2 and 2 more" in remark for remark in KittiRaw(tmp_path).remarks())


def test_a_sick_calibration_costs_its_date_only_and_is_named(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    other = "2011_10_03/2011_10_03_drive_0009_sync"
    write_drive(tmp_path, sequence=other)
    write_calibration(tmp_path / "2011_10_03")
    path = tmp_path / DATE / "calib_cam_to_cam.txt"
    path.write_text(path.read_text().replace("P_rect_03", "P_rect_33"))
    source = KittiRaw(tmp_path)
    selection = select(source, source.frames, Needs((STEREO,)))
    assert {frame.sequence for frame in selection.frames} == {other}
    assert selection.reasons() == {"no calibration": 8}
    *_, last = source.remarks()
    assert last.startswith(f"{path}: expected a line 'P_rect_03:' with 12 numbers, got 0")


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("calib_velo_to_cam.txt", "T: 0.01", "T: x", "expected a line 'T:' with 3 numbers, got 0"),
        ("calib_velo_to_cam.txt", "T: 0.01", "T: nan", "a line 'T:' with 3 numbers, got 2"),
        ("calib_cam_to_cam.txt", "R_rect_00", "R_rect", "a line 'R_rect_00:' with 9 numbers, got"),
        ("calib_cam_to_cam.txt", "S_rect_02: 64", "S_rect_02: nan", "'S_rect_02:' with 2 numbers"),
        ("calib_cam_to_cam.txt", "P_rect_02: 40.0", "P_rect_02: 0", "without an inverse"),
        ("calib_cam_to_cam.txt", "S_rect_02", "\xff", "a line 'S_rect_02:' with 2 numbers, got 0"),
    ],
)
def test_a_sick_calibration_beside_sweeps_costs_the_sweeps_and_is_named(
    tmp_path: Path, file: str, old: str, new: str, complaint: str
) -> None:
    drive = write_kitti(tmp_path) / SEQUENCE
    write_sweep(drive, 1, np.array([[10.27, 0.0, 0.0]]))
    path = tmp_path / DATE / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new), encoding="latin-1")
    source = KittiRaw(tmp_path)
    assert not source.has_depth(LEFT)
    assert source.true_depth(LEFT) is None
    told = [remark for remark in source.remarks() if remark.startswith(f"{path}: expected")]
    assert len(told) == 1
    assert complaint in told[0]
    sweeps = (
        f"LiDAR sweeps without usable calib_velo_to_cam.txt: not read in 1 of 1 drives ({SEQUENCE})"
    )
    assert sweeps in source.remarks()


@pytest.mark.parametrize("name", ["absent", "."])
def test_no_images_is_an_error_that_says_where_they_should_be(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "stray.png")
    with pytest.raises(FileNotFoundError, match="give the folder that holds date folders"):
        KittiRaw(tmp_path / name)


def test_hints_mirror_the_layout(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    assert str(source.hint_path(RIGHT)) == f"{SEQUENCE}/image_03/0000000001.png"
