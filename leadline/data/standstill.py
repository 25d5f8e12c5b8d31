"""Frames at which the camera stood still: by the way travelled where a source knows it, else by the
images.

Between two such frames every depth explains the picture, and one at infinity does so best.
"""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import UInt8
from rich.progress import track

from leadline.data.image_tensors import load_image
from leadline.data.odometry import least_way, usual_way
from leadline.data.sources.base import FrameId, Source
from leadline.files import atomic_path, file_state
from leadline.offset import TARGET, Offset

Static = Literal["keep", "skip"]
"""What becomes of such frames."""
STATIC = "the camera stood still"
"""Why they are skipped."""
DOUBTED_SHARE, DOUBTED_WAY = 0.3, 0.5
"""Of the usual way, and metres: on so short a way the images are asked too, because a GPS wanders
while its vehicle stands."""
WIDTH = 320
"""Pixels to which images are shrunk before they are compared."""
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
PAIRS_PER_JOB = 100
DECIMALS = 3
RECORD = "image_motion.json"
MEASURE = "lucas-kanade-median-1"
"""Name of what `image_motion` does; another name makes older records stale."""

Pair = tuple[FrameId, FrameId]
"""Two frames of one camera in the order of time."""
Entry = dict[str, Any]
"""What a record says of a pair: `files`, the states of both, and `moved`, None where unknown."""


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
    motions = _image_motions(source, asked, cache, workers)
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
    for offset in offsets:
        other = source.neighbour(frame, offset) if _is_in_time(offset) else None
        if other is not None:
            yield (other, frame) if offset.time < 0 else (frame, other)


def _is_in_time(offset: Offset) -> bool:
    return offset.time != 0 and offset.camera == 0


def _image_motions(
    source: Source, pairs: Sequence[Pair], cache: Path | None, workers: int
) -> dict[Pair, float]:
    """`image_motion` of each pair that tells it, by the record in `cache` or measured now."""
    if not pairs:
        return {}
    entries = _read_record(cache)
    files = {pair: [list(file_state(source.image_path(f))) for f in pair] for pair in pairs}
    missing = [pair for pair in pairs if entries.get(_name(pair), {}).get("files") != files[pair]]
    for pair, moved in _measured(source, missing, workers):
        known = None if math.isnan(moved) else round(moved, DECIMALS)
        entries[_name(pair)] = {"files": files[pair], "moved": known}
    if cache is not None and missing:
        _write_record(cache, entries)
    found = {pair: entries[_name(pair)]["moved"] for pair in pairs}
    return {pair: moved for pair, moved in found.items() if moved is not None}


def _measured(source: Source, pairs: Sequence[Pair], workers: int) -> Iterator[tuple[Pair, float]]:
    def job(some: Sequence[Pair]) -> list[tuple[Pair, float]]:
        # Each picture is the second of one pair and the first of the next.
        grey = lru_cache(maxsize=4)(lambda frame: _grey(source, frame))
        return [(pair, _motion_of(grey(pair[0]), grey(pair[1]))) for pair in some]

    jobs = [
        tuple(group)[start : start + PAIRS_PER_JOB]
        for group in _by_camera(pairs)
        for start in range(0, len(group), PAIRS_PER_JOB)
    ]
    # Threads are enough: decoding and following leave Python to the others while they work.
    with ThreadPoolExecutor(workers) as pool:
        try:
            done = pool.map(job, jobs)
            watched = sys.stdout.isatty()
            for results in track(done, "looking for standstill", len(jobs), disable=not watched):
                yield from results
        finally:
            pool.shutdown(cancel_futures=True)


def _by_camera(pairs: Sequence[Pair]) -> list[list[Pair]]:
    def camera(pair: Pair) -> tuple[str, int]:
        return pair[0].sequence, pair[0].camera

    return [list(group) for _, group in groupby(sorted(pairs, key=camera), key=camera)]


def _grey(source: Source, frame: FrameId) -> UInt8[np.ndarray, "h w"] | None:
    """The picture at `WIDTH`, or None where it is damaged, which is told when it is trained on."""
    try:
        height, width = native = source.size(frame)
        shrink = min(WIDTH / width, 1)
        size = (max(round(height * shrink), 1), round(width * shrink))
        colours = load_image(source.image_path(frame), size, native)
    except (ValueError, OSError):
        return None
    return np.asarray(cv2.cvtColor(colours.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY))


def _motion_of(
    first: UInt8[np.ndarray, "_ _"] | None, second: UInt8[np.ndarray, "_ _"] | None
) -> float:
    if first is None or second is None or first.shape != second.shape:
        return math.nan
    return float(image_motion(first, second) * WIDTH / first.shape[1])


def _name(pair: Pair) -> str:
    return " > ".join(map(str, pair))


def _read_record(cache: Path | None) -> dict[str, Entry]:
    path = None if cache is None else cache / RECORD
    if path is None or not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["pairs"]) if content["measure"] == MEASURE else {}
    except (ValueError, KeyError, TypeError):  # damaged: measured anew
        return {}


def _write_record(cache: Path, entries: dict[str, Entry]) -> None:
    with atomic_path(cache / RECORD) as temporary:
        content = {"measure": MEASURE, "pairs": entries}
        temporary.write_text(json.dumps(content), encoding="utf-8")
