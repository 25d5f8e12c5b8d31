"""Image files: which files are images, how large they are, whether they are whole; pictures read
and written as they are.
"""

import re
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

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
TAIL = 4096
"""Bytes in which the ending is looked for: some cameras append notes of their own."""
_MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Beyond which Pillow takes a file for an attack on the memory."""


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
        if not is_whole(head, tail):
            raise unreadable(path)
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
            raise unreadable(path) from None
    return upright_size((height, width), orientation)


def read_picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """A picture in RGB at its own size, turned as its camera noted.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read.
    """
    data = np.fromfile(path, np.uint8)
    stored = decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        raise unreadable(path)
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


def _both_ends(file: BinaryIO) -> tuple[bytes, bytes]:
    head = file.read(len(b"\x89PNG"))
    length = file.seek(0, 2)
    file.seek(max(length - TAIL, 0))
    return head, file.read()


def is_whole(head: bytes, tail: bytes) -> bool:
    """Whether a file that begins and ends like this was written to its end, as far as its format
    tells.
    """
    for start, ending in _ENDINGS.items():
        if head.startswith(start):
            return ending in tail
    return len(tail) > 0


def _preference(path: Path) -> int:
    return IMAGE_SUFFIXES.index(path.suffix.lower())


def unreadable(path: Path) -> ValueError:
    """What to raise of a file that is no whole image."""
    return ValueError(
        f"{path}: expected a whole image, got a file that is damaged, cut short or no image; "
        "copy it again or remove it"
    )
