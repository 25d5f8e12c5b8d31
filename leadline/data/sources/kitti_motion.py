"""How a KITTI drive moved: timestamps, oxts speeds and poses -> seconds, metres, motions."""

import math
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float64

_FORWARD, _UP = 8, 10
"""Places of vf, vl, vu (forward, leftward, upward speed in m/s) among the values of oxts."""
_POSE_NUMBERS = 12


class DriveMotion:
    """The motion of one camera of one drive; frames are the line numbers of its text files.

    Time is the camera's own (`image_0x/timestamps.txt`), else that of oxts. The two differ by up to
    5 ms per frame, because oxts takes a sample every 10 ms: at 9 m/s, 10 % of the way
    from one frame to the next. Motion measured in the photographs follows the camera's clock.
    """

    def __init__(self, drive: Path, camera_folder: str) -> None:
        self._drive = drive
        self._camera = drive / camera_folder
        self._speeds: dict[int, float] = {}

    def seconds(self, first: int, second: int) -> float:
        """Time of `second` minus time of `first`, NaN where unknown."""
        times = self._times
        if min(first, second) < 0 or max(first, second) >= len(times):
            return math.nan
        return float((times[second] - times[first]) / np.timedelta64(1, "s"))

    def distance(self, first: int, second: int) -> float:
        """Metres between two frames: speed x time by the trapezoid rule over all frames
        between, NaN where one of them is unknown.
        """
        frames = range(min(first, second), max(first, second) + 1)
        return sum(
            (self._speed(a) + self._speed(b)) / 2 * self.seconds(a, b) for a, b in pairwise(frames)
        )

    def first_to_second(self, first: int, second: int) -> Float64[np.ndarray, "4 4"] | None:
        """The camera's motion by `poses.txt` (camera to first, 3x4 per line), None if unknown.

        Raises:
            ValueError: a line of the file has not 12 numbers.
        """
        if max(first, second) >= len(self._poses):
            return None
        motion: Float64[np.ndarray, "4 4"] = np.linalg.inv(self._poses[second]) @ self._poses[first]
        return motion

    def _speed(self, frame: int) -> float:
        if frame not in self._speeds:
            self._speeds[frame] = _read_speed(self._drive / "oxts" / "data" / f"{frame:010d}.txt")
        return self._speeds[frame]

    @cached_property
    def _times(self) -> np.ndarray:
        for folder in (self._camera, self._drive / "oxts"):
            if (folder / "timestamps.txt").is_file():
                return _read_times(folder / "timestamps.txt")
        return np.array([], "datetime64[ns]")

    @cached_property
    def _poses(self) -> Float64[np.ndarray, "_ 4 4"]:
        path = self._camera / "poses.txt"
        if not path.is_file():
            return np.zeros((0, 4, 4))
        lines = [[float(word) for word in line.split()] for line in path.read_text().splitlines()]
        rows = [line for line in lines if line]
        if any(len(row) != _POSE_NUMBERS for row in rows):
            raise ValueError(f"{path}: expected {_POSE_NUMBERS} numbers per line, a 3x4 pose each")
        poses = np.tile(np.eye(4), (len(rows), 1, 1))
        poses[:, :3] = np.array(rows).reshape(-1, 3, 4)
        return poses


def _read_times(path: Path) -> np.ndarray:
    def read(line: str) -> np.datetime64:
        try:
            return np.datetime64(line.strip(), "ns")
        except ValueError:
            return np.datetime64("NaT")

    return np.array([read(line) for line in path.read_text().splitlines()], "datetime64[ns]")


def _read_speed(path: Path) -> float:
    """Length of the velocity (vf, vl, vu) in m/s; NaN where the packet is absent or cut short."""
    try:
        values = [float(word) for word in path.read_text().split()]
    except (FileNotFoundError, ValueError):
        return math.nan
    velocity = values[_FORWARD : _UP + 1]
    return math.hypot(*velocity) if len(velocity) == 3 else math.nan
