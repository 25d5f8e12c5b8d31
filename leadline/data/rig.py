"""What the cameras of a source have in common: typical geometry, and whether motion is known."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from leadline.data.sources.base import FrameId, Source
from leadline.offset import Offset

NETWORK_BASELINE = 0.1
"""The baseline in network units, for which the papers' constants are made [monodepth2]."""


class RigSummary(NamedTuple):
    """Medians over all images of a source; None where it has no camera or no pair."""

    focal: float | None
    """Horizontal focal length as a share of the image's width."""
    baseline: float | None
    """Metres between the two cameras."""


def rig_summary(source: Source) -> RigSummary:
    """The typical camera and baseline of a source."""
    focals: list[float] = []
    baselines: list[float] = []
    for sequence, frames in source.sequences.items():
        rig = source.rig(sequence)
        if rig is not None:
            focals += [float(rig[0].intrinsics[0, 0]) / rig[0].size[1]] * len(frames)
        baseline = source.baseline(sequence)
        if baseline is not None:
            baselines += [baseline] * len(frames)
    return RigSummary(
        statistics.median(focals) if focals else None,
        statistics.median(baselines) if baselines else None,
    )


def metres_per_unit(
    baseline: float | None, offsets: Sequence[Offset], network_baseline: float | None = None
) -> float:
    """Of a pair that `offsets` ask for baseline / `network_baseline`, else 1."""
    if baseline is None or all(offset.camera == 0 for offset in offsets):
        return 1.0
    return baseline / (network_baseline or NETWORK_BASELINE)


def check_network_baseline(
    network_baseline: float | None, offsets: Sequence[Offset], unit: float | None
) -> None:
    """Refuse one that is no length, or that nothing would look at.

    Raises:
        ValueError: says which.
    """
    if network_baseline is None:
        return
    if not network_baseline > 0:
        raise ValueError(
            f"network_baseline: expected more than 0 network units, got {network_baseline}"
        )
    if unit is not None or all(offset.camera == 0 for offset in offsets):
        why = "there is a unit" if unit is not None else "frames hold no other camera"
        raise ValueError(f"network_baseline: expected none where {why}; leave it out")


def knows_motion(source: Source, frames: Sequence[FrameId], offsets: Sequence[Offset]) -> bool:
    """Whether each sequence of `frames` knows the motion to one of `offsets`; one of its frames is
    asked.
    """
    knows: dict[str, bool] = {}
    for frame in frames:
        if frame.sequence not in knows:
            neighbours = [source.neighbour(frame, offset) for offset in offsets]
            motions = [
                source.target_to_source(frame, other) for other in neighbours if other is not None
            ]
            if motions:
                knows[frame.sequence] = any(motion is not None for motion in motions)
    return bool(knows) and all(knows.values())
