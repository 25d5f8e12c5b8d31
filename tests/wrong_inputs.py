"""What a newcomer does wrong in the first ten minutes, and what must be said to it.

Read by `tests/test_wrong_inputs.py` and, for the table, by `benchmarks/wrong_inputs.py`.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from commands import Words
from data.tiny_trees import write_giant
from small_models import linked_copy, replace_text, write_model, write_tiny_backbone
from worlds import hints_of, write_stereo_folder

from leadline.data.depth_files import write_depth
from leadline.inference.model_folder import CONFIG, WEIGHTS

SIZE = (32, 64)


@dataclass
class Desk:
    """A folder of one's own for each mistake, and a model that all of them share."""

    root: Path
    model: Path
    backbone: Path

    @classmethod
    def shared(cls, root: Path) -> "Desk":
        """Where other desks come from."""
        backbone = write_tiny_backbone(root / "backbone")
        return cls(root, write_model(root / "model", str(backbone)), backbone)

    def own(self, root: Path) -> "Desk":
        """An empty one."""
        root.mkdir(parents=True)
        return Desk(root, linked_copy(self.model, root / "model"), self.backbone)

    def rig(self, count: int = 4) -> Path:
        """Stereo pairs with a camera file, and good hints beside them."""
        return write_stereo_folder(self.root / "rig", count, SIZE)

    def settings(self) -> Words:
        """Under which a training step takes a moment."""
        return (
            f"--model.predictor.init_args.depth.init_args.backbone={self.backbone}",
            *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=0"),
            *("--run.epochs=1", "--run.loggers=[]"),
        )

    def train(
        self,
        *more: object,
        rig: Path | None = None,
        recipe: str = "demo",
        hints: Path | None = None,
        out: Path | None = None,
    ) -> Words:
        """A training that is right but for what is given."""
        rig = rig or self.rig()
        folders = ("--hints", hints or hints_of(rig), "--out", out or self.root / "run")
        return ("train", recipe, rig, *folders, *self.settings(), *more)

    def predict(self, *more: object) -> Words:
        """A prediction that is right but for `more`."""
        return ("predict", self.model, self.rig() / "left", "--out", self.root / "depth", *more)


@dataclass(frozen=True)
class WrongInput:
    """A mistake, the command in which it shows, and the words that must be in the answer."""

    what: str
    words: Callable[[Desk], Words]
    says: tuple[str, ...]
    code: int = 2
    before: Callable[[Desk], Words | None] = lambda desk: None
    """A command that goes well before."""


CASES: list[WrongInput] = []


def mistake(
    what: str,
    *says: str,
    code: int = 2,
    before: Callable[[Desk], Words | None] = lambda desk: None,
) -> Callable[[Callable[[Desk], Words]], Callable[[Desk], Words]]:
    """Add a case: the function lays out what is wrong, and returns the command."""

    def add(words: Callable[[Desk], Words]) -> Callable[[Desk], Words]:
        CASES.append(WrongInput(what, words, says, code, before))
        return words

    return add


# The images and their camera.


@mistake("the names of no two images agree", "expected partners of one name or number in both")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    for path in sorted((rig / "right").iterdir(), reverse=True):
        path.rename(path.with_name(f"{path.stem}7.png"))
    return desk.train(rig=rig)


@mistake("no image is whole", "(8 unreadable image)", "000000.png: expected a whole image")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    for path in rig.glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:500])
    return desk.train(rig=rig)


@mistake("images too large for memory", "000000.png: expected an image of at most 178 million")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    for path in rig.glob("*/*.png"):
        write_giant(path)
    return desk.train(rig=rig)


@mistake("photographs without camera.yaml", "expected a camera.yaml", "K: [[fx, 0, cx]")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    (rig / "camera.yaml").unlink()
    return desk.train(rig=rig)


@mistake("a camera.yaml of another size", "says 1280x720", "64x32 pixels")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    replace_text(rig / "camera.yaml", "width: 64\nheight: 32", "width: 1280\nheight: 720")
    return desk.train(rig=rig)


@mistake("a baseline in millimetres", "looks like millimetres; write 0.12")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    replace_text(rig / "camera.yaml", "baseline: 0.5", "baseline: 120")
    return desk.train(rig=rig)


@mistake("an empty folder", "expected KITTI raw", "or your own images with a camera.yaml")
def _(desk: Desk) -> Words:
    (desk.root / "photographs").mkdir()
    return ("train", "demo", desk.root / "photographs", "--out", desk.root / "run")


@mistake("a path with a typo", "photograhps: no such folder")
def _(desk: Desk) -> Words:
    return ("train", "demo", desk.root / "photograhps", "--out", desk.root / "run")


@mistake("a video instead of a folder", "got a file; take a video apart first", "ffmpeg -i")
def _(desk: Desk) -> Words:
    (desk.root / "dashcam.mp4").write_bytes(b"film")
    return ("train", "monodepth2_m", desk.root / "dashcam.mp4", "--out", desk.root / "run")


@mistake("a stereo recipe for a single camera", "(4 no frame at stereo)", "the recipe")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    shutil.rmtree(rig / "right")
    return desk.train(rig=rig)


