"""An image as training and prediction see it: decoded, resized, a tensor."""

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

from leadline.data.crop_bottom import upper_rows
from leadline.data.image_files import TAIL, decoded, is_whole, unreadable
from leadline.data.upright import AS_STORED, orientation_in, turned_upright

_REDUCED_READERS = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}


def load_image(
    path: Path,
    size: tuple[int, int],
    native: tuple[int, int],
    upright: bool = False,
    crop_bottom: float = 0.0,
) -> UInt8[Tensor, "3 h w"]:
    """The image at `path` in RGB, resized from its `native` size (h, w) to `size` (h, w).

    `crop_bottom` is the share of its height, at the bottom, that is cut off before. Antialiased
    bicubic; a JPEG much larger than `size` is decoded at a half, a quarter or an eighth, where that
    divides its sides and so leaves the pixel convention exact. It is turned as its camera noted
    only if `upright`, and then both sizes are those of the upright picture: of a rig's images the
    intrinsics belong to the sensor.

    Departure: [monodepth2] resizes with PIL's Lanczos filter, which takes longer
    (benchmarks/loading.md).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is not of the `native` size.
    """
    data = np.fromfile(path, np.uint8)
    head, tail = data[: len(b"\x89PNG")].tobytes(), data[-TAIL:].tobytes()
    if not is_whole(head, tail):
        raise unreadable(path)
    kept = (upper_rows(native[0], crop_bottom), native[1])
    shrink = _shrink_while_decoding(native, kept, size) if head.startswith(b"\xff\xd8") else 1
    reader = _REDUCED_READERS.get(shrink, cv2.IMREAD_COLOR)
    stored = decoded(data, reader | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        raise unreadable(path)
    pixels = turned_upright(stored, orientation_in(data) if upright else AS_STORED)
    height, width = pixels.shape[0] * shrink, pixels.shape[1] * shrink
    if (height, width) != native:
        raise ValueError(
            f"{path}: expected {native[1]}x{native[0]} pixels, got {width}x{height}; "
            "the file has changed, start again"
        )
    whole = torch.from_numpy(np.ascontiguousarray(pixels[: kept[0] // shrink]))
    return resize_image(whole.permute(2, 0, 1), size).flip(0)


def resize_image(image: UInt8[Tensor, "c _ _"], size: tuple[int, int]) -> UInt8[Tensor, "c h w"]:
    """The image at `size` (h, w), by antialiased bicubic interpolation."""
    if image.shape[-2:] == size:
        return image
    return functional.interpolate(
        image[None], size, mode="bicubic", align_corners=False, antialias=True
    )[0]


def _shrink_while_decoding(
    native: tuple[int, int], kept: tuple[int, int], size: tuple[int, int]
) -> int:
    for shrink in _REDUCED_READERS:
        exact = all(side % shrink == 0 for side in (*native, *kept))
        covers = all(old // shrink >= new for old, new in zip(kept, size, strict=True))
        if exact and covers:
            return shrink
    return 1
