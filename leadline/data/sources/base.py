"""What every source of images can be asked: frames, neighbours, cameras, truth."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from leadline.data.image_files import image_size
from leadline.offset import Offset

SIDES = ("l", "r")
"""Cameras of a rig as split files spell them, in the order of the rig's table."""
WantedTruth = Literal["any", "eigen", "improved"]
"""Truth as the classic Eigen protocol has it, KITTI's accumulated maps, or whatever there is."""
FORWARD_SWEEPS = "LiDAR sweeps, distance forward of the scanner"
ACCUMULATED_MAPS = "KITTI's accumulated LiDAR maps"
"""What `Source.truth_kind` says of truth that is just what is wanted."""


@dataclass(frozen=True, order=True, slots=True)
class FrameId:
    """One image: a sequence, the frame's number in it, and a camera (0 left or only, 1 right).

    >>> FrameId.parse("2011_09_26/2011_09_26_drive_0001_sync 5 r")
    FrameId(sequence='2011_09_26/2011_09_26_drive_0001_sync', index=5, camera=1)
    """

    sequence: str
    index: int
    camera: int = 0

    @classmethod
    def parse(cls, text: str) -> "FrameId":
        """Read `sequence frame l|r`, the line of a split file; without a side it is the left.

        Raises:
            ValueError: the text has another form.
        """
        found = re.fullmatch(r"\s*(.+?)\s+(\d+)(?:\s+([lr]))?\s*", text)
        if found is None:
            raise ValueError(f"expected 'date/drive frame l|r', got {text.strip()!r}")
        return cls(found[1], int(found[2]), SIDES.index(found[3] or "l"))

    def __str__(self) -> str:
        return f"{self.sequence} {self.index} {SIDES[self.camera]}"


@dataclass(frozen=True, eq=False, slots=True)
class RigCamera:
    """A pinhole camera of a rig: intrinsics in pixels of its native `size` (h, w), pose in
    metres.
    """

    intrinsics: Float64[np.ndarray, "3 3"]
    size: tuple[int, int]
    rig_to_camera: Float64[np.ndarray, "4 4"]


class Source(ABC):
    """Where a data set keeps its images, cameras and truth. Nothing is resized here.

    A source answers None or NaN for what it does not have; `remarks` says why.
    """

    root: Path
    """The folder that was named."""
    no_neighbour = "no frame"
    """What is said of a frame that has none at an offset,"""
    no_source = "no source at all"
    """and at any of them."""
    temporal_poses = False
    """Whether recorded motion between moments is known, and none is to be predicted; without it
    recorded poses only tell distances and turns."""
    frame_step = 1
    """Numbers from one selected frame to the next: what one step of `Offset.time` counts."""

    def __init__(self, frames: Iterable[FrameId]) -> None:
        self._frames = tuple(sorted(frames))
        self._known = frozenset(self._frames)
        self._sequences = {
            name: tuple(group) for name, group in groupby(self._frames, key=lambda f: f.sequence)
        }
        self._sizes: dict[FrameId, tuple[int, int]] = {}

    @property
    def frames(self) -> tuple[FrameId, ...]:
        """Every image, ordered by sequence, number and camera."""
        return self._frames

    @property
    def sequences(self) -> Mapping[str, tuple[FrameId, ...]]:
        """The images of each sequence."""
        return self._sequences

    @property
    def splits(self) -> Mapping[str, tuple[FrameId, ...]]:
        """Lists of frames that come with the data set, by name: `train`, `val`; none by default."""
        return {}

    def __contains__(self, frame: FrameId) -> bool:
        return frame in self._known

    def neighbour(self, frame: FrameId, offset: Offset) -> FrameId | None:
        """The frame at `offset` from `frame`, or None where there is no such image."""
        cameras = [frame.camera, *(c for c in range(len(SIDES)) if c != frame.camera)]
        if offset.camera >= len(cameras):
            return None
        index = frame.index + offset.time * self.frame_step
        found = replace(frame, index=index, camera=cameras[offset.camera])
        return found if found in self._known else None

    @abstractmethod
    def image_path(self, frame: FrameId) -> Path:
        """The file of a frame."""

    @abstractmethod
    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        """The cameras of a sequence, left first, or None without calibration."""

    @abstractmethod
    def hint_path(self, frame: FrameId) -> PurePosixPath:
        """Where the hint of a frame lies within a folder of hints."""

    def remarks(self) -> tuple[str, ...]:
        """What is missing by nature of the data, one line each, with names and counts."""
        return ()

    def size(self, frame: FrameId) -> tuple[int, int]:
        """Native (h, w) of a frame's image, from the head of its file.

        Raises:
            ValueError: the file is no image, or was cut short.
        """
        if frame not in self._sizes:
            self._sizes[frame] = image_size(self.image_path(frame))
        return self._sizes[frame]

    def camera(self, frame: FrameId) -> RigCamera | None:
        """The camera that took a frame, or None without calibration."""
        rig = self.rig(frame.sequence)
        return rig[frame.camera] if rig is not None and frame.camera < len(rig) else None

    def target_to_source(
        self, target: FrameId, source: FrameId
    ) -> Float64[np.ndarray, "4 4"] | None:
        """The known motion between two frames in metres, or None where nothing tells it."""
        if (target.sequence, target.index) != (source.sequence, source.index):
            return self.recorded_motion(target, source) if self.temporal_poses else None
        from_camera, to_camera = self.camera(target), self.camera(source)
        if from_camera is None or to_camera is None:
            return None
        return to_camera.rig_to_camera @ np.linalg.inv(from_camera.rig_to_camera)

    def turn(self, target: FrameId, source: FrameId) -> Float64[np.ndarray, "3 3"] | None:
        """R of X_source = R X_target + t between two moments, as a gyroscope would tell it, or None
        where nothing does; known also where `target_to_source` is to be predicted.
        """
        motion = self.recorded_motion(target, source)
        return None if motion is None else motion[:3, :3]

    def recorded_motion(
        self, target: FrameId, source: FrameId
    ) -> Float64[np.ndarray, "4 4"] | None:
        """target_to_source between two moments in metres, by poses that were recorded with the
        images, or None where there are none.
        """
        return None

    def baseline(self, sequence: str) -> float | None:
        """Metres between the two cameras along x, or None where there is no calibrated pair."""
        rig = self.rig(sequence)
        if rig is None or len(rig) < 2:
            return None
        left_to_right = rig[1].rig_to_camera @ np.linalg.inv(rig[0].rig_to_camera)
        return abs(float(left_to_right[0, 3]))

    def has_depth(self, frame: FrameId, wanted: WantedTruth = "any") -> bool:
        """Whether `true_depth` will find something."""
        return self.truth_kind(frame, wanted) is not None

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        """What `true_depth` will read, as a report may print it; None where there is nothing.

        Where `eigen` is wanted and there are no sweeps it is another truth; `improved` is
        `ACCUMULATED_MAPS` or nothing.
        """
        return None

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        """Measured depth in metres at native size, 0 = none; None where nothing was measured."""
        return None

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        """The files that `true_depth` will read."""
        return ()

    def distance(self, target: FrameId, source: FrameId) -> float:
        """Metres travelled between two frames (speed x time, never negative), NaN where
        unknown.
        """
        return math.nan

    def seconds(self, target: FrameId, source: FrameId) -> float:
        """Time of `source` minus time of `target`, NaN where unknown."""
        return math.nan