@mistake("results among the photographs", "expected a folder outside the data set")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    return ("train", "demo", rig, "--out", rig / "run")


# Hints.


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


@mistake("hints of frames that are not there", "found 1 frames that are no images here, first . 9")
def _(desk: Desk) -> Words:
    (desk.root / "split.txt").write_text(". 9 l\n")
    return ("hints", desk.rig(), "--split", desk.root / "split.txt", "--out", desk.root / "hints")


@mistake("fewer workers than none", "workers: expected 1 process or more, got -2")
def _(desk: Desk) -> Words:
    return ("hints", desk.rig(), "--out", desk.root / "hints", "--workers", -2)


@mistake("a matcher for a mode that fuses several", "--setting: is for --mode single, got --mode")
def _(desk: Desk) -> Words:
    return ("hints", desk.rig(), "--out", desk.root / "hints", "--setting", 3, 64)


# The recipe.


@mistake("a misspelt setting", "--data.batchsize=4; did you mean data.batch_size?")
def _(desk: Desk) -> Words:
    return desk.train("--data.batchsize=4")


@mistake("a misspelt key in a recipe of one's own", "'heigth'; did you mean data.height?")
def _(desk: Desk) -> Words:
    (desk.root / "mine.yaml").write_text("data:\n  heigth: 64\n")
    return desk.train(recipe=str(desk.root / "mine.yaml"))


@mistake("a list for a section of a recipe", "names with values under data, got ['frames']")
def _(desk: Desk) -> Words:
    (desk.root / "mine.yaml").write_text("data:\n- frames\n")
    return desk.train(recipe=str(desk.root / "mine.yaml"))


@mistake("an unknown recipe", "got 'depth_hint_s'; did you mean depth_hints_s?")
def _(desk: Desk) -> Words:
    return desk.train(recipe="depth_hint_s")


@mistake("data and recipe the wrong way round", "the recipe comes first: leadline train RECIPE")
def _(desk: Desk) -> Words:
    return ("train", desk.rig(), "demo", "--out", desk.root / "run")


@mistake("a negative size", "expected positive height, width and batch_size, got -64, 64, 2")
def _(desk: Desk) -> Words:
    return desk.train("--data.height=-64")


@mistake("no epochs", "run.epochs: expected 1 or more, got 0")
def _(desk: Desk) -> Words:
    return desk.train("--run.epochs=0")


@mistake("batches larger than the data", "got 8; lower batch_size or add images")
def _(desk: Desk) -> Words:
    return desk.train("--data.batch_size=12")


@mistake("a device for an accelerator", "invalid accelerator name", "`accelerator='cuda:0'`")
def _(desk: Desk) -> Words:
    return desk.train("--run.accelerator=cuda:0")


@mistake("weights: hub without a connection", "could not be fetched", "--weights FOLDER` or none")
def _(desk: Desk) -> Words:
    words = ("train", "monodepth2_s", desk.rig(), "--out", desk.root / "run", *desk.settings())
    # A model that is on no hub, so that a cache cannot help.
    key = "--model.predictor.init_args.depth.init_args.backbone"
    return (*words, f"{key}=leadline/not-there", "--weights", "hub")


@mistake("--init-from weights of another network", "weights of another network")
def _(desk: Desk) -> Words:
    key = "--model.predictor.init_args.depth.init_args.backbone"
    return desk.train("--init-from", desk.model, f"{key}=resnet18")


@mistake("a learning rate that blows up", "is not finite", "lower the learning rate")
def _(desk: Desk) -> Words:
    return desk.train("--model.optimiser.init_args.lr=1e30")


# Runs that go on.


@mistake(
    "a run resumed with other settings",
    "holds a run with other settings (data.jitter was True, now False)",
    before=lambda desk: desk.train(),
)
def _(desk: Desk) -> Words:
    return desk.train("--data.jitter=false", rig=desk.root / "rig")


@mistake(
    "a run resumed with more images a batch",
    "holds a run with 2 images a batch (batch_size x devices), this one would have 4",
    "change data.batch_size or run.devices",
    before=lambda desk: desk.train(),
)
def _(desk: Desk) -> Words:
    return desk.train("--data.batch_size=4", "--run.epochs=2", rig=desk.root / "rig")


@mistake(
    "a damaged resume point",
    "resume.ckpt: expected the state of a training run",
    "delete it to start again",
    before=lambda desk: desk.train(),
)
def _(desk: Desk) -> Words:
    path = desk.root / "run" / "resume.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    return desk.train("--run.epochs=2", rig=desk.root / "rig")


@mistake("a run in a place that cannot be written", "Not a directory; check the path")
def _(desk: Desk) -> Words:
    (desk.root / "notes.txt").write_text("mine")
    return desk.train(out=desk.root / "notes.txt" / "run")


# Models and predictions.


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


@mistake("a model of a later version", "format 2 is newer", "upgrade leadline")
def _(desk: Desk) -> Words:
    replace_text(desk.model / CONFIG, "format: 1", "format: 2")
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


# Evaluation.


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


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """A file system of its own mounted at `folder`; False where this user may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
