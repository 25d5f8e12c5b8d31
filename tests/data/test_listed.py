"""Images by a list: what is read, how frames are called, what is left out or refused."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import leadline
from data.listed_trees import (
    FOCAL,
    damage_middle,
    depth_of,
    write_foreign_depth,
    write_lines,
    write_listed,
)
from data.tiny_trees import SIZE, cut_short, write_image
from small_models import write_model, write_tiny_backbone

from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_files import depth_size, write_depth
from leadline.data.module import DepthData
from leadline.data.selection import Needs, select
from leadline.data.sources.base import ACCUMULATED_MAPS, FrameId
from leadline.data.sources.detect import open_source, source_config
from leadline.data.sources.list_files import read_list, write_list
from leadline.data.sources.listed import ListedFrames
from leadline.data.splits import read_split
from leadline.offset import STEREO, TARGET, Offset

HALF = (12, 32)
SEQUENCE = "kitchen"
FRAME = FrameId(SEQUENCE, 1)


def test_images_cameras_and_depth_of_a_list(tmp_path: Path) -> None:
    path = write_listed(tmp_path)
    source = open_source(path)
    assert isinstance(source, ListedFrames)
    assert source.frames == tuple(FrameId(SEQUENCE, number) for number in range(4))
    assert source.image_path(FRAME) == tmp_path / "kitchen/rgb_00001.png"
    assert str(source.hint_path(FRAME)) == "kitchen/rgb_00001.png"
    camera = source.camera(FRAME)
    assert camera is not None
    assert camera.intrinsics.tolist() == [[FOCAL, 0, 31.5], [0, FOCAL, 11.5], [0, 0, 1]]
    assert camera.size == SIZE == source.size(FRAME)
    assert source.rig(SEQUENCE) is not None
    depth = source.true_depth(FRAME)
    assert depth is not None
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, depth_of(1), atol=1.01e-4)
    assert source.truth_kind(FRAME) == source.truth_kind(FRAME, "eigen") == "depth maps of a list"
    assert source.truth_kind(FRAME, "improved") is source.true_depth(FRAME, "improved") is None
    assert source.truth_files(FRAME) == (tmp_path / "kitchen/sync_depth_00001.png",)
    assert source.truth_files(FRAME, "improved") == ()
    assert source.remarks() == ()
    assert source_config(path)["init_args"] == {"root": str(path)}


def test_a_list_does_not_say_what_follows_what(tmp_path: Path) -> None:
    source = ListedFrames(write_listed(tmp_path))
    assert source.neighbour(FRAME, TARGET) == FRAME
    assert source.neighbour(FrameId(SEQUENCE, 77), TARGET) is None
    others = (Offset(1), Offset(-1), STEREO, Offset(1, 1))
    assert all(source.neighbour(FRAME, offset) is None for offset in others)
    assert source.baseline(SEQUENCE) is None
    chosen = select(source, source.frames, Needs((TARGET, Offset(1))))
    assert set(chosen.reasons()) == {"no frame at +1"}


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".png"])
def test_depth_may_be_of_another_size_and_format(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / "a" / "1.jpg")
    small = depth_of(3, (6, 16))
    write_depth(tmp_path / f"truth/1{suffix}", small, 5000)
    source = ListedFrames(write_lines(tmp_path / "l.txt", f"a/1.jpg truth/1{suffix}"))
    frame = FrameId("a", 1)
    depth = source.true_depth(frame)
    assert depth is not None
    np.testing.assert_allclose(depth, small, atol=1.01e-4)
    assert source.camera(frame) is source.rig("a") is None
    sample = DepthDataset(source, source.frames, (), HALF, extras=Extras(depth=True)).read(frame)
    assert sample.depth is not None
    # Nothing is made up between: as many pixels as were measured.
    assert int((sample.depth > 0).sum()) == int((small > 0).sum())
    assert sample.intrinsics is None
    (remark,) = source.remarks()
    assert remark == (
        f"1 of 1 images without a focal length: no intrinsics, first: {tmp_path}/a/1.jpg"
    )


def test_an_array_may_be_of_whole_numbers_and_have_single_axes(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png")
    np.save(tmp_path / "1.npy", np.full((1, *SIZE), 3, np.int32))
    source = ListedFrames(write_lines(tmp_path / "l.txt", "1.png 1.npy"))
    assert np.array_equal(source.true_depth(FrameId(".", 1)), np.full(SIZE, 3.0))


def test_paths_begin_where_they_are_said_to(tmp_path: Path) -> None:
    write_listed(tmp_path / "images")
    lists, maps = tmp_path / "lists", tmp_path / "maps"
    for number in range(4):
        write_foreign_depth(maps / f"drive/{number}.png", depth_of(number), 256)
    lines = [f"kitchen/rgb_{n:05d}.png drive/{n}.png 700.5" for n in range(4)]
    path = write_lines(lists / "train.txt", *lines)
    settings = [f"folder={tmp_path / 'images'}", f"depth_folder={maps}", "divide=256"]
    source = open_source(path, settings)
    assert source.image_path(FRAME) == tmp_path / "images/kitchen/rgb_00001.png"
    assert source.root == tmp_path / "images"
    np.testing.assert_allclose(source.true_depth(FRAME), depth_of(1), atol=1 / 256)
    with pytest.raises(FileNotFoundError, match=r"none in 4 lines \(4 image missing\), first: lin"):
        open_source(path)
    with pytest.raises(FileNotFoundError, match=r"\(4 depth missing\)"):
        open_source(path, settings[:1])
    with pytest.raises(FileNotFoundError, match=r"^folder: expected the folder where paths of .*"):
        open_source(path, ["folder=nowhere"])
    with pytest.raises(FileNotFoundError, match=r"^depth_folder: expected the folder"):
        open_source(path, [settings[0], "depth_folder=nowhere"])
    with pytest.raises(ValueError, match="--source: expected a setting of ListedFrames"):
        open_source(path, ["root=x"])


def test_kitti_maps_are_known_by_their_folder(tmp_path: Path) -> None:
    drive = "2011_09_26/2011_09_26_drive_0002_sync"
    image, depth = (
        f"{drive}/image_02/data/0000000069.png",
        f"{drive}/proj_depth/groundtruth/image_02/0000000069.png",
    )
    write_image(tmp_path / image)
    write_foreign_depth(tmp_path / depth, depth_of(0), 256)
    path = write_lines(tmp_path / "l.txt", f"{image} {depth} 721.5377")
    source = ListedFrames(path, divide=256)
    (frame,) = source.frames
    assert str(frame) == f"{drive}/image_02/data 69 l"
    assert source.truth_kind(frame, "improved") == ACCUMULATED_MAPS
    np.testing.assert_allclose(source.true_depth(frame, "improved"), depth_of(0), atol=1 / 256)


def test_frames_are_called_by_their_numbers_or_else_by_their_lines(tmp_path: Path) -> None:
    names = ["a/f7.png", "a/f10.png", "b/x1_3.png", "b/y2_3.png", "b/z.png", "c/z.png", "7.png"]
    for name in names:
        write_image(tmp_path / name)
    lines = ["# ours", "", *(f"{name} None" for name in names)]
    source = ListedFrames(write_lines(tmp_path / "l.txt", *lines))
    called = {source.image_path(f).relative_to(tmp_path).as_posix(): str(f) for f in source.frames}
    assert called == {
        "a/f7.png": "a 7 l",
        "a/f10.png": "a 10 l",
        "b/x1_3.png": "b 5 l",
        "b/y2_3.png": "b 6 l",
        "b/z.png": "b 7 l",
        "c/z.png": "c 8 l",
        "7.png": ". 7 l",
    }
    split = write_lines(tmp_path / "split.txt", *called.values())
    assert set(read_split(split)) == set(source.frames)
    # A file that is gone takes no other's name.
    (tmp_path / "b" / "x1_3.png").unlink()
    (tmp_path / "a" / "f7.png").unlink()
    left = {str(frame) for frame in ListedFrames(tmp_path / "l.txt").frames}
    assert left == set(called.values()) - {"a 7 l", "b 5 l"}


def test_a_line_without_depth_has_none(tmp_path: Path) -> None:
    path = write_listed(tmp_path, 3)
    lines = path.read_text().splitlines()
    lines[1] = f"kitchen/rgb_00001.png None {FOCAL}  # taken from a window"
    source = ListedFrames(write_lines(path, *lines))
    assert source.truth_kind(FRAME) is source.true_depth(FRAME) is None
    assert source.truth_files(FRAME) == ()
    assert source.remarks() == (
        f"1 of 3 images without true depth (None), first: {tmp_path}/kitchen/rgb_00001.png",
    )
    chosen = select(source, source.frames, Needs(depth=True))
    assert [frame.index for frame in chosen.frames] == [0, 2]
    assert chosen.reasons() == {"no true depth": 1}


def spoil_ten(root: Path) -> Path:
    """A list of ten lines, and something wrong with seven of them."""
    path, kitchen = write_listed(root, 9), root / "kitchen"
    with path.open("a") as file:
        file.write("kitchen/rgb_00008.png None\n")
    (kitchen / "rgb_00000.png").unlink()
    (kitchen / "sync_depth_00000.png").unlink()
    (kitchen / "rgb_00001.png").write_bytes(b"")
    cut_short(kitchen / "rgb_00002.png")
    (kitchen / "sync_depth_00003.png").unlink()
    (kitchen / "sync_depth_00004.png").write_bytes(b"")
    write_image(kitchen / "sync_depth_00005.png")
    return path


def test_lines_that_cannot_be_used_are_left_out_and_told(tmp_path: Path) -> None:
    source = ListedFrames(spoil_ten(tmp_path))
    assert [frame.index for frame in source.frames] == [6, 7, 8]
    told = source.remarks()
    kitchen = tmp_path / "kitchen"
    starts = (
        "image listed before, first: line 10: kitchen/rgb_00008.png, as in line 9",
        f"image missing, first: line 1: {kitchen}/rgb_00000.png",
        f"image empty, first: line 2: {kitchen}/rgb_00001.png",
        f"image unreadable, first: line 3: {kitchen}/rgb_00002.png: expected a whole image",
        f"depth missing, first: line 4: {kitchen}/sync_depth_00003.png",
        f"depth empty, first: line 5: {kitchen}/sync_depth_00004.png",
        f"depth unreadable, first: line 6: {kitchen}/sync_depth_00005.png: expected a 16-bit PNG",
    )
    assert len(told) == len(starts)
    for line, start in zip(told, starts, strict=True):
        assert line.startswith(f"1 of 10 lines left out, {start}")


def test_lines_that_cannot_be_used_are_refused_if_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"all 10 lines, got 7 without \(1 image listed before, 1"):
        open_source(spoil_ten(tmp_path), ["broken=refuse"])
    good = write_listed(tmp_path / "good")
    assert len(ListedFrames(good, broken="refuse").frames) == 4
    with pytest.raises(ValueError, match="--source: expected a setting of ListedFrames"):
        open_source(good, ["broken=ignore"])


def truncated_array(path: Path) -> None:
    np.save(path, np.ones(SIZE, np.float32))
    cut_short(path)


@pytest.mark.parametrize(
    ("suffix", "spoil"),
    [
        (".png", cut_short),
        (".npy", truncated_array),
        (".npy", lambda path: path.write_bytes(b"numbers")),
        (".npy", lambda path: np.save(path, np.ones((2, *SIZE)))),
        (".npy", lambda path: np.save(path, np.array(["a"]))),
        (".npy", lambda path: np.save(path, np.array([[{}]]), allow_pickle=True)),
        (".npz", lambda path: path.write_bytes(b"PK numbers")),
    ],
)
def test_the_head_of_depth_tells_its_size_or_that_it_is_none(
    tmp_path: Path, suffix: str, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / f"1{suffix}"
    write_depth(path, depth_of(0))
    assert depth_size(path) == SIZE
    spoil(path)
    write_image(tmp_path / "1.jpg")
    write_image(tmp_path / "2.jpg")
    list_path = write_lines(tmp_path / "l.txt", f"1.jpg {path.name}", "2.jpg None")
    source = ListedFrames(list_path)
    assert [frame.index for frame in source.frames] == [2]
    assert source.remarks()[0].startswith("1 of 2 lines left out, depth unreadable, first: line 1")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["a.png"], "line 1: expected IMAGE DEPTH [FOCAL], got 'a.png'; write None where"),
        (["", "my pictures/a.png None 5 5"], "line 2: expected IMAGE DEPTH [FOCAL], got"),
        (["a.txt None"], "line 1: expected an image first (IMAGE DEPTH [FOCAL]), got 'a.txt'"),
        (["2011_09_26/drive 5 l"], "line 1: expected an image first"),
        (["a.png d.exr"], "line 1: expected depth as *.npy, *.npz, *.png or None, got 'd.exr'"),
        (["a.png none"], "line 1: expected depth as"),
        (["a.png None px"], "line 1: expected a focal length in pixels of the image, got 'px'"),
        (["a.png None 0.58"], "line 1: expected a focal length in pixels of the image, got '0.58"),
        (["a.png None nan"], "line 1: expected a focal length in pixels"),
        (["a.png None inf"], "line 1: expected a focal length in pixels"),
        (["../a.png None"], "line 1: expected paths below one folder, got '../a.png'"),
        (["a.png b/../../d.png"], "line 1: expected paths below one folder, got 'b/../../d.png'"),
        (["# nothing", " "], "expected lines IMAGE DEPTH [FOCAL], found none; fill it"),
    ],
)
def test_a_line_of_another_form_is_refused_by_its_number(
    tmp_path: Path, lines: list[str], complaint: str
) -> None:
    path = write_lines(tmp_path / "l.txt", *lines)
    with pytest.raises(ValueError, match=r"l\.txt") as raised:
        open_source(path)
    assert complaint in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_what_is_no_text_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match=r"expected a text of lines IMAGE DEPTH \[FOCAL\]"):
        open_source(path)
    with pytest.raises(FileNotFoundError, match="expected a list of images, found no such file"):
        ListedFrames(tmp_path / "none.txt")
    (tmp_path / "l.mp4").write_bytes(b"film")
    with pytest.raises(FileNotFoundError, match=r"or a list of them \(\*\.txt\), got a file"):
        open_source(tmp_path / "l.mp4")


def test_a_folder_of_lists_names_them(tmp_path: Path) -> None:
    path = write_listed(tmp_path)
    path.with_name("train.txt").write_text(path.read_text())
    write_lines(tmp_path / "README.txt", "Pictures of kitchens.")
    with pytest.raises(ValueError, match=r"lists of images in it \(list.txt, train.txt\), got the"):
        open_source(tmp_path)


def test_units_that_nobody_knows_are_asked_for(tmp_path: Path) -> None:
    path = write_listed(tmp_path)
    with pytest.raises(ValueError, match="was written with divide=5000, not 1000; leave out"):
        ListedFrames(path, divide=1000)
    assert ListedFrames(path, divide=5000).frames
    for number in range(4):
        write_foreign_depth(
            tmp_path / f"kitchen/sync_depth_{number:05d}.png", depth_of(number), 1000
        )
    with pytest.raises(ValueError, match="give divide, 1000 for NYUv2's raw frames, 256 for KITTI"):
        ListedFrames(path)
    with pytest.raises(ValueError, match="divide: expected units per metre, more than 0, got 0"):
        ListedFrames(path, divide=0)
    depth = open_source(path, ["divide=1000"]).true_depth(FRAME)
    np.testing.assert_allclose(depth, depth_of(1), atol=5.1e-4)


def test_damage_within_is_told_when_it_is_met_and_another_takes_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ListedFrames(write_listed(tmp_path))
    image = damage_middle(source.image_path(FrameId(SEQUENCE, 0)))
    depth = damage_middle(source.truth_files(FrameId(SEQUENCE, 2))[0])
    source = ListedFrames(tmp_path / "list.txt")
    assert source.remarks() == ()
    assert len(select(source, source.frames, Needs(depth=True)).frames) == 4
    dataset = DepthDataset(source, source.frames, (), HALF, extras=Extras(depth=True))
    samples = [dataset[number] for number in (*range(4), *range(4))]
    assert [sample.id for sample in samples[:4]] == [f"{SEQUENCE} {n} l" for n in (1, 1, 3, 3)]
    assert torch.equal(samples[1].images[TARGET], samples[5].images[TARGET])
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"leadline: left out {SEQUENCE} 0 l: {image}: expected a whole image")
    assert second.startswith(f"leadline: left out {SEQUENCE} 2 l: {depth}: damaged, truncated")


def test_batches_of_a_list(tmp_path: Path) -> None:
    path = write_listed(tmp_path, 12)
    (tmp_path / "kitchen/rgb_00005.png").unlink()
    data = DepthData(
        pickle.loads(pickle.dumps(ListedFrames(path))),
        frames=[0],
        height=HALF[0],
        width=HALF[1],
        batch_size=3,
        workers=0,
        train_depth=True,
    )
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch.depth is not None
    assert batch.depth.shape == (3, 1, *HALF)
    assert (batch.depth > 0).any()
    assert batch.intrinsics is not None
    assert batch.intrinsics[TARGET][0, 0, 0] == pytest.approx(FOCAL / 2)
    assert "1 of 12 lines left out, image missing, first: line 6: " in data.report()
    assert data.unit == 1


def test_lists_are_written_as_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "l.txt"
    write_list(path, [("a/1.png", "d/1.npy", 518.8579), ("a/2.png", None, None)])
    assert path.read_text() == "a/1.png d/1.npy 518.8579\na/2.png None\n"
    first, second = read_list(path)
    assert (str(first.image), str(first.depth), first.focal) == ("a/1.png", "d/1.npy", 518.8579)
    assert (second.depth, second.focal, second.line) == (None, None, 2)
    for name in ("my pictures/1.png", "a#1.png"):
        with pytest.raises(ValueError, match="expected paths without spaces and '#'"):
            write_list(path, [(name, None, None)])


def test_an_evaluation_tells_what_is_left_out_of_a_list(tmp_path: Path) -> None:
    backbone = write_tiny_backbone(tmp_path / "backbone")
    model = write_model(tmp_path / "model", str(backbone))
    path = write_listed(tmp_path / "nyu")
    (tmp_path / "nyu/kitchen/rgb_00002.png").unlink()
    write_depth(tmp_path / "nyu/kitchen/sync_depth_00001.png", depth_of(1, (12, 32)), 5000)
    answer = leadline(
        *("evaluate", model, path, "--out", tmp_path / "scores", "--protocol", "none"),
        *("--source", "broken=skip"),
    )
    assert answer.code == 0, answer.err
    assert "1 of 4 lines left out, image missing, first: line 3: " in answer.out
    results = json.loads((tmp_path / "scores/results.json").read_text())
    assert [row["id"] for row in results["rows"]] == [f"kitchen {n} l" for n in (0, 1, 3)]
