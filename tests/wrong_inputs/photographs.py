"""Mistakes with images and their camera."""

import shutil

from commands import Words
from data.tiny_trees import write_giant
from small_models import replace_text

from wrong_inputs.desk import Desk, mistake


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


@mistake("a left folder that is not there", "camera.yaml", "called links", "found none below")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    with (rig / "camera.yaml").open("a") as file:
        file.write("left: links\n")
    return desk.train(rig=rig)


@mistake("a right folder that is not there", "camera.yaml", "called rechts", "found none below")
def _(desk: Desk) -> Words:
    rig = desk.rig()
    with (rig / "camera.yaml").open("a") as file:
        file.write("right: rechts\n")
    return ("hints", rig, "--out", desk.root / "hints")


def _speeds(desk: Desk, text: str, recipe: str = "packnet_resnet18_m_velocity") -> Words:
    rig = desk.rig()
    with (rig / "camera.yaml").open("a") as file:
        file.write("fps: 10\nspeed: speed.csv\n")
    (rig / "speed.csv").write_text(text)
    return ("train", recipe, rig, "--out", desk.root / "run", "--weights", "none")


@mistake("speeds in km/h", "speed.csv: expected speeds in m/s, got up to 95", "divide by 3.6")
def _(desk: Desk) -> Words:
    return _speeds(desk, "time,speed\n0,90\n1,95\n")


@mistake("speeds by another clock", "speed.csv: expected times on the clock of the frames")
def _(desk: Desk) -> Words:
    return _speeds(desk, "1700000000,10\n1700000001,10\n")


@mistake("speeds in km/h of a town", "got mostly 50, which looks like km/h", "divide by 3.6")
def _(desk: Desk) -> Words:
    return _speeds(desk, "0,50\n0.2,50\n0.4,50\n")


@mistake("speeds that jump", "expected the speeds of a vehicle", "remove what jumps")
def _(desk: Desk) -> Words:
    return _speeds(desk, "0,8\n0.1,60\n0.4,8\n")


@mistake("speeds by a clock that is a second ahead", "3 of 4 frames lie outside its 0.25 to 1 s")
def _(desk: Desk) -> Words:
    return _speeds(desk, "0.25,8\n1,8\n")


@mistake("a column too many", "a header that names one time and one speed", "remove the others")
def _(desk: Desk) -> Words:
    return _speeds(desk, "0,48.1,8\n1,48.1,8\n")


@mistake("speeds with a gap", "got none (", "4 no speed")
def _(desk: Desk) -> Words:
    return _speeds(desk, "-9,8\n9,8\n")


@mistake("a vehicle that stands for minutes", "velocity needs distance", "the camera stands still")
def _(desk: Desk) -> Words:
    return _speeds(desk, "0,0\n1,0\n")


@mistake("a recipe that needs speeds, and none", "got none (", "4 no speed")
def _(desk: Desk) -> Words:
    words = ("train", "packnet_resnet18_m_velocity", desk.rig(), "--out", desk.root / "run")
    return (*words, "--weights", "none")


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
