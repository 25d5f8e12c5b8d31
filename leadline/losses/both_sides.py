"""Losses of networks that see the depth of both pictures of a pair [monodepth]."""

from dataclasses import replace

import torch

from leadline.geometry.warp import warp_by_inverse_depth
from leadline.losses.term import Need, Term
from leadline.offset import STEREO, TARGET
from leadline.synthesis.own_scale import batch_at_scale
from leadline.types import LossValue, Scene


class BothSides(Term):
    """A term of the target, and the same of its partner in the pair: their mean.

    Args:
        term: what is asked of both.
    """

    def __init__(self, term: Term) -> None:
        super().__init__()
        self.term = term

    def needed(self) -> frozenset[Need]:
        return self.term.needed() | {"partner"}

    def tells_metres(self) -> bool:
        return self.term.tells_metres()

    def without(self, lacking: frozenset[Need]) -> Term | None:
        """Without a partner, the term of the target alone."""
        left = self.term.without(lacking - {"partner"}) if lacking - {"partner"} else self.term
        return left if left is None or "partner" in lacking else BothSides(left)

    def forward(self, scene: Scene) -> LossValue:
        one, other = self.term(scene), self.term(partner_of(scene))
        return LossValue(
            torch.cat([one.sum, other.sum]), torch.cat([one.count, other.count]), one.maps
        )

    def extra_repr(self) -> str:
        return f"{type(self.term).__name__}({self.term.extra_repr()})"


class LeftRightConsistency(Term):
    """mean |d_t - d_p(p)| over scales and both sides: the disparity of each picture should be that
    of the other where the pixel is seen there [monodepth].

    Disparities are shares of the width, which in a rectified pair are inverse depth in network
    units; each map is warped to the other by what the other says, at its own size.
    """

    def needed(self) -> frozenset[Need]:
        return frozenset({"partner", "predicted"})

    def forward(self, scene: Scene) -> LossValue:
        values = [_inconsistency(scene), _inconsistency(partner_of(scene))]
        return LossValue(
            torch.cat([value.sum for value in values]), torch.cat([value.count for value in values])
        )


def partner_of(scene: Scene) -> Scene:
    """The scene from the other side.

    Raises:
        ValueError: it was not made.
    """
    if scene.partner is None:
        raise ValueError("the scene of the partner was not asked for; see `scene_of`")
    return replace(scene.partner, partner=replace(scene, partner=None))


def _inconsistency(scene: Scene) -> LossValue:
    batch = scene.batch
    other = partner_of(scene).predictions.depth[TARGET]
    available = batch.available[STEREO][:, None, None, None]
    sums, counts = [], []
    for scale, depth in scene.predictions.depth[TARGET].items():
        size = (depth.shape[-2], depth.shape[-1])
        small = batch_at_scale(batch, scale, size)
        if small.intrinsics is None:
            raise ValueError("view synthesis needs intrinsics, and this data set has none")
        seen = warp_by_inverse_depth(
            1 / other[scale],
            1 / depth,
            scene.predictions.poses[STEREO],
            small.intrinsics[TARGET],
            small.intrinsics[STEREO],
        )
        difference = batch.unit * (1 / depth - seen.image).abs()
        sums.append(difference.where(available, 0.0).sum())
        counts.append(available.expand_as(difference).sum())
    return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype))
