"""NYUv2 from MATLAB's file: every pixel where it belongs, resumed, and what can be wrong."""

import builtins
import os
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from commands import leadline
from data.mat_files import COUNT, SIZE, nyu_frame, write_nyu, write_splits
from data.tiny_trees import cut_short
from small_models import files_below

from leadline.data.sources.base import FrameId
from leadline.data.sources.listed import ListedFrames
from leadline.data.unpack import nyu
from leadline.data.unpack.nyu import unpack_nyu

FOCAL = 518.8579
STEP = 1 / 5000


def unpack(root: Path, *more: object) -> tuple[Path, Any]:
    """The command on a small file, and what came of it."""
    path = root / "labeled.mat"
    if not path.exists():
        write_nyu(path)
    return root / "nyu", leadline("unpack", "nyu", path, "--out", root / "nyu", *more)


def test_every_frame_is_read_back_as_it_was(tmp_path: Path) -> None:
    out, answer = unpack(tmp_path, "--splits", write_splits(tmp_path / "splits.mat"))
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == [
        "4 frames written, 0 were there",
        f"lists: {out}/all.txt (4), {out}/train.txt (2), {out}/test.txt (2)",
    ]
    assert (out / "train.txt").read_text().splitlines() == [
        "images/0001.png depth/0001.png 518.8579",
        "images/0004.png depth/0004.png 518.8579",
    ]
    source = ListedFrames(out / "all.txt")
    assert source.remarks() == ()
    assert [str(frame) for frame in source.frames] == [f"images {n} l" for n in range(1, 5)]
    for index, frame in enumerate(source.frames):
        picture, depth = nyu_frame(index)
        stored = cv2.imread(str(source.image_path(frame)))
        assert np.array_equal(stored[..., ::-1], picture)
        np.testing.assert_allclose(source.true_depth(frame), depth, atol=STEP / 2 + 1e-6)
        camera = source.camera(frame)
        assert camera is not None
        assert camera.size == SIZE
        assert camera.intrinsics.tolist() == [[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]]
    # A frame has one name in every list.
    assert ListedFrames(out / "test.txt").frames == (FrameId("images", 2), FrameId("images", 3))


def test_without_splits_there_is_one_list(tmp_path: Path) -> None:
    out, answer = unpack(tmp_path, "--focal", 500)
    assert answer.code == 0
    assert {path.name for path in out.iterdir()} == {"images", "depth", "all.txt", "unpacked.json"}
    assert (out / "all.txt").read_text().splitlines()[0].endswith(" 500")


def test_what_is_there_and_whole_is_kept(tmp_path: Path) -> None:
    out, _ = unpack(tmp_path)
    before = files_below(out)
    cut_short(out / "images" / "0001.png")
    (out / "depth" / "0003.png").unlink()
    kept = out / "images" / "0002.png"
    state = kept.stat().st_mtime_ns
    killed = out / "images" / ".0003.00000000-1-000000000000.part.png"
    killed.write_bytes(b"half")
    os.utime(killed, (0, 0))
    _, answer = unpack(tmp_path, "--splits", write_splits(tmp_path / "splits.mat"))
    assert "2 frames written, 2 were there" in answer.out
    after = files_below(out)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"train.txt", "test.txt"}
    assert kept.stat().st_mtime_ns == state


def test_an_interruption_leaves_whole_frames_and_no_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def interrupted(*arguments: Any) -> int:
        done.append(arguments)
        if len(done) == 3:
            raise KeyboardInterrupt
        return write_depth(*arguments)

    write_depth = nyu.write_depth
    monkeypatch.setattr(nyu, "write_depth", interrupted)
    out, answer = unpack(tmp_path)
    assert answer.code == 130
    assert not list(out.glob("*.txt"))
    monkeypatch.undo()
    assert "2 frames written, 2 were there" in unpack(tmp_path)[1].out


def test_depth_beyond_the_format_is_missing_and_counted(tmp_path: Path) -> None:
    _, depths = zip(*map(nyu_frame, range(COUNT)), strict=True)
    stored = np.stack([depth.T for depth in depths])
    stored[1, :3, 5], stored[2, 0, 0], stored[3, 0, 0] = 13.2, 13.106, 0
    write_nyu(tmp_path / "labeled.mat", depths=stored)
    out, answer = unpack(tmp_path)
    assert "3 pixels were too far for 16 bits and are 0" in answer.out
    source = ListedFrames(out / "all.txt")
    maps = [source.true_depth(frame) for frame in source.frames]
    assert all(depth is not None for depth in maps)
    assert (maps[1][5, :3] == 0).all()
    assert maps[2][0, 0] == pytest.approx(13.106, abs=STEP)
    assert maps[3][0, 0] == 0
    assert sum(int((depth == 0).sum()) for depth in maps) == 4


