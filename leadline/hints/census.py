"""The census transform: each pixel by which of its neighbours are darker than itself [census].

Two transforms differ in as many bits as neighbours changed order, whatever the exposure and gain of
either camera.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import UInt8, UInt32

from leadline.jit import compiled

RADII = (3, 4)
"""Rows and columns on either side of a pixel: every other pixel of these 7 x 9 counts."""
BITS = 30
"""Neighbours compared: as on a chess board, those of the centre's colour."""


def census(image: UInt8[np.ndarray, "h w"]) -> UInt32[np.ndarray, "h w"]:
    """The transform of a grey image; beyond the border stand the pixels of the border.

    Departure: [census] compares the whole window. Every other neighbour tells as much about a
    disparity (benchmarks/hints.md) and fits into half the bits.
    """
    rows, columns = RADII
    out = np.zeros(image.shape, np.uint32)
    _census(np.pad(image, ((rows, rows), (columns, columns)), mode="edge"), rows, columns, out)
    return out


@compiled
@no_type_check
def _census(padded, rows, columns, out):
    height, width = out.shape
    for y in range(height):
        code, centre = out[y], padded[y + rows, columns : columns + width]
        for dy in range(-rows, rows + 1):
            for dx in range(-columns, columns + 1):
                if (dy + dx) % 2 == 0 and (dy != 0 or dx != 0):
                    other = padded[y + rows + dy, columns + dx : columns + dx + width]
                    for x in range(width):
                        code[x] = (code[x] << np.uint32(1)) | np.uint32(other[x] < centre[x])
