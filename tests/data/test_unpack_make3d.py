"""Make3D from its folders: which rows of what, and what is left out."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from commands import leadline
from data.mat_files import (
    make3d_grid,
    make3d_picture,
    write_make3d_picture,
    write_make3d_scan,
)
from data.tiny_trees import cut_short
from small_models import files_below

from leadline.data.sources.listed import ListedFrames

TEST = ("10.21op2-p-015t000", "op43-p-282t000")
TRAIN = ("combined1-p-108t0",)


def write_make3d(root: Path) -> Path:
    """As the archives unpack: pictures and depth of a part in folders of their own."""
    for name in TEST:
        write_make3d_picture(root / "Test134", name)
        write_make3d_scan(root / "Test134Depth" / "Gridlaserdata", name)
    for name in TRAIN:
        write_make3d_picture(root / "Train400Img", name)
        write_make3d_scan(root / "Train400Depth", name)
    return root


def unpack(root: Path, *more: object) -> tuple[Path, Any]:
    return root / "out", leadline("unpack", "make3d", root / "make3d", "--out", root / "out", *more)


def test_the_central_part_of_each_picture(tmp_path: Path) -> None:
    write_make3d(tmp_path / "make3d")
    out, answer = unpack(tmp_path)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == [
        "3 frames written, 0 were there",
        f"lists: {out}/all.txt (3), {out}/train.txt (1), {out}/test.txt (2)",
    ]
    source = ListedFrames(out / "test.txt")
    assert [source.image_path(frame).name for frame in source.frames] == [
        f"img-{name}.png" for name in TEST
    ]
    for name, frame in zip(TEST, source.frames, strict=True):
        picture = make3d_picture(tmp_path / "make3d" / "Test134" / f"img-{name}.jpg")
        stored = cv2.imread(str(source.image_path(frame)))[..., ::-1]
        # Half as many rows as columns, 36 of 96: 30 are cut off above, 30 below.
        assert np.array_equal(stored, picture[30:66])
        depth = source.true_depth(frame)
        assert np.array_equal(depth, make3d_grid()[17:38, :, 3].astype(np.float32))
        assert source.camera(frame) is None
    assert source.remarks()[0].startswith("2 of 2 images without a focal length: no intrinsics")


def test_the_whole_of_each_picture(tmp_path: Path) -> None:
    write_make3d(tmp_path / "make3d")
    out, answer = unpack(tmp_path, "--crop", "none")
    assert answer.code == 0
    source = ListedFrames(out / "all.txt")
    by_name = {source.image_path(frame).stem: frame for frame in source.frames}
    frame = by_name[f"img-{TRAIN[0]}"]
    picture = make3d_picture(tmp_path / "make3d" / "Train400Img" / f"img-{TRAIN[0]}.jpg")
    assert np.array_equal(cv2.imread(str(source.image_path(frame)))[..., ::-1], picture)
    depth, grid = source.true_depth(frame), make3d_grid()[..., 3].astype(np.float32)
    assert depth is not None
    assert depth.shape == (460, 345)
    for row, column in ((0, 0), (100, 44), (459, 344)):
        old = int((row + 0.5) * 55 / 460), int((column + 0.5) * 305 / 345)
        assert depth[row, column] == grid[old]


def test_a_part_alone_has_the_list_of_its_name(tmp_path: Path) -> None:
    for name in TEST:
        write_make3d_picture(tmp_path / "Test134", name)
        write_make3d_scan(tmp_path / "Test134", name)
    for folder, lists in (("Test134", "all (2), test (2)"), ("other", "all (2)")):
        (tmp_path / "Test134").rename(tmp_path / "x")
        (tmp_path / "x").rename(tmp_path / folder)
        out = tmp_path / f"out {folder}"
        answer = leadline("unpack", "make3d", tmp_path / folder, "--out", out)
        said = answer.out.splitlines()[-1].replace(f"{out}/", "").replace(".txt", "")
        assert said == f"lists: {lists}"
        (tmp_path / folder).rename(tmp_path / "Test134")


def test_what_has_no_partner_is_counted_and_named(tmp_path: Path) -> None:
    root = write_make3d(tmp_path / "make3d")
    alone = write_make3d_picture(root / "Test134", "without")
    write_make3d_picture(root / "Test134", "without-too")
    scan = write_make3d_scan(root / "Train400Depth", "only")
    out, answer = unpack(tmp_path)
    assert answer.code == 0
    assert answer.out.splitlines()[:3] == [
        "3 frames written, 0 were there",
        f"2 pictures without a laser scan, left out, first: {alone}",
        f"1 laser scans without a picture, left out, first: {scan}",
    ]
    assert len((out / "all.txt").read_text().splitlines()) == 3


GRID = "expected Position3DGrid of 55 x 305 x 4 numbers, got"


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"Position3DGrid": np.ones((305, 55, 4))}, f"{GRID} float64 of shape (305, 55, 4)"),
        ({"Position3DGrid": np.ones((55, 305))}, f"{GRID} float64 of shape (55, 305)"),
        ({"Position3DGrid": np.ones((55, 305, 4), np.uint8)}, f"{GRID} uint8 of shape"),
        ({"Position3DGrid": np.full((55, 305, 4), np.nan)}, "got NaN, infinity or less"),
        ({"Position3DGrid": np.full((55, 305, 4), -1.0)}, "got NaN, infinity or less"),
        ({"Grid": np.ones(2)}, "found no Position3DGrid in it"),
        ({}, "expected a whole .mat file of version 5 with Position3DGrid, got another"),
    ],
)
def test_a_scan_that_is_none_costs_its_frame(
    tmp_path: Path, variables: dict[str, np.ndarray], complaint: str
) -> None:
    root = write_make3d(tmp_path / "make3d")
    path = write_make3d_scan(root / "Test134Depth" / "Gridlaserdata", TEST[1], **variables)
    if not variables:
        cut_short(path)
    out, answer = unpack(tmp_path)
    assert answer.code == 1
    assert answer.complaint.startswith(f"{path}: ")
    assert complaint in answer.complaint
    assert "2 frames written, 0 were there, 1 failed" in answer.out
    assert "op43" not in (out / "all.txt").read_text()


def test_a_picture_that_is_none_costs_its_frame(tmp_path: Path) -> None:
    root = write_make3d(tmp_path / "make3d")
    damaged = cut_short(root / "Test134" / f"img-{TEST[0]}.jpg")
    wide = write_make3d_picture(root / "Test134", TEST[1], size=(72, 96))
    out, answer = unpack(tmp_path)
    assert answer.code == 1
    assert f"leadline: {damaged}: expected a whole image" in answer.err
    assert f"{wide}: expected an upright picture of 3:4, as 1704x2272, got 96x72" in answer.err
    assert (out / "all.txt").read_text().count("\n") == 1
    assert not (out / "test.txt").exists()
    # As a whole it may be of any shape.
    answer = leadline("unpack", "make3d", root, "--out", tmp_path / "whole", "--crop", "none")
    assert "2 frames written, 0 were there, 1 failed" in answer.out


def test_where_none_can_be_read_the_first_complaint_stands(tmp_path: Path) -> None:
    write_make3d_scan(tmp_path / "make3d", "one", Grid=np.ones(2))
    write_make3d_picture(tmp_path / "make3d", "one")
    out, answer = unpack(tmp_path)
    assert answer.code == 2
    assert "found no Position3DGrid in it; give the right file" in answer.complaint
    assert not (out / "all.txt").exists()


def test_what_is_there_and_whole_is_kept(tmp_path: Path) -> None:
    write_make3d(tmp_path / "make3d")
    out, _ = unpack(tmp_path)
    before = files_below(out)
    cut_short(out / "images" / f"img-{TEST[0]}.png")
    cut_short(out / "depth" / f"{TRAIN[0]}.npy")
    _, answer = unpack(tmp_path)
    assert "2 frames written, 1 were there" in answer.out
    assert files_below(out) == before
    _, answer = unpack(tmp_path, "--crop", "none")
    assert "was unpacked otherwise (crop central there, none here)" in answer.complaint
    assert files_below(out) == before


def test_a_folder_without_make3d_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "make3d"
    assert f"{root}: expected a folder of Make3D, found none" in unpack(tmp_path)[1].complaint
    write_make3d_scan(root, "b")
    answer = unpack(tmp_path)[1]
    assert "expected pictures of Make3D (img-*.jpg) in it or below, found none" in answer.complaint
    picture = write_make3d_picture(root, "a")
    answer = unpack(tmp_path)[1]
    assert f"of the same ids, found none: the first are {picture} and " in answer.complaint
    again = write_make3d_picture(root / "copy", "a")
    complaint = unpack(tmp_path)[1].complaint
    assert {str(again), str(picture)} <= set(complaint.replace(":", " ").split())
    assert "expected one file of each id" in complaint
    for path in (again, picture):
        path.unlink()
    (root / "depth_sph_corr-b.mat").unlink()
    write_make3d_picture(root, "a")
    assert "expected laser scans of Make3D (depth_sph_corr-*.mat)" in unpack(tmp_path)[1].complaint
    assert not (tmp_path / "out").exists()