def test_one_frame_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    original = h5py.Dataset.__getitem__

    def counted(self: Any, key: object, *more: Any) -> Any:
        asked.append(key)
        return original(self, key, *more)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    told: list[tuple[int, int]] = []
    unpack_nyu(
        write_nyu(tmp_path / "labeled.mat"),
        tmp_path / "out",
        progress=lambda done, total: told.append((done, total)),
    )
    assert asked == [0, 0, 1, 1, 2, 2, 3, 3]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def images(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("datasets", "complaint"),
    [
        ({"depths": None}, "expected the data sets images, depths, found no depths but images"),
        ({"images": images(4, 3, 48, 64)}, "as MATLAB lays them out, got 4 x 3 x 48 x 64 (uint8)"),
        (
            {"images": images(4, 3, 48, 64), "depths": np.zeros((4, 48, 64), np.float32)},
            "got 4 x 3 x 48 x 64 (uint8) and 4 x 48 x 64 (float32)",
        ),
        ({"images": images(4, 64, 48)}, "got 4 x 64 x 48 (uint8)"),
        ({"images": images(4, 4, 64, 48)}, "got 4 x 4 x 64 x 48 (uint8)"),
        ({"images": images(4, 3, 64, 48, dtype=np.float32)}, "64 x 48 (float32) and"),
        ({"depths": np.zeros((3, 64, 48), np.float32)}, "and 3 x 64 x 48 (float32)"),
        ({"depths": np.zeros((4, 64, 48), np.uint16)}, "and 4 x 64 x 48 (uint16)"),
        (
            {"depths": np.full((4, 64, 48), np.nan, np.float32)},
            "got NaN, infinity or less in frame",
        ),
        ({"depths": np.full((4, 64, 48), -1, np.float32)}, "got NaN, infinity or less in frame 1"),
    ],
)
def test_other_contents_are_refused(
    tmp_path: Path, datasets: dict[str, np.ndarray | None], complaint: str
) -> None:
    write_nyu(tmp_path / "labeled.mat", **datasets)
    out, answer = unpack(tmp_path)
    assert answer.code == 2
    assert answer.complaint.startswith(f"{tmp_path / 'labeled.mat'}: ")
    assert complaint in answer.complaint
    assert answer.err.count("\n") == 1
    assert not (out / "all.txt").exists()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda path: path.unlink(), "expected a .mat file with images, depths, found none"),
        (lambda path: path.write_bytes(b"<html>"), "expected a .mat file of version 7.3 (HDF5)"),
        (cut_short, "damaged or cut short"),
        (lambda path: write_splits(path), "expected a .mat file of version 7.3 (HDF5)"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, spoil: Any, complaint: str) -> None:
    path = write_nyu(tmp_path / "labeled.mat")
    spoil(path)
    answer = leadline("unpack", "nyu", path, "--out", tmp_path / "out")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert answer.complaint.startswith(f"{path}: ")
    assert complaint in answer.complaint
    assert not (tmp_path / "out").exists()


def test_a_frame_that_is_damaged_within_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labeled.mat"
    noise = np.random.default_rng(0).integers(0, 256, (4, 3, 64, 48), np.uint8)
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("images", data=noise, chunks=(1, 3, 64, 48), fletcher32=True)
        file["depths"] = np.ones((4, 64, 48), np.float32)
        place = file["images"].id.get_chunk_info(2).byte_offset
    data = bytearray(path.read_bytes())
    data[512 + place + 100 : 512 + place + 200] = bytes(100)
    path.write_bytes(data)
    out, answer = unpack(tmp_path)
    assert answer.code == 1
    assert f"{path}: frame 3 cannot be read" in answer.err
    assert "fetch the file again" in answer.err
    assert "3 frames written, 0 were there, 1 failed" in answer.out
    assert "0003" not in (out / "all.txt").read_text()
    assert not (out / "images" / "0003.png").exists()
    assert "0 frames written, 3 were there, 1 failed" in unpack(tmp_path)[1].out


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        ((1, 5), (2,), "expected numbers of frames from 1 to 4 in trainNdxs, got 1 to 5"),
        ((1,), (0, 2), "expected numbers of frames from 1 to 4 in testNdxs, got 0 to 2"),
        ((1, 2), (2, 3), "expected each frame once, got 1 twice, first 2"),
        ((1, 1), (2, 3), "expected each frame once, got 1 twice, first 1"),
        ((1.5,), (2,), "expected whole numbers of frames in trainNdxs, got float64"),
        ((), (2,), "expected whole numbers of frames in trainNdxs, got float64 of shape"),
    ],
)
def test_splits_that_do_not_fit_are_refused(
    tmp_path: Path, train: object, test: object, complaint: str
) -> None:
    path = write_splits(tmp_path / "splits.mat", train, test)
    out, answer = unpack(tmp_path, "--splits", path)
    assert answer.code == 2
    assert answer.complaint.startswith(f"{path}: {complaint}")
    assert not out.exists()


