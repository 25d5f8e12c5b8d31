"""What data and networks supply to losses, and what the data knows of its rig."""

import statistics
from dataclasses import dataclass

from torch import nn

from leadline.data.module import DepthData
from leadline.losses.term import Need
from leadline.types import STEREO, TARGET


def supplied_by_data(data: DepthData) -> frozenset[Need]:
    """What a term may look at because the data set has it."""
    found: set[Need] = set()
    if any(offset != TARGET for offset in data.offsets) and data.needs.camera:
        found |= {"predicted", "identity"}
    if data.needs.hints is not None and STEREO in data.offsets:
        found.add("hint")
    if data.needs.depth:
        found.add("depth")
    return frozenset(found)


def supplied_by_predictor(predictor: nn.Module) -> frozenset[Need]:
    """What a term may look at because the predictor says that it makes it."""
    return frozenset(getattr(predictor, "makes", ()))


def is_metric(data: DepthData) -> bool:
    """Whether what gives the scale, another calibrated camera, is among the sources."""
    return STEREO in data.offsets and rig_summary(data).baseline is not None


@dataclass(frozen=True)
class RigSummary:
    """The usual camera of a data set."""

    focal: float | None
    """Focal length as a share of the image's width, the median over sequences."""
    baseline: float | None
    """Metres, the median over sequences."""


def rig_summary(data: DepthData) -> RigSummary:
    """What a prediction must know of the cameras that a network was trained on."""
    rigs = [data.source.rig(name) for name in data.source.sequences]
    baselines = [data.source.baseline(name) for name in data.source.sequences]
    focals = [float(rig[0].intrinsics[0, 0]) / rig[0].size[1] for rig in rigs if rig]
    known = [baseline for baseline in baselines if baseline is not None]
    return RigSummary(
        focal=statistics.median(focals) if focals else None,
        baseline=statistics.median(known) if known else None,
    )
