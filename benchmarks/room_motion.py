"""Why video of rooms teaches less than video of streets: turns, parallax and texture, measured.

Between neighbouring frames of the red kitchen of 7-Scenes (a camera in a hand, every tenth frame of
30 a second) and of KITTI (a camera on a car, ten a second): how far the camera turned and moved,
how far that moves the picture, and how much of it is parallax, the only part that depth shows in.
Turn and parallax are what `hand_held` of the recipes measures in the pictures; where poses and
depth are known it is checked against them. Last what a loss on colours sees: the error between a
frame and its neighbour as it stands, and turned back.

    python benchmarks/room_motion.py [--data ../shared/data]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import torch
from landscape import TEXTURELESS, WINDOW, contrast
from small_world import machine
from stereo_drive import data_argument

from leadline.colour import montage
from leadline.data.hand_held import HandHeld, as_hand_held
from leadline.data.image_files import write_picture
from leadline.data.image_tensors import load_image
from leadline.data.looking import looking_as_target
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.view_change import points_of, view_change
from leadline.geometry.camera import resize_intrinsics
from leadline.offset import TARGET, Offset
from leadline.photometry.error import photometric_error, whole_windows
from leadline.types import Sample

WIDTH = 320
TABLE = Path(__file__).with_suffix(".md")
APART = (1, 2, 3)
SHOWN = 8
"""Frame of the kitchen of which a picture is made."""


@dataclass(frozen=True)
class Scene:
    name: str
    source: Source
    frames: Sequence[FrameId]


@dataclass(frozen=True)
class Neighbours:
    """What lies between a frame and one after it, in pictures `WIDTH` wide."""

    seconds: float
    degrees: float
    parallax: float
    turned: float
    """Pixels by which the middle one of all pixels moves by the turn."""
    error: float
    """Photometric, of the neighbour as it stands."""
    turned_back: float
    """The same where it is seen, of the neighbour turned back."""
    metres: float
    wrong_degrees: float
    """From the turn by the poses; NaN without."""
    true_parallax: float
    """By poses and depth, the median over the measured pixels that both see; NaN without."""


def picture(source: Source, frame: FrameId) -> tuple[torch.Tensor, np.ndarray]:
    """Colours and intrinsics at `WIDTH`."""
    camera = source.camera(frame)
    assert camera is not None
    height, width = camera.size
    size = (round(height * WIDTH / width), WIDTH)
    intrinsics = resize_intrinsics(torch.from_numpy(camera.intrinsics), camera.size, size)
    return load_image(source.image_path(frame), size, camera.size), intrinsics.numpy()


def between(source: Source, frame: FrameId, other: FrameId) -> Neighbours | None:
    (here, k), (there, other_k) = picture(source, frame), picture(source, other)
    greys = (
        cv2.cvtColor(image.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY) for image in (here, there)
    )
    found = view_change(*(points_of(np.asarray(grey)) for grey in greys), (k, other_k))
    if found is None:
        return None
    by_pose = source.turn(frame, other)
    as_it_stands, turned_back = errors(here, there, (k, other_k), found.turn)
    return Neighbours(
        seconds=source.seconds(frame, other),
        degrees=angle(found.turn),
        parallax=found.parallax,
        turned=turn_motion(found.turn, k, here.shape[-2:]),
        error=as_it_stands,
        turned_back=turned_back,
        metres=source.distance(frame, other),
        wrong_degrees=np.nan if by_pose is None else angle(found.turn.T @ by_pose),
        true_parallax=true_parallax(source, frame, other),
    )


def angle(turn: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def turn_motion(turn: np.ndarray, k: np.ndarray, size: Sequence[int]) -> float:
    rows, columns = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1)
    moved = k @ turn @ np.linalg.inv(k) @ pixels
    return float(np.median(np.linalg.norm(moved[:2] / moved[2] - pixels[:2], axis=0)))


def errors(
    here: torch.Tensor, there: torch.Tensor, cameras: Sequence[np.ndarray], turn: np.ndarray
) -> tuple[float, float]:
    """The mean photometric error of the neighbour as it stands and turned back, where the latter is
    seen.
    """
    sample = turned_sample(here, there, cameras, turn)
    seen = whole_windows(sample.in_picture[Offset(1)][None])
    both = [there, sample.images[Offset(1)]]
    before, after = (
        photometric_error(image[None] / 255, here[None] / 255)[seen].mean() for image in both
    )
    return float(before), float(after)


def turned_sample(
    here: torch.Tensor, there: torch.Tensor, cameras: Sequence[np.ndarray], turn: np.ndarray
) -> Sample:
    intrinsics = [torch.from_numpy(camera).float() for camera in cameras]
    sample = Sample(
        id="",
        images={TARGET: here, Offset(1): there},
        intrinsics=dict(zip((TARGET, Offset(1)), intrinsics, strict=True)),
    )
    return looking_as_target(sample, {Offset(1): turn})


def true_parallax(source: Source, frame: FrameId, other: FrameId) -> float:
    motion, depth = source.recorded_motion(frame, other), source.true_depth(frame)
    camera = source.camera(frame)
    if motion is None or depth is None or camera is None:
        return float("nan")
    k = camera.intrinsics
    v, u = np.nonzero(depth)
    pixels = np.stack([u, v, np.ones_like(u)])
    points = np.linalg.inv(k) @ pixels * depth[v, u]
    there, back = (
        k @ (motion[:3, :3] @ points + motion[:3, 3:]),
        k @ (points + motion[:3, :3].T @ motion[:3, 3:]),
    )
    height, width = camera.size
    seen = (there[:2] >= 0).all(0) & (there[0] < width * there[2]) & (there[1] < height * there[2])
    moved = np.linalg.norm(back[:2] / back[2] - pixels[:2], axis=0)[seen]
    return float(np.median(moved)) * WIDTH / width


def textureless(scene: Scene) -> float:
    """Share of the pixels about which nothing can be followed."""
    shares = [
        (contrast(picture(scene.source, frame)[0][None] / 255) <= TEXTURELESS).mean()
        for frame in scene.frames
    ]
    return float(np.mean(shares))


def measured(scene: Scene, apart: int) -> tuple[int, list[Neighbours]]:
    """How many pairs there are, and what is known of those that match."""
    pairs = [(frame, scene.source.neighbour(frame, Offset(apart))) for frame in scene.frames]
    known = [(frame, other) for frame, other in pairs if other is not None]
    found = [between(scene.source, frame, other) for frame, other in known]
    return len(known), [each for each in found if each is not None]


def line(scene: Scene, apart: int) -> str:
    count, found = measured(scene, apart)

    def middle(name: str, digits: int, spread: bool = True) -> str:
        values = [getattr(each, name) for each in found if not np.isnan(getattr(each, name))]
        if not values:
            return ""
        low, median, high = np.percentile(values, [10, 50, 90])
        text = f"{median:.{digits}f}"
        return f"{text} ({low:.{digits}f} to {high:.{digits}f})" if spread else text

    share = np.median([each.turned / (each.turned + each.parallax) for each in found])
    cells = [
        f"{scene.name}, {apart * scene.source.frame_step} on",
        middle("seconds", 2, spread=False),
        f"{len(found)} of {count}",
        middle("degrees", 1),
        middle("metres", 2),
        middle("turned", 1),
        middle("parallax", 1),
        f"{share:.0%}",
        f"{middle('error', 2, spread=False)}, {middle('turned_back', 2, spread=False)}",
        middle("wrong_degrees", 2),
        middle("true_parallax", 1),
    ]
    return f"| {' | '.join(cells)} |"


def table(scenes: Sequence[Scene], chosen: str) -> str:
    lines = [
        "# Why rooms teach less than streets",
        "",
        f"`python benchmarks/room_motion.py`. {date.today()}; {machine()}. Pictures {WIDTH} pixels "
        "wide; medians over pairs, in brackets from the tenth to the ninetieth of a hundred. Share "
        "of the turn: pixels by the turn over pixels by turn and parallax. Error: photometric "
        "(0.85 SSIM), of the neighbour as it stands and turned back. Off: degrees between the turn "
        "that matches say and the one that poses say. True parallax: by poses and depth, of the "
        "pixels that have one (in KITTI the lower ones, which are near).",
        "",
        "| frames | seconds | pairs that match | degrees | metres | px by the turn "
        "| px of parallax | share of the turn | error | off | true parallax |",
        f"{'|---' * 11}|",
    ]
    lines += [line(scene, apart) for scene in scenes for apart in APART]
    lines += ["", "Textureless pixels (brightness varies by at most "]
    lines[-1] += f"{TEXTURELESS} of 1 within {WINDOW}x{WINDOW}):"
    for scene in scenes:
        lines[-1] += f" {scene.name} {textureless(scene):.0%},"
    lines[-1] = lines[-1].rstrip(",") + "."
    return "\n".join([*lines, "", f"`monodepth2_m_indoor` in the kitchen: {chosen}."]) + "\n"


def draw(source: Source, path: Path) -> None:
    """A frame, the next one, and that turned back; differences from the frame below."""
    frame = source.frames[SHOWN]
    other = source.neighbour(frame, Offset(1))
    assert other is not None
    (here, k), (there, other_k) = picture(source, frame), picture(source, other)
    turn = source.turn(frame, other)
    assert turn is not None
    back = turned_sample(here, there, (k, other_k), turn).images[Offset(1)]
    images = [here, there, back]
    differences = [(image.float() - here.float()).abs().mul(2).clamp(max=255) for image in images]
    cells = [image.byte().permute(1, 2, 0).numpy() for image in [*images, *differences[1:]]]
    labels = ["frame", "the next", "turned back", "|the next - frame|", "|turned back - frame|"]
    write_picture(path, montage(cells, labels, 3, WIDTH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    data_argument(parser)
    parser.add_argument("--picture", type=Path, help="where to draw what turning back does")
    options = parser.parse_args()
    kitchen = RgbdSequences(options.data / "seven_scenes_redkitchen")
    kitti = KittiRaw(options.data / "kitti_raw")
    scenes = [Scene("kitchen", kitchen, kitchen.frames)]
    for sequence in kitti.sequences:
        left = [frame for frame in kitti.sequences[sequence] if frame.camera == 0]
        name = f"KITTI {sequence.rpartition('/')[2].removeprefix('2011_09_26_drive_')}"
        scenes.append(Scene(name.removesuffix("_sync"), kitti, left))
    settings = HandHeld("pictures", least_parallax=4.0, most_parallax=24.0, reach=8)
    held = as_hand_held(kitchen, kitchen.frames, (Offset(-1), Offset(1)), settings)
    TABLE.write_text(table(scenes, held.remarks()[-1]))
    print(TABLE.read_text())
    if options.picture is not None:
        draw(kitchen, options.picture)


if __name__ == "__main__":
    main()