def test_files_that_are_no_splits_are_refused(tmp_path: Path) -> None:
    path = write_nyu(tmp_path / "splits.mat")
    answers = [unpack(tmp_path, "--splits", path)[1]]
    path.write_text("1\n2\n")
    answers.append(unpack(tmp_path, "--splits", path)[1])
    for answer in answers:
        expected = f"{path}: expected a whole .mat file of version 5 with trainNdxs, testNdxs, got"
        assert answer.complaint.startswith(expected)
    from scipy.io import savemat

    savemat(path, {"trainNdxs": np.eye(1)})
    assert "found no testNdxs in it" in unpack(tmp_path, "--splits", path)[1].complaint
    path.unlink()
    assert "testNdxs, found none" in unpack(tmp_path, "--splits", path)[1].complaint


@pytest.mark.parametrize("focal", ["0.8", "nan", "inf"])
def test_a_focal_length_is_in_pixels(tmp_path: Path, focal: str) -> None:
    _, answer = unpack(tmp_path, "--focal", focal)
    assert answer.complaint == f"focal: expected pixels of the images, got {focal}"


@pytest.mark.parametrize(
    ("package", "complaint"),
    [
        ("h5py", "labeled.mat is read by h5py, which is not installed; run pip install"),
        ("scipy", "splits.mat is read by SciPy, which is not installed; run pip install"),
    ],
)
def test_a_package_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, complaint: str
) -> None:
    write_nyu(tmp_path / "labeled.mat")
    splits = write_splits(tmp_path / "splits.mat")
    original = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return original(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    out, answer = unpack(tmp_path, "--splits", splits)
    assert answer.complaint == f'{complaint} "leadline[unpack]"'
    assert not out.exists()


def test_a_folder_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    out, _ = unpack(tmp_path)
    _, answer = unpack(tmp_path, "--focal", 500)
    assert answer.complaint.startswith(
        f"{out}: was unpacked otherwise (focal 518.8579 there, 500.0 here); give another folder"
    )
    write_nyu(tmp_path / "labeled.mat", count=3)
    assert "frames 4 there, 3 here" in unpack(tmp_path)[1].complaint
    (out / "unpacked.json").write_text("[1]")
    assert "unpacked.json: expected what this folder was unpacked" in unpack(tmp_path)[1].complaint
    (out / "unpacked.json").unlink()
    before = files_below(out)
    assert f"{out}: expected an empty folder or one that was" in unpack(tmp_path)[1].complaint
    assert files_below(out) == before


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "nyu").write_text("a file")
    _, answer = unpack(tmp_path)
    assert answer.code == 2
    assert answer.complaint == f"{tmp_path / 'nyu'}: File exists; check the path and its rights"
    path = tmp_path / "labeled.mat"
    answer = leadline("unpack", "nyu", path, "--out", tmp_path / "nyu" / "below")
    assert answer.complaint.endswith("nyu/below: Not a directory; check the path and its rights")


def test_the_archive_itself_is_no_data_set(tmp_path: Path) -> None:
    path = write_nyu(tmp_path / "labeled.mat")
    answer = leadline("train", "demo", path, "--out", tmp_path / "run")
    assert f"unpack NYUv2 first, `leadline unpack nyu {path} --out FOLDER`" in answer.complaint
    out, _ = unpack(tmp_path)
    answer = leadline("train", "demo", out, "--out", tmp_path / "run")
    assert answer.complaint == (
        f"{out}: expected one of the lists of images in it (all.txt), got their folder; give e.g. "
        f"{out / 'all.txt'}"
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["unpack"], "required: KIND; see `leadline unpack --help`"),
        (["unpack", "sintel"], "invalid choice: 'sintel'"),
        (["unpack", "nyu", "a.mat"], "required: --out; see `leadline unpack nyu --help`"),
        (["unpack", "make3d", "a", "--out", "b", "--crop", "top"], "--crop: invalid choice: 'top'"),
        (["unpack", "nyu", "a", "--out", "b", "--x"], "unknown argument --x"),
    ],
)
def test_wrong_words_cost_one_line(words: list[str], complaint: str) -> None:
    answer = leadline(*words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert complaint in answer.complaint


@pytest.mark.parametrize("words", [("unpack",), ("unpack", "nyu"), ("unpack", "make3d")])
def test_each_kind_explains_itself(words: tuple[str, ...]) -> None:
    answer = leadline(*words, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"usage: leadline {' '.join(words)}")
