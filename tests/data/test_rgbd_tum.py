"""RGB-D sequences of the TUM benchmark: lists of times, files and poses that belong together."""

import math
from pathlib import Path

import numpy as np
import pytest
from data.rgbd_trees import STEP, camera_to_world, motion_between, wall, write_tum
from data.tiny_trees import write_camera_file
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.sources.base import FrameId
from leadline.data.sources.detect import open_source
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.sources.rgbd_tum import FARTHEST_APART, nearest_in_time
from leadline.offset import Offset


def test_a_tum_sequence_is_put_together_by_time(tmp_path: Path) -> None:
    write_tum(tmp_path / "desk")
    write_camera_file(tmp_path, baseline=None)
    source = open_source(tmp_path, ["temporal_poses=true"])
    assert isinstance(source, RgbdSequences)
    assert source.frames == tuple(FrameId("desk", number) for number in range(4))
    first, second = source.frames[1:3]
    assert source.image_path(first).name == "1305031102.033333.png"
    assert source.seconds(first, second) == pytest.approx(STEP, abs=1e-5)
    depth = source.true_depth(first)
    assert depth is not None
    steps = wall(1)
    known = (steps > 0) & (steps < 65535)
    np.testing.assert_allclose(depth, np.where(known, steps, 0) / 1000, atol=1e-6)
    # The quaternions were written with another length than 1.
    motion = source.target_to_source(first, second)
    np.testing.assert_allclose(
        motion, motion_between(camera_to_world(1), camera_to_world(2)), atol=1e-7
    )
    assert source.distance(first, second) == pytest.approx(0.05, abs=1e-7)
    assert source.remarks() == ()


def test_frames_beside_a_pause_are_no_neighbours(tmp_path: Path) -> None:
    write_camera_file(write_tum(tmp_path), baseline=None)
    pictures = tmp_path / "rgb.txt"
    lines = [line for line in pictures.read_text().splitlines() if not line.startswith("#")]
    later = [
        f"{float(line.split()[0]) + (5.0 if k > 1 else 0.0):.6f} {line.split()[1]}"
        for k, line in enumerate(lines)
    ]
    pictures.write_text("\n".join(later) + "\n")
    source = RgbdSequences(tmp_path)
    found = [source.neighbour(frame, Offset(1)) is not None for frame in source.frames]
    assert found == [True, False, True, False]
    assert source.neighbour(source.frames[1], Offset()) == source.frames[1]


def test_tum_poses_are_the_colour_cameras(tmp_path: Path) -> None:
    write_tum(tmp_path)
    write_camera_file(tmp_path, baseline=None)
    source = RgbdSequences(tmp_path, temporal_poses=True, depth_to_colour=(-0.025, 0, 0))
    motion = source.target_to_source(*source.frames[1:3])
    np.testing.assert_allclose(
        motion, motion_between(camera_to_world(1), camera_to_world(2)), atol=1e-7
    )


def test_what_is_too_far_in_time_or_not_there_is_left_out(tmp_path: Path) -> None:
    write_camera_file(write_tum(tmp_path), baseline=None)
    depths = tmp_path / "depth.txt"
    lines = depths.read_text().splitlines()
    time, file = lines[3].split()  # of frame 1
    lines[3] = f"{float(time) + 0.0171:.6f} {file}"
    # In any order, with commas, and one file that nobody has.
    depths.write_text("\n".join(reversed(lines)).replace(" depth/", ",depth/") + "\n")
    poses = tmp_path / "groundtruth.txt"
    rows = [line.split() for line in poses.read_text().splitlines()]
    rows[6][4:] = ["0"] * 4  # frame 2
    poses.write_text("\n".join(" ".join(row) for row in rows[:-2]) + "\n")
    (tmp_path / "rgb" / "1305031102.000000.png").unlink()
    source = RgbdSequences(tmp_path)
    assert [frame.index for frame in source.frames] == [1, 2, 3]
    assert [source.has_depth(frame) for frame in source.frames] == [False, True, True]
    assert source.remarks() == (
        f"1 poses unknown, no rotation, first: {poses} at 1305031102.0667 s",
        f"1 poses unknown, missing, first: {poses} at 1305031102.1000 s",
        f"1 of 3 images without a depth image, first: {tmp_path / 'rgb' / '1305031102.033333.png'}",
        "1 images that rgb.txt lists are not here, first: "
        f"{tmp_path / 'rgb' / '1305031102.000000.png'}",
    )
    for name in ("depth.txt", "groundtruth.txt"):
        (tmp_path / name).unlink()
    assert RgbdSequences(tmp_path).remarks()[:2] == (
        "no poses: no distance, no motion in 1 of 1 sequences (.)",
        "no depth images in 1 of 1 sequences (.)",
    )


def test_a_sequence_without_any_of_its_images_is_left_out_and_told(tmp_path: Path) -> None:
    for name in ("desk", "room"):
        write_tum(tmp_path / name)
    for path in (tmp_path / "room" / "rgb").iterdir():
        path.unlink()
    write_camera_file(tmp_path, baseline=None)
    source = RgbdSequences(tmp_path)
    assert list(source.sequences) == ["desk"]
    (said,) = source.remarks()
    assert said.startswith("4 images that rgb.txt lists are not here, first: ")


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("rgb.txt", "1305031102.5", "rgb.txt, line 7: expected 'timestamp file'"),
        ("depth.txt", "noon depth/a.png", "depth.txt, line 7: expected 'timestamp file'"),
        ("depth.txt", "nan depth/a.png", "depth.txt, line 7: expected 'timestamp file'"),
        ("groundtruth.txt", "1 2 3", "groundtruth.txt, line 10: expected 'timestamp tx ty tz qx"),
        ("groundtruth.txt", "1 2 3 x 0 0 0 1", "got '1 2 3 x 0 0 0 1'; correct or remove"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, name: str, line: str, message: str) -> None:
    write_tum(tmp_path)
    with (tmp_path / name).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=message):
        RgbdSequences(tmp_path)


def test_lists_that_are_no_text_or_empty(tmp_path: Path) -> None:
    write_tum(tmp_path)
    (tmp_path / "groundtruth.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match=r"groundtruth.txt: expected text, got something else"):
        RgbdSequences(tmp_path)
    (tmp_path / "rgb.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match=r"rgb.txt: expected lines 'timestamp file', found none"):
        RgbdSequences(tmp_path)


moments = st.lists(st.integers(0, 200).map(lambda ms: ms / 1000), max_size=12)


@given(moments, moments)
def test_the_nearest_in_time_by_a_slow_search(times: list[float], others: list[float]) -> None:
    rising = sorted(others)
    found = nearest_in_time(np.array(times), np.array(rising))
    for time, place in zip(times, found.tolist(), strict=True):
        least = min((abs(other - time) for other in rising), default=math.inf)
        if place < 0:
            assert least > FARTHEST_APART
        else:
            assert abs(rising[place] - time) == least <= FARTHEST_APART
