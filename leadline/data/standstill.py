"""Frames at which the camera stood still: by the way travelled where a source knows it, else by the
images.

Between two such frames every depth explains the picture, and one at infinity does so best.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

from leadline.data.odometry import least_way, usual_way
from leadline.data.pair_measures import WIDTH, Pair, PairMeasure, measured_pairs, pair_at
from leadline.data.sources.base import FrameId, Source
from leadline.offset import TARGET, Offset

Static = Literal["keep", "skip"]
"""What becomes of such frames."""
STATIC = "the camera stood still"
"""Why they are skipped."""
DOUBTED_SHARE, DOUBTED_WAY = 0.3, 0.5
"""Of the usual way, and metres: on so short a way the images are asked too, because a GPS wanders
while its vehicle stands."""
STILL = 0.2
"""Pixels of `WIDTH`. Standing synthetic drives have 0.03 and less, those that creep at 12 cm from
frame to frame 0.5, KITTI at 9 m/s has 3 to 5."""
MOST_POINTS, FEWEST_POINTS = 400, 20
QUALITY, SPACING = 0.01, 5.0
"""Of the corners that are followed: how weak, as a share of the best one, and how near together.
Apart, so that the corners of one car do not speak for the whole picture."""
WINDOW, LEVELS = (15, 15), 3
LEAST_CONTRAST = 1.0
"""Grey levels; below it a picture is black."""
DECIMALS = 3
RECORD = "image_motion.json"


def check_static(static: Static, offsets: Sequence[Offset]) -> None:
    """Refuse to skip static frames where no two frames of a sample can tell them.

    Raises:
        ValueError: there is no neighbour in time at `offsets`.
    """
    if static == "skip" and not any(_is_in_time(offset) for offset in offsets):
        raise ValueError(
            "static: 'skip' expects neighbours in time among the frames, such as [0, -1, 1], got "
            f"[{', '.join('0' if o == TARGET else str(o) for o in offsets)}]; leave it at 'keep'"
        )


def standing_frames(
    source: Source,
    frames: Iterable[FrameId],
    offsets: Sequence[Offset],
    cache: Path | None = None,
    workers: int = 1,
) -> dict[FrameId, str]:
    """Those of `frames` at which the camera stood, each with the measure that tells so.

    It stood where it did not move between the frame and one of its neighbours in time at `offsets`:
    that one explains the whole picture at any depth, and wins every minimum over sources. It did
    not move where the way travelled is known and no more than `least_way`, nor where that is short
    or unknown and `image_motion`, in pixels of `WIDTH`, is below `STILL`.
    What has been measured in images is kept in the folder `cache` and measured again when their
    files change; `workers` threads share the work. A frame of which nothing is known is not among
    them.
    """
    pairs = {frame: list(_pairs(source, frame, offsets)) for frame in frames}
    ways = {pair: source.distance(*pair) for each in pairs.values() for pair in each}
    known = [way for way in ways.values() if way >= 0]
    least = least_way(known)
    short = max(DOUBTED_WAY, DOUBTED_SHARE * usual_way(known))
    asked = sorted(pair for pair, way in ways.items() if not (way <= least or way > short))
    motions = measured_pairs(source, asked, _IMAGE_MOTION, cache, workers)
    told = {pair: f"{way:.3f} m" for pair, way in ways.items() if way <= least} | {
        pair: f"{moved:.2f} px of {WIDTH}" for pair, moved in motions.items() if moved < STILL
    }
    standing: dict[FrameId, str] = {}
    for frame, each in pairs.items():
        still = next((pair for pair in each if pair in told), None)
        if still is not None:
            first, second = still
            standing[frame] = f"{told[still]} from frame {first.index} to {second.index}"
    return standing


def image_motion(first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]) -> float:
    """Pixels by which the middle one of all corners moved from one grey picture to another, NaN
    where there are too few corners to tell.

    The median, because what moves before a camera that stands is less than half of the picture, as
    is what stands before one that moves, such as the sky or a car that drives ahead. A corner that
    is lost counts as far away.
    """
    corners = cv2.goodFeaturesToTrack(first, MOST_POINTS, QUALITY, SPACING)
    if corners is None or len(corners) < FEWEST_POINTS:
        return math.nan
    exposed = _exposed_like(first, second)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        first, exposed, corners, np.empty_like(corners), winSize=WINDOW, maxLevel=LEVELS
    )
    moved = np.linalg.norm((found - corners)[:, 0], axis=1)
    width = float(first.shape[1])
    return float(np.median(np.where(status[:, 0] == 1, np.minimum(moved, width), width)))


def _exposed_like(
    first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w"]:
    """The second picture with mean and contrast of the first: exposure is no motion."""
    gain = float(first.std()) / max(float(second.std()), LEAST_CONTRAST)
    changed = (second.astype(np.float32) - second.mean()) * gain + first.mean()
    return np.asarray(np.clip(np.rint(changed), 0, 255), np.uint8)


def _pairs(source: Source, frame: FrameId, offsets: Sequence[Offset]) -> Iterator[Pair]:
    pairs = (pair_at(source, frame, offset) for offset in offsets if _is_in_time(offset))
    yield from (pair for pair in pairs if pair is not None)


def _is_in_time(offset: Offset) -> bool:
    return offset.time != 0 and offset.camera == 0


def _told_motion(
    _: Pair, first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]
) -> float | None:
    moved = image_motion(first, second) * WIDTH / first.shape[1]
    return None if math.isnan(moved) else round(moved, DECIMALS)


_IMAGE_MOTION = PairMeasure(
    name="lucas-kanade-median-2",
    record=RECORD,
    title="looking for standstill",
    look=lambda grey: grey,
    compare=_told_motion,
)
