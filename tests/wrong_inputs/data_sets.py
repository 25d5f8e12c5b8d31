"""Mistakes with DDAD, Cityscapes, RGB-D sequences and the synthetic world."""

from pathlib import Path

import numpy as np
from commands import Words
from data.cityscapes_trees import write_frames
from data.dgp_trees import write_list, write_scene
from data.rgbd_trees import write_depth_png, write_intrinsics, write_sequence, write_tum
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


def _rgbd(desk: Desk) -> Path:
    write_sequence(desk.root / "kitchen" / "seq-01")
    write_intrinsics(desk.root / "kitchen")
    return desk.root / "kitchen"


@mistake("RGB-D frames without a camera", "(4 no calibration)", "seq-01 0 l")
def _(desk: Desk) -> Words:
    root = _rgbd(desk)
    (root / "camera-intrinsics.txt").unlink()
    return _train(desk, root, "--data.neighbours=optional")


@mistake(
    "RGB-D intrinsics cut short",
    "camera-intrinsics.txt: expected fx 0 cx, 0 fy cy, 0 0 1 in pixels, three numbers a line",
)
def _(desk: Desk) -> Words:
    root = _rgbd(desk)
    cut_short(root / "camera-intrinsics.txt")
    return _train(desk, root)


@mistake(
    "RGB-D depth of another size than its camera",
    "camera-intrinsics.txt: expected a camera of 32x12, the size of the depth images in",
    "write the depth camera's own depth_camera.yaml",
)
def _(desk: Desk) -> Words:
    root = _rgbd(desk)
    for path in (root / "seq-01").glob("*.depth.png"):
        write_depth_png(path, np.full((12, 32), 900))
    return _train(desk, root)


@mistake(
    "the place of the RGB-D cameras in millimetres",
    "depth_to_colour: expected metres between two cameras of one housing, got [-25.0, 0.0, 0.0]",
    "divide by 1000",
)
def _(desk: Desk) -> Words:
    return _train(desk, _rgbd(desk), "--data.source.init_args.depth_to_colour=[-25,0,0]")


@mistake(
    "a line of a TUM trajectory that is cut short",
    "groundtruth.txt, line 9: expected 'timestamp tx ty tz qx qy qz qw', got '1305031102.1",
    "correct or remove the line",
)
def _(desk: Desk) -> Words:
    path = write_tum(desk.root / "desk") / "groundtruth.txt"
    path.write_text(path.read_text()[:-40])
    return _train(desk, desk.root / "desk")


@mistake(
    "TUM lists of which the images are not here",
    "rgb/1305031102.000000.png: expected RGB-D images, as frame-*.color.* or listed by rgb.txt",
)
def _(desk: Desk) -> Words:
    for path in (write_tum(desk.root / "desk") / "rgb").iterdir():
        path.unlink()
    return _train(desk, desk.root / "desk")


@mistake(
    "metres from RGB-D sequences without poses",
    "2 no speed",
)
def _(desk: Desk) -> Words:
    root = _rgbd(desk)
    for path in (root / "seq-01").glob("*.pose.txt"):
        path.unlink()
    words = ("train", "packnet_resnet18_m_velocity", root, "--out", desk.root / "run")
    return (*words, "--weights", "none")


@mistake(
    "an exposure that hunts by more than there is",
    "exposure_drift: expected a share from 0 (none) to 0.9, got 35; 0.35 is a camera that hunts",
)
def _(desk: Desk) -> Words:
    return ("synthetic", desk.root / "world", "--exposure-drift", 35)
