"""The file format of confidence: how far each pixel of a hint is to be trusted.

Beside the hint `FOLDER/PATH.png` lies `FOLDER/confidence/PATH.png`, 8-bit grey PNG of the hint's
size: value / 255 is the confidence, and 0 says that there is no hint, or one that was filled in
from its neighbours rather than matched.
"""

from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from leadline.data.png_files import read_png, write_png

CONFIDENCE_FOLDER = "confidence"
"""Within a folder of hints."""
CERTAIN = 255
"""A confidence of 1, as it is stored."""
LEVEL_STEP = 51
"""From one of the six levels that are written to the next: what is between them is noise of the
matching, and would make up most of the file."""


def confidence_path(hints: Path, hint: PurePosixPath) -> Path:
    """The file of confidence of a hint within a folder of hints."""
    return hints / CONFIDENCE_FOLDER / hint


def absent_confidence(path: Path) -> str:
    """What to say of a file of confidence that is not there."""
    return (
        f"{path}: expected the confidence of a hint, found none; `leadline hints` writes it beside "
        "the hints that it makes (`--overwrite` makes them anew)"
    )


def write_confidence(path: Path, confidence: UInt8[np.ndarray, "h w"]) -> None:
    """Write confidence in 255ths, at the nearest of six levels; what is above 0 stays so.

    Written before its hint, it is there wherever the hint is, whatever interrupts the writer.
    """
    levels = (confidence.astype(np.uint16) + LEVEL_STEP // 2) // LEVEL_STEP
    levels = np.where(confidence > 0, np.maximum(levels, 1), 0)
    write_png(path, (levels * LEVEL_STEP).astype(np.uint8), {})


def read_confidence(path: Path, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """Confidence in 255ths of a hint of `size` (h, w).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, no 8-bit PNG of one channel, or of another size.
    """
    try:
        values = read_png(path)
    except FileNotFoundError:
        raise FileNotFoundError(absent_confidence(path)) from None
    if values.dtype != np.uint8 or values.ndim != 2:
        raise ValueError(
            f"{path}: expected confidence as 8-bit PNG of one channel, got {values.dtype} of shape "
            f"{values.shape}; write 255 times the confidence, or make hints by `leadline hints`"
        )
    if values.shape != size:
        raise ValueError(of_another_size(path, values.shape, size))
    return values


def of_another_size(path: Path, size: tuple[int, ...], hint: tuple[int, int]) -> str:
    """What to say of confidence that is not of its hint's size; both (h, w)."""
    return (
        f"{path}: expected {hint[1]}x{hint[0]} pixels as the hint has, got {size[1]}x{size[0]}; "
        "they are of two makings, make both anew by `leadline hints --overwrite`"
    )
