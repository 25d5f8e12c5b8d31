"""Mistakes with hints."""

import shutil

import numpy as np
from commands import Words
from rigs import moved, write_rig
from worlds import hints_of, write_stereo_folder

from wrong_inputs.desk import SIZE, Desk, mistake


@mistake("no --hints for a recipe that needs them", "`leadline hints`", "--hints FOLDER")
def _(desk: Desk) -> Words:
    return ("train", "demo", desk.rig(), "--out", desk.root / "run", *desk.settings())


@mistake("hints of another data set", "(8 no hint)", "other/left/000000.png")
def _(desk: Desk) -> Words:
    (desk.root / "other").mkdir()
    return desk.train(hints=desk.root / "other")


@mistake("no hint is whole", "(8 unreadable hint)", "000000.png: expected a whole image")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    for path in hints_of(rig).rglob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    return desk.train(rig=rig)


@mistake(
    "NaN in a hint, as the float32 .npy of other programs may hold",
    "(8 no hint)",
    "found 000000.npy, which is not read",
)
def _(desk: Desk) -> Words:
    rig = desk.rig()
    for path in hints_of(rig).rglob("*.png"):
        path.unlink()
        np.save(path.with_suffix(".npy"), np.full(SIZE, np.nan, np.float32))
    return desk.train(rig=rig)


@mistake(
    "hints without the confidence that a recipe weights by",
    "(8 no confidence)",
    "confidence/left/000000.png: expected the confidence of a hint, found none; `leadline hints`",
)
def _(desk: Desk) -> Words:
    return desk.train("--weights", "none", recipe="depth_hints_s_confidence")


@mistake(
    "hints weighted by a confidence that is not read",
    "objective.hint needs confidence",
    "`hint_confidence: true` in `data:`",
)
def _(desk: Desk) -> Words:
    return desk.train("--model.objective.hint.term.init_args.weighting=confidence")


@mistake("--hints names no folder", "expected a folder of hints, found none")
def _(desk: Desk) -> Words:
    return desk.train(hints=desk.root / "nowhere")


@mistake(
    "hints of a single camera",
    "expected stereo pairs (left/ and right/",
    "found 4 images without one of the other camera, first",
    "the recipe monodepth2_m",
)
def _(desk: Desk) -> Words:
    rig = desk.rig()
    shutil.rmtree(rig / "right")
    return ("hints", rig, "--out", desk.root / "hints")


@mistake(
    "a missing right image",
    "no hint for 1 images without one of the other camera, first",
    "rig/left/000001.png",
    code=0,
)
def _(desk: Desk) -> Words:
    rig = desk.rig()
    (rig / "right" / "000001.png").unlink()
    return ("hints", rig, "--out", desk.root / "hints", "--workers", 1)


@mistake(
    "pairs of another rig into a folder of hints",
    "8 hints here were made in another way or of other images",
    "rig/left/000000.png instead of",
    "choose another folder, or allow overwriting them (--overwrite)",
    before=lambda desk: ("hints", desk.rig(), "--out", desk.root / "hints", "--workers", 1),
)
def _(desk: Desk) -> Words:
    other = write_stereo_folder(desk.root / "other", count=4, size=SIZE)
    return ("hints", other, "--out", desk.root / "hints")


@mistake("hints of frames that are not there", "found 1 frames that are no images here, first . 9")
def _(desk: Desk) -> Words:
    (desk.root / "split.txt").write_text(". 9 l\n")
    return ("hints", desk.rig(), "--split", desk.root / "split.txt", "--out", desk.root / "hints")


@mistake("a negative seed of random matchers", "seed: expected 0 or more, got -1")
def _(desk: Desk) -> Words:
    words = ("hints", desk.rig(), "--out", desk.root / "hints", "--mode", "random")
    return (*words, "--seed", -1)


@mistake("fewer workers than none", "workers: expected 1 process or more, got -2")
def _(desk: Desk) -> Words:
    return ("hints", desk.rig(), "--out", desk.root / "hints", "--workers", -2)


@mistake("a matcher for a mode that fuses several", "--setting: is for --mode single, got --mode")
def _(desk: Desk) -> Words:
    return ("hints", desk.rig(), "--out", desk.root / "hints", "--setting", 3, 64)


@mistake(
    "more disparities than a hint file holds",
    "--disparities: expected a multiple of 4 up to 256, got 300",
)
def _(desk: Desk) -> Words:
    return ("hints", desk.rig(), "--out", desk.root / "hints", "--disparities", 300)


@mistake("holes filled in a mode that leaves them", "--fill: is for --mode consistent, got --mode")
def _(desk: Desk) -> Words:
    return ("hints", desk.rig(), "--out", desk.root / "hints", "--mode", "valid", "--fill")


@mistake(
    "workers of this machine beside those of a cluster",
    "expected workers of this machine or the scheduler of a cluster, got both",
)
def _(desk: Desk) -> Words:
    words = ("hints", desk.rig(), "--out", desk.root / "hints", "--workers", 2)
    return (*words, "--scheduler", "tcp://127.0.0.1:8786")


@mistake(
    "left and right exchanged",
    "rig: left and right look swapped: 100% of disparities are negative (",
    "exchange the pictures of the two cameras; or go on as it is by --unchecked",
)
def _(desk: Desk) -> Words:
    return ("hints", write_rig(desk.root / "rig", swapped=True), "--out", desk.root / "hints")


@mistake(
    "a camera turned about its axis, not rectified",
    "rig: pairs are not rectified: rows differ by",
    "the right picture is turned 2.0",
    "rectify the pairs by the rig's calibration (OpenCV: stereoRectify); or go on",
)
def _(desk: Desk) -> Words:
    rig = write_rig(desk.root / "rig", change=moved(degrees=2))
    return ("hints", rig, "--out", desk.root / "hints")


@mistake(
    "a camera that lies a little lower",
    "pairs are only roughly rectified: rows differ by",
    "px lower",
    code=0,
)
def _(desk: Desk) -> Words:
    rig = write_rig(desk.root / "rig", change=moved(down=0.5))
    return ("hints", rig, "--out", desk.root / "hints", "--workers", 1)
