"""Sources that know where their cameras stood in the world."""

import math
from abc import abstractmethod

import numpy as np
from jaxtyping import Float64

from leadline.data.sources.base import FrameId, Source

Pose = Float64[np.ndarray, "4 4"]


class PosedSource(Source):
    """A source of which poses tell motion and distance between moments."""

    @abstractmethod
    def camera_to_world(self, frame: FrameId) -> Pose | None:
        """Where the camera of a frame stood, or None where nothing tells it."""

    def recorded_motion(self, target: FrameId, source: FrameId) -> Pose | None:
        poses = self._both(target, source)
        if poses is None:
            return None
        target_to_world, source_to_world = poses
        motion: Pose = np.linalg.inv(source_to_world) @ target_to_world
        return motion

    def distance(self, target: FrameId, source: FrameId) -> float:
        """Metres between the two places of the camera, NaN where a pose is unknown."""
        poses = self._both(target, source)
        if poses is None:
            return math.nan
        return float(np.linalg.norm(poses[0][:3, 3] - poses[1][:3, 3]))

    def _both(self, first: FrameId, second: FrameId) -> tuple[Pose, Pose] | None:
        if first.sequence != second.sequence:
            return None
        one, other = self.camera_to_world(first), self.camera_to_world(second)
        return None if one is None or other is None else (one, other)
