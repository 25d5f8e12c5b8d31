"""What data and networks supply to the terms of an objective."""

from collections.abc import Sequence

from torch import nn

from leadline.data.module import DepthData
from leadline.data.ways import Ways
from leadline.losses.term import Need
from leadline.offset import STEREO, TARGET, Offset


def supplied_by_data(data: DepthData, ways: Ways | None = None) -> frozenset[Need]:
    """What a term may look at because the data set has it; `ways`, where a term asks for them."""
    found: set[Need] = set()
    if any(offset != TARGET for offset in data.offsets) and data.needs.camera:
        found |= {"predicted", "identity"}
    if data.needs.hints is not None and STEREO in data.offsets:
        found |= {"hint", "proxy"}
        if data.needs.hint_confidence:
            found.add("confidence")
    if ways is not None and ways.give_metres:
        found.add("distance")
    if data.knows_motion([offset for offset in data.offsets if offset != TARGET]):
        found.add("true_poses")
    if data.needs.depth:
        found.add("depth")
    return frozenset(found)


def supplied_by_predictor(predictor: nn.Module, offsets: Sequence[Offset]) -> frozenset[Need]:
    """What a term may look at because the predictor says that it makes it, of frames at these
    offsets.
    """
    makes: frozenset[Need] = frozenset(getattr(predictor, "makes", ()))
    return makes if STEREO in offsets else makes - {"partner"}
