"""Mistakes with models and photographs to predict."""

import shutil

from commands import Words
from data.tiny_trees import write_giant
from small_models import linked_copy, replace_text

from leadline.inference.model_folder import CONFIG, WEIGHTS
from wrong_inputs.desk import Desk, mistake


@mistake("the folder of a run instead of its model", "did you mean", "run/model?")
def _(desk: Desk) -> Words:
    linked_copy(desk.model, desk.root / "run" / "model")
    return ("predict", desk.root / "run", desk.rig() / "left", "--out", desk.root / "depth")


@mistake("a model folder without weights", "expected a model folder with model.safetensors")
def _(desk: Desk) -> Words:
    (desk.model / WEIGHTS).unlink()
    return desk.predict()


@mistake("damaged weights", "model.safetensors: damaged", "copy or train it again")
def _(desk: Desk) -> Words:
    whole = (desk.model / WEIGHTS).read_bytes()
    (desk.model / WEIGHTS).unlink()
    (desk.model / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    return desk.predict()


@mistake("a model of a later version", "format 3 is newer", "upgrade leadline")
def _(desk: Desk) -> Words:
    replace_text(desk.model / CONFIG, "format: 2", "format: 3")
    return desk.predict()


@mistake("a video to predict", "got a video; take it apart first")
def _(desk: Desk) -> Words:
    (desk.root / "dashcam.mp4").write_bytes(b"film")
    return ("predict", desk.model, desk.root / "dashcam.mp4", "--out", desk.root / "depth")


@mistake("one damaged photograph of many", "000002.png: expected a whole image", code=1)
def _(desk: Desk) -> Words:
    words = desk.predict()
    path = desk.root / "rig" / "left" / "000002.png"
    path.write_bytes(path.read_bytes()[:500])
    return words


@mistake(
    "photographs of another folder with the same names",
    "000000 is there of",
    "give another folder for --out",
    before=lambda desk: desk.predict(),
)
def _(desk: Desk) -> Words:
    right = desk.root / "rig" / "right"
    return ("predict", desk.model, right, "--out", desk.root / "depth")


@mistake("one photograph too large of many", "000002.png: expected an image of at most", code=1)
def _(desk: Desk) -> Words:
    words = desk.predict()
    write_giant(desk.root / "rig" / "left" / "000002.png")
    return words


@mistake("a model whose unit is no number", "config.yaml: ", "got the unit 'metre' instead")
def _(desk: Desk) -> Words:
    replace_text(desk.model / CONFIG, "unit: 5.0", "unit: metre")
    return desk.predict()


@mistake("a batch of nothing", "batch size: expected 1 or more, got 0")
def _(desk: Desk) -> Words:
    return desk.predict("--batch-size", 0)


@mistake("a device that is not there", "device: expected cpu, cuda", "got cuda:7")
def _(desk: Desk) -> Words:
    return desk.predict("--device", "cuda:7")


@mistake("metres from a model without scale", "millimetres holds metres", "choose npy and colour")
def _(desk: Desk) -> Words:
    replace_text(desk.model / CONFIG, "metric: true", "metric: false")
    return desk.predict("--outputs", "millimetres")


@mistake("colours from far to near", "expected metres with 0 < near < far")
def _(desk: Desk) -> Words:
    return desk.predict("--range", 80, 2)


@mistake("refinement of loose photographs", "expected a camera.yaml beside the images")
def _(desk: Desk) -> Words:
    (desk.rig() / "camera.yaml").unlink()
    return ("refine", desk.model, desk.root / "rig", "--out", desk.root / "depth")


@mistake(
    "refinement by pairs of what has none",
    "with a neighbour that the recipe looks at (stereo), found none",
)
def _(desk: Desk) -> Words:
    shutil.rmtree(desk.rig() / "right")
    return ("refine", desk.model, desk.root / "rig", "--out", desk.root / "depth")


@mistake("refinement of a single photograph", "--refine: expected one folder with a sequence")
def _(desk: Desk) -> Words:
    photograph = desk.rig() / "left" / "000000.png"
    return ("predict", desk.model, photograph, "--refine", 3, "--out", desk.root / "depth")


@mistake("refinement at a rate that is none", "learning rate: expected a number above 0")
def _(desk: Desk) -> Words:
    words = ("refine", desk.model, desk.rig(), "--out", desk.root / "depth")
    return (*words, "--learning-rate", "inf")


@mistake("hints to refine by that are not there", "nowhere: expected a folder of hints, found none")
def _(desk: Desk) -> Words:
    words = ("refine", desk.model, desk.rig(), "--out", desk.root / "depth")
    return (*words, "--hints", desk.root / "nowhere")
