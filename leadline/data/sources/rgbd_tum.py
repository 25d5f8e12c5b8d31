"""RGB-D sequences as the TUM RGB-D benchmark shares them: lists of times, files and poses."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from leadline.data.sources.quaternion import quaternion_to_matrix
from leadline.data.sources.rgbd_recording import Poses, Recording, checked_pose

TUM_LIST = "rgb.txt"
TUM_DIVIDE = 5000
"""Steps a metre of a depth PNG, up to 13.1 m."""
FARTHEST_APART = 0.02
"""Seconds between a picture and the depth or pose that is taken for its own."""
_DEPTHS, _POSES = "depth.txt", "groundtruth.txt"
_POSE_LINE = "timestamp tx ty tz qx qy qz qw"


def tum_recording(folder: Path) -> Recording:
    """What `rgb.txt`, `depth.txt` and `groundtruth.txt` tell; the latter two may be missing.

    Frames are numbered from 0 in the order of `rgb.txt`; each has the depth and the pose nearest to
    it in time, if they are no more than `FARTHEST_APART` away.

    Raises:
        ValueError: one line: a list is damaged.
    """
    times, images = _listed(folder / TUM_LIST)
    if not images:
        raise ValueError(f"{folder / TUM_LIST}: expected lines 'timestamp file', found none")
    depth_times, depths = _listed(folder / _DEPTHS)
    nearest = nearest_in_time(times, depth_times)
    there = [number for number, path in enumerate(images) if path.is_file()]
    return Recording(
        folder,
        {number: images[number] for number in there},
        {
            number: depths[nearest[number]]
            for number in there
            if nearest[number] >= 0 and depths[nearest[number]].is_file()
        },
        divide=TUM_DIVIDE,
        read_poses=partial(_poses_in_time, folder, times, *_ground_truth(folder / _POSES)),
        poses_of_depth=False,
        times={number: float(times[number]) for number in there},
        lost=tuple(path for path in images if not path.is_file()),
    )


def _listed(path: Path) -> tuple[Float64[np.ndarray, "n"], list[Path]]:
    """Times and files of a list; nothing where there is no list.

    Raises:
        ValueError: names the line that is of another form.
    """
    times, files = [], []
    for number, words in _lines(path):
        try:
            time, name = words
            times.append(_finite(time))
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: expected 'timestamp file', got {' '.join(words)!r}; "
                "correct or remove the line"
            ) from None
        files.append(path.parent / name)
    order = np.argsort(times, kind="stable")
    return np.array(times, np.float64)[order], [files[place] for place in order]


def _ground_truth(path: Path) -> tuple[Float64[np.ndarray, "n"], list[Sequence[float]]]:
    """Times of the poses, and of each the seven other numbers of its line, in order of time."""
    rows = []
    for number, words in _lines(path):
        try:
            row = [float(word) for word in words]
            _finite(words[0])
        except ValueError:
            row = []
        if len(row) != len(_POSE_LINE.split()):
            raise ValueError(
                f"{path}, line {number}: expected '{_POSE_LINE}', got {' '.join(words)!r}; "
                "correct or remove the line"
            )
        rows.append(row)
    rows.sort(key=lambda row: row[0])
    return np.array([row[0] for row in rows], np.float64), [row[1:] for row in rows]


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    if path.is_file():
        for number, line in enumerate(_text(path).splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield number, line.replace(",", " ").split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected text, got something else; copy it again") from None


def _finite(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(word)
    return value


def _poses_in_time(
    folder: Path,
    times: Float64[np.ndarray, "n"],
    pose_times: Float64[np.ndarray, "k"],
    values: Sequence[Sequence[float]],
) -> Poses:
    known, unknown = {}, defaultdict(list)
    for number, entry in enumerate(nearest_in_time(times, pose_times).tolist()):
        place = f"{folder / _POSES} at {times[number]:.4f} s"
        if entry < 0:
            unknown["missing"].append(place)
            continue
        try:
            known[number] = checked_pose(_matrix(values[entry]).ravel().tolist())
        except ValueError as error:
            unknown[str(error)].append(place)
    return Poses(known, {reason: tuple(places) for reason, places in unknown.items()})


def _matrix(numbers: Sequence[float]) -> Float64[np.ndarray, "4 4"]:
    """camera_to_world from tx ty tz qx qy qz qw.

    Raises:
        ValueError: a few words: it is none.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = quaternion_to_matrix(*numbers[3:])
    matrix[:3, 3] = numbers[:3]
    return matrix


def nearest_in_time(
    times: Float64[np.ndarray, "n"], others: Float64[np.ndarray, "k"]
) -> Int64[np.ndarray, "n"]:
    """Of each time the place of the nearest of `others`, which rise; -1 where none is within
    `FARTHEST_APART`.
    """
    if not len(others):
        return np.full(len(times), -1, np.int64)
    after = np.searchsorted(others, times).clip(max=len(others) - 1)
    before = (after - 1).clip(min=0)
    nearer = np.abs(others[before] - times) <= np.abs(others[after] - times)
    nearest = np.where(nearer, before, after)
    reached = np.abs(others[nearest] - times) <= FARTHEST_APART
    return np.where(reached, nearest, -1).astype(np.int64)
