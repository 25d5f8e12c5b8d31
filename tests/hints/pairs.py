"""Small stereo pairs on disk: a textured plane at one disparity."""

from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from leadline.hints.match import MatcherSetting
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob

SHIFT = 6
SIZE = (32, 128)
METHOD = HintMethod("valid", (MatcherSetting(1, 16), MatcherSetting(3, 32)), size=SIZE)


def write_pair(folder: Path, number: int) -> HintJob:
    """Images of the size of `METHOD`, and a job for both views."""
    noise = np.random.default_rng(number).integers(0, 255, (SIZE[0], SIZE[1] + SHIFT, 3))
    texture = cv2.GaussianBlur(noise.astype(np.uint8), (5, 5), 0)
    job = pair(folder, number)
    for path, picture in ((job.left, texture[:, :-SHIFT]), (job.right, texture[:, SHIFT:])):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
    return job


def pair(folder: Path, number: int) -> HintJob:
    """The job of a pair that is there."""
    left, right = (PurePosixPath(side, f"{number:03d}.png") for side in ("left", "right"))
    return HintJob(folder / left, folder / right, left, right)
