"""Pictures of one hint: the hint in colours, and how well it explains its image."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32, UInt8

from leadline.colour import DepthScale, colour_depth, colour_photometric_error
from leadline.data.depth_files import read_disparity
from leadline.hints.fuse import SIXTEENTHS, fuse
from leadline.hints.pair import HintJob, load_pair
from leadline.hints.view import in_mirror


@dataclass(frozen=True)
class HintPictures:
    """The image of a view, its hint (bright = near, grey = missing), and the hint's error."""

    image: UInt8[np.ndarray, "h w 3"]
    hint: UInt8[np.ndarray, "h w 3"]
    error: UInt8[np.ndarray, "h w 3"]

    @classmethod
    def of(cls, job: HintJob, view: PurePosixPath, folder: Path) -> "HintPictures":
        """Draw `view`, the left or the right hint of a job, from its files.

        Raises:
            FileNotFoundError, ValueError: an image or the hint is not there, or damaged.
        """
        disparity = read_disparity(folder / view)
        height, width = disparity.shape
        left, right = load_pair(job.left, job.right, (height, width))
        if view == job.left_hint:
            return cls(left, _hint_picture(disparity), _error_picture(left, right, disparity))
        # Fusing knows left targets only: see leadline/hints/fuse.py.
        mirrored = (in_mirror(each) for each in (right, left, disparity))
        error = _error_picture(*mirrored)
        return cls(right, _hint_picture(disparity), in_mirror(error))


def _hint_picture(disparity: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    present = disparity > 0
    # Without a camera there are no metres; 1 / disparity is depth in units of focal x baseline.
    depth = np.divide(1, disparity, out=np.zeros_like(disparity), where=present)
    return colour_depth(depth, DepthScale.spanning(depth) if present.any() else None)


def _error_picture(
    target: UInt8[np.ndarray, "h w 3"],
    source: UInt8[np.ndarray, "h w 3"],
    hint: Float32[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w 3"]:
    sixteenths = np.rint(hint * SIXTEENTHS).astype(np.int16)
    fused = fuse(target, source, sixteenths[None])
    return colour_photometric_error(fused.error, fused.choice >= 0)
