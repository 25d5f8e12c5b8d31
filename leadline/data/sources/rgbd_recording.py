"""A sequence of an RGB-D camera whatever its layout: images, depth images, times, poses."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from leadline.data.sources.posed import Pose

MOST_SKEW = 0.01
"""Largest entry of R^T R - 1 up to which a matrix is a rotation that was rounded or fused."""


@dataclass(frozen=True, eq=False, slots=True)
class Poses:
    """camera_to_world of the frames whose pose is known, metres, and why others have none."""

    known: Mapping[int, Pose]
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By reason, where each of them stands."""


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """What lies in one folder, by the number of the frame."""

    folder: Path
    images: Mapping[int, Path]
    depths: Mapping[int, Path]
    """PNG files; a frame may have none."""
    divide: float
    """Steps a metre of the depth images."""
    read_poses: Callable[[], Poses]
    poses_of_depth: bool
    """Whether poses are the depth camera's, where it is not the colour camera."""
    times: Mapping[int, float] = field(default_factory=dict)
    """Seconds, where the layout tells them."""
    lost: tuple[Path, ...] = ()
    """Images that a list names and the disk does not have."""


def usual_step(recordings: Iterable[Recording]) -> int:
    """The difference of frame numbers that is found most often from one image to the next: 10 of
    a sequence of which every tenth frame was kept; the least of several, and 1 of none.
    """
    steps = [
        after - before
        for recording in recordings
        for before, after in pairwise(sorted(recording.images))
    ]
    if not steps:
        return 1
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])


def checked_pose(numbers: Iterable[float]) -> Pose:
    """A rigid motion from the 16 numbers of a 4x4 matrix; its rotation, which rounding and fusion
    leave a little askew, made exact.

    Raises:
        ValueError: a few words: it is none.
    """
    values = np.array(list(numbers), np.float64)
    if values.size != 16:
        raise ValueError("not 4x4")
    if not np.isfinite(values).all():
        raise ValueError("NaN or infinite")
    pose = values.reshape(4, 4)
    rotation = pose[:3, :3]
    askew = np.abs(rotation.T @ rotation - np.eye(3)).max() > MOST_SKEW
    if askew or np.linalg.det(rotation) < 0 or not np.allclose(pose[3], (0, 0, 0, 1)):
        raise ValueError("no rigid motion")
    left, _, right = np.linalg.svd(rotation)
    pose[:3, :3] = left @ right
    return pose
