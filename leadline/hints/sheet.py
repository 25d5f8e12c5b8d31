"""A contact sheet of hints: a few left images, their hints in colour, and how well they explain."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from leadline.colour import (
    PHOTOMETRIC_LIMIT,
    DepthScale,
    colour_depth,
    colour_photometric_error,
    montage,
)
from leadline.data.depth_files import read_disparity
from leadline.files import atomic_path
from leadline.hints.fuse import SIXTEENTHS, fuse
from leadline.hints.pair import HintJob, load_pair

SHEET_NAME = "contact_sheet.png"
_WIDTH = 512


def write_sheet(jobs: Sequence[HintJob], folder: Path) -> Path:
    """Write `contact_sheet.png` into the folder of hints: a row for each job's left hint.

    Raises:
        ValueError: no job has a left hint, or a file is damaged.
    """
    pictures, captions = [], []
    for job in jobs:
        if job.left_hint is not None:
            hint = read_disparity(folder / job.left_hint)
            height, width = hint.shape
            left, right = load_pair(job.left, job.right, (height, width))
            pictures += [left, _hint_picture(hint), _error_picture(left, right, hint)]
            captions += [
                f"{job.left_hint}",
                f"hint, bright = near; {np.mean(hint > 0):.0%} of pixels",
                f"photometric error, black 0, bright {PHOTOMETRIC_LIMIT} and more",
            ]
    sheet = montage(pictures, captions, columns=3, width=_WIDTH)
    path = folder / SHEET_NAME
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    return path


def _hint_picture(disparity: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    present = disparity > 0
    # Without a camera there are no metres; 1 / disparity is depth in units of focal x baseline.
    depth = np.divide(1, disparity, out=np.zeros_like(disparity), where=present)
    return colour_depth(depth, DepthScale.spanning(depth) if present.any() else None)


def _error_picture(
    left: UInt8[np.ndarray, "h w 3"],
    right: UInt8[np.ndarray, "h w 3"],
    hint: Float32[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w 3"]:
    sixteenths = np.rint(hint * SIXTEENTHS).astype(np.int16)
    fused = fuse(left, right, sixteenths[None])
    return colour_photometric_error(fused.error, fused.choice >= 0)
