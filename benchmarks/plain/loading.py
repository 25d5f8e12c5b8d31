"""One stereo item as Monodepth2 and Depth Hints load it [monodepth2], [depth-hints].

Both images are decoded in full, mirrored, shrunk into a pyramid of four scales by repeated Lanczos
resizing, and every level is turned into a tensor twice, as it is and with changed colours; the hint
is a float32 array.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

SCALES = 4
PROBABILITY = 0.5
"""Of a flip, and of changed colours."""
INTRINSICS = ((0.58, 0, 0.5, 0), (0, 1.92, 0.5, 0), (0, 0, 1, 0), (0, 0, 0, 1))
"""As shares of width and height, one for all cameras."""
BASELINE = 0.1

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class PlainItem:
    """What the loader hands to the batch; lists go from fine to coarse."""

    images: dict[str, list[Tensor]]
    """Of `target` and `source`."""
    inputs: dict[str, list[Tensor]]
    """The same with changed colours."""
    intrinsics: list[Tensor]
    inverse_intrinsics: list[Tensor]
    target_to_source: Tensor
    hint: Tensor
    hint_mask: Tensor


def plain_item(
    target: Path, source: Path, hint: Path, size: tuple[int, int], draw: random.Random
) -> PlainItem:
    """The item of a left target at `size` (h, w), varied by `draw`."""
    flip, recolour = draw.random() < PROBABILITY, draw.random() < PROBABILITY
    change = colour_change(draw) if recolour else unchanged
    pyramids = {
        name: pyramid(load(path, flip), size)
        for name, path in (("target", target), ("source", source))
    }
    intrinsics = [scaled_intrinsics(level.size) for level in pyramids["target"]]
    pose = torch.eye(4)
    pose[0, 3] = BASELINE if flip else -BASELINE
    depth = load_hint(hint, flip, size)
    return PlainItem(
        images={name: [tensor(level) for level in levels] for name, levels in pyramids.items()},
        inputs={
            name: [tensor(change(level)) for level in levels] for name, levels in pyramids.items()
        },
        intrinsics=[torch.from_numpy(matrix) for matrix in intrinsics],
        inverse_intrinsics=[torch.from_numpy(np.linalg.pinv(matrix)) for matrix in intrinsics],
        target_to_source=pose,
        hint=torch.from_numpy(depth)[None],
        hint_mask=torch.from_numpy((depth > 0).astype(np.float32))[None],
    )


def load(path: Path, flip: bool) -> Image.Image:
    """The whole image in RGB."""
    with path.open("rb") as file, Image.open(file) as image:
        colours = image.convert("RGB")
    return colours.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else colours


def pyramid(image: Image.Image, size: tuple[int, int]) -> list[Image.Image]:
    """Each level made from the one before."""
    height, width = size
    levels = []
    for scale in range(SCALES):
        image = image.resize((width >> scale, height >> scale), Image.Resampling.LANCZOS)
        levels.append(image)
    return levels


def tensor(image: Image.Image) -> Tensor:
    """3 h w in [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float() / 255


def scaled_intrinsics(size: tuple[int, int]) -> np.ndarray:
    matrix = np.array(INTRINSICS, np.float32)
    matrix[0] *= size[0]
    matrix[1] *= size[1]
    return matrix


def load_hint(path: Path, flip: bool, size: tuple[int, int]) -> np.ndarray:
    """Depth at `size` (h, w), 0 = missing."""
    depth = np.load(path)[0]
    if flip:
        depth = np.ascontiguousarray(depth[:, ::-1])
    return cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST)


def unchanged(image: Image.Image) -> Image.Image:
    return image


def colour_change(draw: random.Random) -> Change:
    """Brightness, contrast, saturation and hue in a random order, equal for all images."""
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    factors = [draw.uniform(0.8, 1.2) for _ in enhancers]
    turn = draw.uniform(-0.1, 0.1)
    changes: list[Change] = [
        lambda image, kind=kind, factor=factor: kind(image).enhance(factor)
        for kind, factor in zip(enhancers, factors, strict=True)
    ]
    changes.append(lambda image: shift_hue(image, turn))
    draw.shuffle(changes)

    def change(image: Image.Image) -> Image.Image:
        for one in changes:
            image = one(image)
        return image

    return change


def shift_hue(image: Image.Image, turn: float) -> Image.Image:
    """The hue of every pixel moved by `turn` of the colour circle."""
    hue, saturation, value = image.convert("HSV").split()
    moved = np.array(hue) + np.uint8(int(turn * 255) % 256)
    return Image.merge("HSV", (Image.fromarray(moved), saturation, value)).convert("RGB")
