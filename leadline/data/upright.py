"""Photographs that lie on their side in the file: how their camera noted it, and the turning.

The library that reads pixels and the one that reads heads understand notes differently well, so
that one of them reads the note and neither turns.
"""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image

AS_STORED = 1
_TURNS: Mapping[int, tuple[bool, int, int]] = {
    AS_STORED: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}
"""By EXIF's number for it: whether rows become columns, then the steps through rows and columns."""
_TURNED_BY_DECODERS = "TIFF"


def noted_orientation(image: Image.Image) -> int:
    """EXIF's number for how an image that has been opened is stored; a sick note is none."""
    if image.format == _TURNED_BY_DECODERS:
        return AS_STORED
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, AS_STORED))
        return orientation if orientation in _TURNS else AS_STORED
    # Notes may be damaged in more ways than the picture, which is what matters.
    except Exception:
        return AS_STORED


def orientation_in(data: UInt8[np.ndarray, "_"]) -> int:
    """The same of the bytes of a file; of those that are no image, as if it were stored upright."""
    try:
        with Image.open(BytesIO(data.tobytes())) as image:
            return noted_orientation(image)
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        return AS_STORED


def upright_size(stored: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(h, w) of the upright picture."""
    height, width = stored
    transposed, _, _ = _TURNS[orientation]
    return (width, height) if transposed else (height, width)


def turned_upright(
    pixels: UInt8[np.ndarray, "_ _ 3"], orientation: int
) -> UInt8[np.ndarray, "h w 3"]:
    """The upright picture, as a view of the stored pixels."""
    transposed, rows, columns = _TURNS[orientation]
    turned = pixels.swapaxes(0, 1) if transposed else pixels
    return turned[::rows, ::columns]
