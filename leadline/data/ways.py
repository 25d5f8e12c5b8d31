"""How far frames say it is to their neighbours in time: known, moving, and possible."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leadline.data.odometry import FASTEST, least_way
from leadline.data.sources.base import FrameId, Source
from leadline.offset import Offset

ENOUGH = 0.5
"""Share of the frames that must know their way: fewer would make metres of a few motions."""
LEAST_MOVING = 0.1
"""Share of the known ways on which the camera moves: one of a thousand is a stuck sensor."""


@dataclass(frozen=True)
class Ways:
    """Of the frames to train on: what is known of the way to their neighbours in time."""

    frames: int
    known: int
    """Frames that know the way to a neighbour."""
    metres: tuple[float, ...]
    """Every way that is known."""
    fastest: tuple[float, FrameId, FrameId] | None
    """The most metres a second, between which frames; None where no times are known."""

    @cached_property
    def at_rest(self) -> int:
        """How many of the known ways are those of a camera that stands."""
        return int((np.array(self.metres) <= least_way(self.metres)).sum())

    @property
    def give_metres(self) -> bool:
        """Whether most frames know their way, and the camera moves by what they know."""
        moving = len(self.metres) - self.at_rest
        return self.known >= ENOUGH * self.frames and moving > LEAST_MOVING * len(self.metres)

    def check(self) -> None:
        """Refuse ways that no vehicle goes.

        Raises:
            ValueError: names the frames.
        """
        if self.fastest is not None and self.fastest[0] > FASTEST:
            speed, first, second = self.fastest
            raise ValueError(
                f"expected the ways of a vehicle in metres, got {speed:.0f} m/s from {first} to "
                f"{second}; correct the poses or speeds there, or leave the frames out of the split"
            )

    def __str__(self) -> str:
        median = float(np.median(self.metres)) if self.metres else 0.0
        parts = [
            f"way to a neighbour in time: known to {self.known} of {self.frames} frames, "
            f"{median:.2f} m in the median"
        ]
        if self.fastest is not None:
            parts.append(f"at most {self.fastest[0]:.1f} m/s ({3.6 * self.fastest[0]:.0f} km/h)")
        if self.at_rest:
            count = f"{self.at_rest} of {len(self.metres)}"
            parts.append(f"{count} at rest (`data.static: skip` leaves these out)")
        return ", ".join(parts)


def ways_to_neighbours(
    source: Source, frames: Sequence[FrameId], offsets: Sequence[Offset]
) -> Ways:
    """What `frames` know of the ways to their neighbours at `offsets`."""
    known, metres = 0, []
    fastest: tuple[float, FrameId, FrameId] | None = None
    for frame in frames:
        found = False
        for offset in offsets:
            other = source.neighbour(frame, offset)
            way = math.nan if other is None else source.distance(frame, other)
            if other is None or math.isnan(way):
                continue
            found = True
            metres.append(way)
            seconds = abs(source.seconds(frame, other))
            if seconds > 0 and (fastest is None or way / seconds > fastest[0]):
                fastest = (way / seconds, frame, other)
        known += found
    return Ways(len(frames), known, tuple(metres), fastest)
