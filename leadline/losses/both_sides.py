"""Losses of networks that see the depth of both pictures of a pair [monodepth]."""

from dataclasses import replace

import torch

from leadline.geometry.warp import Padding, warp_by_inverse_depth
from leadline.losses.term import Need, Term
from leadline.offset import STEREO, TARGET
from leadline.synthesis.feature_errors import ALL_OF_IT
from leadline.synthesis.own_scale import batch_at_scale
from leadline.types import LossValue, Scene


class BothSides(Term):
    """A term of the target, and the same of its partner in the pair: their mean.

    Args:
        term: what is asked of both: of depth, and how well each picture explains the other.

    Raises:
        ValueError: the term looks at what is known of the target alone.
    """

    def __init__(self, term: Term) -> None:
        super().__init__()
        others = sorted(term.needed() - {"predicted", "identity"})
        if others:
            raise ValueError(
                f"BothSides: expected a term of depth and warps, got {type(term).__name__}, which "
                f"looks at {', '.join(others)}: of the partner there is none"
            )
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

    Args:
        padding: what lies beyond the border of the other map: a disparity of 0 in [monodepth].
    """

    def __init__(self, padding: Padding = "zeros") -> None:
        super().__init__()
        self.padding: Padding = padding

    def needed(self) -> frozenset[Need]:
        return frozenset({"partner", "predicted"})

    def forward(self, scene: Scene) -> LossValue:
        values = [_inconsistency(side, self.padding) for side in (scene, partner_of(scene))]
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


def _inconsistency(scene: Scene, padding: Padding) -> LossValue:
    batch = scene.batch
    other = partner_of(scene).predictions.depth[TARGET]
    available = batch.available[STEREO][:, None, None, None]
    pose = scene.predictions.poses[STEREO]
    sums, counts = [], []
    for scale, depth in scene.predictions.depth[TARGET].items():
        size = (depth.shape[-2], depth.shape[-1])
        small = batch_at_scale(batch, scale, size)
        if small.intrinsics is None:
            raise ValueError("view synthesis needs intrinsics, and this data set has none")
        cameras = small.intrinsics[TARGET], small.intrinsics[STEREO]
        seen = warp_by_inverse_depth(1 / other[scale], 1 / depth, pose, *cameras, padding)
        difference = batch.unit * (1 / depth - seen.image).abs()
        counted = available.expand_as(difference)
        if small.loss_mask is not None:
            counted = counted & small.loss_mask
        if small.in_picture:
            shown = small.in_picture[STEREO].float()
            there = warp_by_inverse_depth(shown, 1 / depth.detach(), pose, *cameras, "border")
            counted = counted & small.in_picture[TARGET] & (there.image > ALL_OF_IT)
        sums.append(difference.where(counted, 0.0).sum())
        counts.append(counted.sum())
    return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype))
