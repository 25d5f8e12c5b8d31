"""Image files: which files are images, how large they are, whether they are whole, and their
pixels; and how pictures are written.
"""

import re
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional

from leadline.data.upright import (
    AS_STORED,
    noted_orientation,
    orientation_in,
    turned_upright,
    upright_size,
)
from leadline.files import atomic_path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
"""In the order of preference where one image is there twice; upper case counts as well."""
_ENDINGS = {b"\x89PNG": b"IEND", b"\xff\xd8\xff": b"\xff\xd9"}
"""How PNG and JPEG begin, and what stands near the end of a file that was written to its end."""
_TAIL = 4096
"""Bytes in which the ending is looked for: some cameras append notes of their own."""
_MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Beyond which Pillow takes a file for an attack on the memory."""
_REDUCED_READERS = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}


def list_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order (2 before 10); hidden and stray files are left
    out, and of one image in several formats the first of `IMAGE_SUFFIXES` is taken.
    """
    if not folder.is_dir():
        return []
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        suffix = path.suffix.lower()
        if suffix not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        other = found.get(path.stem)
        if other is None or _preference(path) < _preference(other):
            found[path.stem] = path
    return sorted(found.values(), key=natural_key)


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sorts names with their numbers as numbers.

    >>> [p.name for p in sorted([Path("f10.png"), Path("f2.png")], key=natural_key)]
    ['f2.png', 'f10.png']
    """
    pieces = re.split(r"(\d+)", path.name)
    return [(int(piece), "") if piece.isdigit() else (0, piece.lower()) for piece in pieces]


def image_size(path: Path, upright: bool = False) -> tuple[int, int]:
    """(h, w) as stored or, if `upright`, turned as the camera noted; read from the file's head. Its
    last bytes tell whether it is whole.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image, was cut short, or is too large to be decoded.
    """
    with path.open("rb") as file:
        head, tail = _both_ends(file)
        if not _is_whole(head, tail):
            raise _unreadable(path)
        file.seek(0)
        try:
            with Image.open(file) as image:
                width, height = image.size
                orientation = noted_orientation(image) if upright else AS_STORED
        except Image.DecompressionBombError:
            raise ValueError(
                f"{path}: expected an image of at most {_MOST_PIXELS // 10**6} million pixels, got "
                "a larger one; shrink it or remove it"
            ) from None
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
            raise _unreadable(path) from None
    return upright_size((height, width), orientation)


def load_image(
    path: Path, size: tuple[int, int], native: tuple[int, int], upright: bool = False
) -> UInt8[Tensor, "3 h w"]:
    """The image at `path` in RGB, resized from its `native` size (h, w) to `size` (h, w).

    Antialiased bicubic; a JPEG much larger than `size` is decoded at a half, a quarter or an
    eighth, where that divides its sides and so leaves the pixel convention exact. It is turned as
    its camera noted only if `upright`, and then both sizes are those of the upright picture: of a
    rig's images the intrinsics belong to the sensor.

    Departure: [monodepth2] resizes with PIL's Lanczos filter, which takes longer
    (benchmarks/loading.md).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is not of the `native` size.
    """
    data = np.fromfile(path, np.uint8)
    head, tail = data[: len(b"\x89PNG")].tobytes(), data[-_TAIL:].tobytes()
    if not _is_whole(head, tail):
        raise _unreadable(path)
    shrink = _shrink_while_decoding(native, size) if head.startswith(b"\xff\xd8") else 1
    reader = _REDUCED_READERS.get(shrink, cv2.IMREAD_COLOR)
    stored = decoded(data, reader | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        raise _unreadable(path)
    pixels = turned_upright(stored, orientation_in(data) if upright else AS_STORED)
    height, width = pixels.shape[0] * shrink, pixels.shape[1] * shrink
    if (height, width) != native:
        raise ValueError(
            f"{path}: expected {native[1]}x{native[0]} pixels, got {width}x{height}; "
            "the file has changed, start again"
        )
    whole = torch.from_numpy(np.ascontiguousarray(pixels))
    return resize_image(whole.permute(2, 0, 1), size).flip(0)


def resize_image(image: UInt8[Tensor, "c _ _"], size: tuple[int, int]) -> UInt8[Tensor, "c h w"]:
    """The image at `size` (h, w), by antialiased bicubic interpolation."""
    if image.shape[-2:] == size:
        return image
    return functional.interpolate(
        image[None], size, mode="bicubic", align_corners=False, antialias=True
    )[0]


def read_picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """A picture in RGB at its own size, turned as its camera noted.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read.
    """
    data = np.fromfile(path, np.uint8)
    stored = decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        raise _unreadable(path)
    return np.ascontiguousarray(turned_upright(stored, orientation_in(data))[..., ::-1], np.uint8)


def write_picture(path: Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a picture in RGB, in the format that the suffix names.

    Raises:
        OSError: it cannot be written.
    """
    # OpenCV itself takes no names beyond the system's code page, and does not say why it failed.
    done, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(picture[..., ::-1]))
    if not done:
        raise OSError(f"{path}: expected a picture that OpenCV encodes, got {picture.shape}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def decoded(data: UInt8[np.ndarray, "_"], reader: int) -> np.ndarray | None:
    """What OpenCV makes of the bytes of a file; None where it makes nothing of them."""
    try:
        return cv2.imdecode(data, reader)
    except cv2.error:  # nothing at all, or sides beyond its limits
        return None


def _shrink_while_decoding(native: tuple[int, int], size: tuple[int, int]) -> int:
    for shrink in _REDUCED_READERS:
        exact = all(side % shrink == 0 for side in native)
        covers = all(old // shrink >= new for old, new in zip(native, size, strict=True))
        if exact and covers:
            return shrink
    return 1


def _both_ends(file: BinaryIO) -> tuple[bytes, bytes]:
    head = file.read(len(b"\x89PNG"))
    length = file.seek(0, 2)
    file.seek(max(length - _TAIL, 0))
    return head, file.read()


def _is_whole(head: bytes, tail: bytes) -> bool:
    for start, ending in _ENDINGS.items():
        if head.startswith(start):
            return ending in tail
    return len(tail) > 0


def _preference(path: Path) -> int:
    return IMAGE_SUFFIXES.index(path.suffix.lower())


def _unreadable(path: Path) -> ValueError:
    return ValueError(
        f"{path}: expected a whole image, got a file that is damaged, cut short or no image; "
        "copy it again or remove it"
    )
