"""Cityscapes as it lies on the disk: what is read, what is missing, what is wrong."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from data.cityscapes_trees import (
    BASELINE,
    FX,
    FY,
    SEQUENCE,
    SIZE,
    U0,
    V0,
    write_camera,
    write_disparity,
    write_frames,
    write_speed,
    write_time,
)

from leadline.data.selection import Needs, select
from leadline.data.sources.base import FrameId
from leadline.data.sources.cityscapes import Cityscapes, _nearest
from leadline.data.sources.detect import open_source, source_config
from leadline.data.splits import split_frames
from leadline.offset import STEREO, Offset

FRAME, RIGHT = FrameId(SEQUENCE, 19), FrameId(SEQUENCE, 19, 1)


def test_single_frames_and_whole_snippets_are_one_data_set(tmp_path: Path) -> None:
    write_frames(tmp_path)
    write_frames(tmp_path, (18, 19, 20), ending="_sequence")
    source = open_source(tmp_path)
    assert isinstance(source, Cityscapes)
    assert [(f.index, f.camera) for f in source.sequences[SEQUENCE]] == [
        *((18, 0), (18, 1), (19, 0), (19, 1), (20, 0), (20, 1)),
    ]
    assert source.size(FRAME) == SIZE
    assert source.neighbour(FRAME, STEREO) == RIGHT
    assert source.neighbour(FRAME, Offset(-1)) == FrameId(SEQUENCE, 18)
    name = "train/aachen/aachen_000000_000019"
    assert source.image_path(FRAME) == tmp_path / f"leftImg8bit_sequence/{name}_leftImg8bit.png"
    assert str(source.hint_path(RIGHT)) == f"rightImg8bit/{name}_rightImg8bit.png"


def test_folders_are_split_names(tmp_path: Path) -> None:
    write_frames(tmp_path)
    write_frames(tmp_path, sequence="val/ulm/ulm_000003", kinds=["leftImg8bit"])
    source = Cityscapes(tmp_path)
    assert split_frames(source, Path("train")) == (FRAME, RIGHT)
    assert split_frames(source, Path("val")) == (FrameId("val/ulm/ulm_000003", 19),)
    with pytest.raises(FileNotFoundError, match=r"dev: expected .*, which has train, val; correct"):
        split_frames(source, Path("dev"))


def test_the_camera_file_tells_both_cameras(tmp_path: Path) -> None:
    write_camera(write_frames(tmp_path))
    source = Cityscapes(tmp_path)
    for frame in (FRAME, RIGHT):
        camera = source.camera(frame)
        assert camera is not None
        assert camera.intrinsics.tolist() == [[FX, 0, U0], [0, FY, V0], [0, 0, 1]]
        assert camera.size == SIZE
    assert source.baseline(SEQUENCE) == pytest.approx(BASELINE)
    to_right = source.target_to_source(FRAME, RIGHT)
    assert to_right is not None
    # What the left camera sees in front of it lies to the left of the right one.
    assert to_right[:3, 3].tolist() == [-BASELINE, 0, 0]


def test_a_snippet_has_the_camera_of_its_annotated_frame(tmp_path: Path) -> None:
    """Two snippets that touch: frames 23 to 52 and 53 to 82, each with a focal length."""
    write_frames(tmp_path, (23, 52, 53, 82), kinds=["leftImg8bit"], ending="_sequence")
    for number, fx in ((42, 2000.0), (72, 3000.0)):
        write_camera(tmp_path, number, fx=fx)
    source = Cityscapes(tmp_path)
    focals = [source.camera(frame).intrinsics[0, 0] for frame in source.frames]
    assert focals == [2000, 2000, 3000, 3000]


@pytest.mark.parametrize(
    ("frame", "expected"), [(0, 19), (29, 19), (30, 49), (59, 49), (70, 49), (90, 109), (500, 109)]
)
def test_the_nearest_annotated_frame(frame: int, expected: int) -> None:
    assert _nearest([19, 49, 109], frame) == expected


def test_disparity_becomes_metres(tmp_path: Path) -> None:
    write_camera(write_frames(tmp_path))
    values = np.zeros(SIZE, np.uint16)
    values[0, :4] = [1, 2, 256 * 50 + 1, 65535]
    path = write_disparity(tmp_path, values)
    source = Cityscapes(tmp_path)
    depth = source.true_depth(FRAME)
    assert depth is not None
    # 1 is infinitely far, which is no depth.
    expected = [0, FX * BASELINE * 256, FX * BASELINE / 50, FX * BASELINE / (65534 / 256)]
    assert depth[0, :4] == pytest.approx(np.array(expected), rel=1e-6)
    assert np.count_nonzero(depth) == 3
    assert source.truth_kind(FRAME, "eigen") == "disparity of stereo matching, as metres"
    assert source.truth_kind(FRAME, "improved") is source.true_depth(RIGHT) is None
    camera = tmp_path / "camera/train/aachen/aachen_000000_000019_camera.json"
    assert source.truth_files(FRAME) == (path, camera)


def test_distance_is_speed_times_time(tmp_path: Path) -> None:
    write_frames(tmp_path, range(17, 21), kinds=["leftImg8bit"], ending="_sequence")
    for number, speed, time in ((17, 8.0, 1.0), (18, 10.0, 1.06), (19, 12.0, 1.11)):
        write_speed(tmp_path, number, speed)
        write_time(tmp_path, number, time)
    source = Cityscapes(tmp_path)
    first, last = FrameId(SEQUENCE, 17), FRAME
    assert source.seconds(first, last) == pytest.approx(0.11)
    assert source.seconds(last, first) == pytest.approx(-0.11)
    assert source.distance(first, last) == pytest.approx(9 * 0.06 + 11 * 0.05)
    assert source.distance(last, first) == source.distance(first, last)
    assert math.isnan(source.distance(FRAME, FrameId(SEQUENCE, 20)))
    assert source.distance(FRAME, FRAME) == 0


def test_without_times_seventeen_frames_are_a_second_and_it_is_said(tmp_path: Path) -> None:
    write_frames(tmp_path, (18, 19), kinds=["leftImg8bit"], ending="_sequence")
    for number in (18, 19):
        write_speed(tmp_path, number, 17.0)
    source = Cityscapes(tmp_path)
    assert source.seconds(FRAME, FrameId(SEQUENCE, 18)) == pytest.approx(-1 / 17)
    assert source.distance(FRAME, FrameId(SEQUENCE, 18)) == pytest.approx(1)
    said = f"no timestamps: taken for 17 frames a second in 1 of 1 sequences ({SEQUENCE})"
    assert said in source.remarks()


def test_a_clock_that_begins_anew_tells_no_time(tmp_path: Path) -> None:
    write_frames(tmp_path, (52, 53), kinds=["leftImg8bit"], ending="_sequence")
    for number, time in ((52, 1.7), (53, 0.0)):
        write_time(tmp_path, number, time)
    source = Cityscapes(tmp_path)
    assert math.isnan(source.seconds(FrameId(SEQUENCE, 52), FrameId(SEQUENCE, 53)))


def test_half_a_data_set_works_and_says_what_is_missing(tmp_path: Path) -> None:
    write_camera(write_frames(tmp_path))
    write_disparity(tmp_path, np.ones(SIZE))
    bare = "val/ulm/ulm_000003"
    write_frames(tmp_path, sequence=bare, kinds=["leftImg8bit"])
    source = Cityscapes(tmp_path)
    one, both = f"in 1 of 2 sequences ({bare})", f"in 2 of 2 sequences ({SEQUENCE}, {bare})"
    assert source.remarks() == (
        f"no usable camera files: no intrinsics {one}",
        f"no right images: no stereo {one}",
        f"no disparity: no depth {one}",
        f"no vehicle files: no speed {both}",
        f"no timestamps: taken for 17 frames a second {both}",
    )
    selection = select(source, source.frames, Needs((STEREO,), camera=False))
    assert selection.frames == (FRAME, RIGHT)
    assert selection.reasons() == {"no frame at stereo": 1}
    assert source.camera(FrameId(bare, 19)) is source.true_depth(FrameId(bare, 19)) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "expected JSON, got"),
        ("[]", "expected a number as intrinsic.fx, got None; copy the file again"),
        ('{"intrinsic": {"fx": "2262"}}', "expected a number as intrinsic.fx, got '2262'"),
        (
            '{"intrinsic": {"fx": 1, "fy": 1, "u0": 1, "v0": 1}, "extrinsic": {"baseline": 0}}',
            "expected positive fx, fy and baseline, got 1, 1 and 0",
        ),
    ],
)
def test_a_sick_camera_file_is_told_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = write_camera(write_frames(tmp_path))
    path.write_text(text)
    source = Cityscapes(tmp_path)
    assert source.camera(FRAME) is None
    told = [remark for remark in source.remarks() if remark.startswith(f"{path}: ")]
    assert len(told) == 1
    assert complaint in told[0]


def test_images_of_half_the_size_are_not_taken_for_those_of_the_camera(tmp_path: Path) -> None:
    write_camera(write_frames(tmp_path))
    source = Cityscapes(tmp_path)
    cv2.imwrite(str(source.image_path(FRAME)), np.zeros((512, 1024, 3), np.uint8))
    selection = select(source, [FRAME], Needs())
    assert selection.reasons() == {"image size differs from the calibration's": 1}
    assert "1024x512 instead of 2048x1024" in str(selection)


def test_a_damaged_disparity_is_told_in_one_line(tmp_path: Path) -> None:
    write_camera(write_frames(tmp_path))
    path = write_disparity(tmp_path, np.ones((8, 8)))
    with pytest.raises(ValueError, match=r"expected disparity of the image's size \(1024, 2048\)"):
        Cityscapes(tmp_path).true_depth(FRAME)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"_disparity\.png: damaged, truncated or no PNG"):
        Cityscapes(tmp_path).true_depth(FRAME)


def test_it_is_recognised_and_an_empty_one_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit/train/aachen").mkdir(parents=True)
    assert source_config(tmp_path)["class_path"] == "leadline.data.sources.cityscapes.Cityscapes"
    with pytest.raises(FileNotFoundError, match="give the folder that holds leftImg8bit"):
        open_source(tmp_path)
