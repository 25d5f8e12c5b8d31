"""Mistakes with lists of images, and with the archives that they are unpacked from."""

from pathlib import Path

from commands import Words
from data.listed_trees import depth_of, write_foreign_depth, write_lines, write_listed
from data.mat_files import write_make3d_picture, write_nyu, write_splits
from data.tiny_trees import cut_short

from wrong_inputs.desk import Desk, mistake


def _train(desk: Desk, data: Path, *more: object) -> Words:
    words = ("train", "monodepth2_m", data, "--out", desk.root / "run", "--weights", "none")
    return (*words, *desk.settings(), *more)


def _evaluate(desk: Desk, data: Path, *settings: str) -> Words:
    words = ("evaluate", desk.model, data, "--out", desk.root / "scores", "--protocol", "none")
    return (*words, *(word for setting in settings for word in ("--source", setting)))


@mistake(
    "a list that lies elsewhere than its images",
    "lists/list.txt: expected images that can be used, found none in 4 lines (4 image missing)",
    "`--source folder=FOLDER`, in training `--data.source.init_args.folder=FOLDER`",
)
def _(desk: Desk) -> Words:
    path = write_listed(desk.root / "nyu")
    moved = desk.root / "lists" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    return _train(desk, moved)


@mistake(
    "a split file where a list is wanted",
    "split.txt, line 1: expected an image first (IMAGE DEPTH [FOCAL])",
)
def _(desk: Desk) -> Words:
    return _evaluate(desk, write_lines(desk.root / "split.txt", "2011_09_26/drive 5 l"))


@mistake(
    "the folder of lists in place of a list",
    "expected one of the lists of images in it (list.txt), got their folder; give e.g.",
)
def _(desk: Desk) -> Words:
    return _train(desk, write_listed(desk.root / "nyu").parent)


@mistake(
    "listed PNG depth of unknown units",
    "sync_depth_00000.png: expected a PNG that records its units per metre",
    "`--source divide=1000`",
)
def _(desk: Desk) -> Words:
    path = write_listed(desk.root / "nyu")
    for number in range(4):
        write_foreign_depth(
            desk.root / "nyu" / "kitchen" / f"sync_depth_{number:05d}.png", depth_of(number)
        )
    return _evaluate(desk, path)


@mistake(
    "listed files that are damaged, and must not be",
    "list.txt: expected files that can be used in all 4 lines, got 1 without (1 depth unreadable)",
    "leave them out by broken=skip",
)
def _(desk: Desk) -> Words:
    path = write_listed(desk.root / "nyu")
    cut_short(desk.root / "nyu" / "kitchen" / "sync_depth_00002.png")
    return _evaluate(desk, path, "broken=refuse")


@mistake("a recipe for video, and a list of single images", "(4 no frame at -1)")
def _(desk: Desk) -> Words:
    return _train(desk, write_listed(desk.root / "nyu"))


@mistake("hints of listed images", "found 4 images without one of the other camera")
def _(desk: Desk) -> Words:
    return ("hints", write_listed(desk.root / "nyu"))


@mistake("an archive in place of a data set", "unpack NYUv2 first, `leadline unpack nyu")
def _(desk: Desk) -> Words:
    return _train(desk, write_nyu(desk.root / "nyu_depth_v2_labeled.mat"))


def _unpack(desk: Desk, *more: object) -> Words:
    path = write_nyu(desk.root / "nyu_depth_v2_labeled.mat")
    return ("unpack", "nyu", path, "--out", desk.root / "nyu", *more)


@mistake("an archive cut short", "damaged or cut short", "fetch it again")
def _(desk: Desk) -> Words:
    words = _unpack(desk)
    cut_short(desk.root / "nyu_depth_v2_labeled.mat")
    return words


@mistake(
    "splits of another archive",
    "splits.mat: expected numbers of frames from 1 to 4 in testNdxs, got 2 to 1449",
)
def _(desk: Desk) -> Words:
    return _unpack(desk, "--splits", write_splits(desk.root / "splits.mat", test=(2, 1449)))


@mistake("an archive unpacked twice, otherwise", "focal 518.8579 there, 500.0 here", before=_unpack)
def _(desk: Desk) -> Words:
    return _unpack(desk, "--focal", 500)


@mistake("Make3D without its depth", "expected laser scans of Make3D (depth_sph_corr-*.mat)")
def _(desk: Desk) -> Words:
    write_make3d_picture(desk.root / "Test134", "op43-p-282t000")
    return ("unpack", "make3d", desk.root / "Test134", "--out", desk.root / "make3d")
