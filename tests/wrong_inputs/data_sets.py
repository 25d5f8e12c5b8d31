"""Mistakes with DDAD and Cityscapes."""

from pathlib import Path

from commands import Words
from data.cityscapes_trees import write_frames
from data.dgp_trees import write_list, write_scene
from data.tiny_trees import cut_short

from wrong_inputs.desk import Desk, mistake


def _ddad(desk: Desk) -> Path:
    write_scene(desk.root / "ddad")
    write_list(desk.root / "ddad", train=["000150"])
    return desk.root / "ddad"


def _train(desk: Desk, data: Path, *more: object) -> Words:
    words = ("train", "monodepth2_m", data, "--out", desk.root / "run", "--weights", "none")
    return (*words, *desk.settings(), *more)


@mistake(
    "a camera that DDAD does not have",
    "cameras: expected some of CAMERA_01, got CAMERA_09",
)
def _(desk: Desk) -> Words:
    return _train(desk, _ddad(desk), "--data.source.init_args.cameras=[CAMERA_09]")


@mistake(
    "a list that the data set does not have",
    "trian: expected a split file or a list of ddad itself, which has train; correct the name",
)
def _(desk: Desk) -> Words:
    return _train(desk, _ddad(desk), "--data.train_split=trian")


@mistake("a scene file cut short", "scene_a1b2.json: expected JSON, got", "copy the file again")
def _(desk: Desk) -> Words:
    root = _ddad(desk)
    cut_short(root / "000150" / "scene_a1b2.json")
    return _train(desk, root)


@mistake(
    "scenes of which only the JSON files are there",
    "rgb/CAMERA_01/1568000000000000.png: expected the images that the scene files name",
)
def _(desk: Desk) -> Words:
    root = _ddad(desk)
    for path in (root / "000150" / "rgb" / "CAMERA_01").iterdir():
        path.unlink()
    return _train(desk, root)


@mistake("a setting that DDAD does not have", "--source: expected a setting of DgpScenes as NAME=")
def _(desk: Desk) -> Words:
    words = ("evaluate", desk.model, _ddad(desk), "--out", desk.root / "scores")
    return (*words, "--source", "camera=[CAMERA_01]")


@mistake("Cityscapes without its camera files", "(2 no calibration)", "aachen_000000 19 l")
def _(desk: Desk) -> Words:
    root = write_frames(desk.root / "cityscapes")
    words = ("train", "monodepth2_s", root, "--out", desk.root / "run", "--weights", "none")
    return (*words, *desk.settings())


@mistake("all of each picture cut off", "crop_bottom: expected a share of the height", "got 1")
def _(desk: Desk) -> Words:
    return desk.train("--data.crop_bottom=1")
