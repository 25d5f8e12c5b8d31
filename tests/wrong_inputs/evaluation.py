"""Mistakes with predictions and truth."""

from pathlib import Path

import cv2
import numpy as np
from commands import Words

from leadline.data.depth_files import write_depth
from wrong_inputs.desk import SIZE, Desk, mistake


def _write_maps(folder: Path, shape: tuple[int, ...] = SIZE, value: float = 8.0) -> Path:
    for index in range(3):
        write_depth(folder / f"{index}.npz", np.full(SIZE, 8.0, np.float32))
    if shape != SIZE or np.isnan(value):
        np.savez(folder / "1.npz", depth=np.full(shape, value, np.float32))
    return folder


def _score(desk: Desk, *more: object) -> Words:
    truth = _write_maps(desk.root / "truth")
    folders = ("--predictions", desk.root / "theirs", "--truth", truth)
    return ("evaluate", *folders, "--out", desk.root / "scores", *more)


@mistake("an evaluation without truth", "expected true depth", "--predictions and --truth")
def _(desk: Desk) -> Words:
    return ("evaluate", desk.model, desk.rig(), "--out", desk.root / "scores")


@mistake("an unknown protocol, found before anything is predicted", "expected one of eigen")
def _(desk: Desk) -> Words:
    words = ("evaluate", desk.model, desk.rig(), "--out", desk.root / "scores")
    return (*words, "--protocol", "eigan")


@mistake("--predictions without --truth", "expected --truth FOLDER beside it")
def _(desk: Desk) -> Words:
    return ("evaluate", "--predictions", desk.root, "--out", desk.root / "scores")


@mistake("predictions of a wrong shape", "expected a depth map of h x w", "(3, 32, 64)")
def _(desk: Desk) -> Words:
    _write_maps(desk.root / "theirs", (3, *SIZE))
    return _score(desk)


@mistake("predictions with NaN", "1.npz: expected depth of 0", "values at 2048 of 2048 pixels")
def _(desk: Desk) -> Words:
    _write_maps(desk.root / "theirs", value=np.nan)
    return _score(desk)


@mistake("a prediction is missing", "got none for 1 of 3: '1'")
def _(desk: Desk) -> Words:
    (_write_maps(desk.root / "theirs") / "1.npz").unlink()
    return _score(desk)


def _write_pngs(folder: Path) -> None:
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), np.full(SIZE, 8000, np.uint16))


@mistake("PNG predictions without their unit", "`--divide`")
def _(desk: Desk) -> Words:
    _write_pngs(desk.root / "theirs")
    return _score(desk)


@mistake("a unit that contradicts the PNG's own", "divide=1000, not 256; read it with divide=1000")
def _(desk: Desk) -> Words:
    for index in range(3):
        write_depth(desk.root / "theirs" / f"{index}.png", np.full(SIZE, 8.0, np.float32))
    return _score(desk, "--divide", 256)


@mistake("PNG predictions of no units a metre", "divide: expected a positive number", "got 0")
def _(desk: Desk) -> Words:
    _write_pngs(desk.root / "theirs")
    return _score(desk, "--divide", 0)


@mistake("names that have nothing in common", "first truth is '0'", "the first file", "a.npz")
def _(desk: Desk) -> Words:
    write_depth(desk.root / "theirs" / "a.npz", np.full(SIZE, 8.0, np.float32))
    return _score(desk)


@mistake("a model and predictions at once", "got --predictions beside MODEL", "leave one out")
def _(desk: Desk) -> Words:
    _write_maps(desk.root / "theirs")
    return (*_score(desk), "--", desk.model)


@mistake("truth for a model that has its data's", "got MODEL beside --truth", "leave one out")
def _(desk: Desk) -> Words:
    truth = _write_maps(desk.root / "truth")
    return ("evaluate", desk.model, desk.rig(), "--out", desk.root / "scores", "--truth", truth)


@mistake("a predictions.json of another program", "got another file", "delete the file")
def _(desk: Desk) -> Words:
    (_write_maps(desk.root / "theirs") / "predictions.json").write_text("[1, 2]")
    return _score(desk)


@mistake("coloured pictures as predictions", "a picture, not a measurement")
def _(desk: Desk) -> Words:
    (desk.root / "theirs").mkdir()
    for index in range(3):
        cv2.imwrite(str(desk.root / "theirs" / f"{index}.png"), np.zeros((*SIZE, 3), np.uint8))
    return _score(desk, "--divide", 256)


@mistake("a model where an evaluation is compared", "expected an evaluation (results.json) in it")
def _(desk: Desk) -> Words:
    return ("compare", desk.model, desk.rig(), "--out", desk.root / "both")


@mistake("a comparison of one", "expected two evaluations or more, got 1")
def _(desk: Desk) -> Words:
    return ("compare", desk.model, "--out", desk.root / "both")


@mistake("half of an evaluation is compared", "results.json: expected the results of", "again")
def _(desk: Desk) -> Words:
    for name in ("mine", "theirs"):
        (desk.root / name).mkdir()
        (desk.root / name / "results.json").write_text("{")
    return ("compare", desk.root / "mine", desk.root / "theirs", "--out", desk.root / "both")
