"""Photometric reprojection: the prediction should explain the target from its sources."""

from typing import Literal

import torch

from leadline.losses.explanations import Reduction, contest
from leadline.losses.term import KEPT, Need, Term
from leadline.types import LossValue, Scene


class Reprojection(Term):
    """Mean over pixels of the least (or mean) error over sources, with auto-masking [monodepth2].

    L = mean_p min(min_n pe(I_t, I_n->t), min_n pe(I_t, I_n)). Where the source as it stands
    explains the pixel better than its warp, the pixel adds a constant: it is masked without
    leaving the mean.

    Args:
        reduction: over sources, `min` or `mean`.
        automask: whether the source as it stands competes.
        average_over: `pixels` keeps masked pixels in the mean as [monodepth2] does; `kept` divides
            by the pixels that are left, as [depth-hints] does.
        hint_competes: whether a pixel which the hint explains better than the unmoved source is
            kept even where the prediction does not (yet) [depth-hints].
    """

    def __init__(
        self,
        reduction: Reduction = "min",
        automask: bool = True,
        average_over: Literal["pixels", "kept"] = "pixels",
        hint_competes: bool = False,
    ) -> None:
        super().__init__()
        self.reduction: Reduction = reduction
        self.automask = automask
        self.average_over: Literal["pixels", "kept"] = average_over
        self.hint_competes = hint_competes

    def needed(self) -> frozenset[Need]:
        extra: set[Need] = set()
        if self.automask:
            extra.add("identity")
        if self.hint_competes:
            extra.add("hint")
        return frozenset({"predicted", *extra})

    def without(self, lacking: frozenset[Need]) -> Term | None:
        """Without hints, the same contest with one competitor less."""
        if lacking == {"hint"}:
            return Reprojection(self.reduction, self.automask, self.average_over)
        return super().without(lacking)

    def forward(self, scene: Scene) -> LossValue:
        sums, counts, maps = [], [], {}
        for scale in scene.errors.depth:
            result = contest(
                scene.errors,
                scale,
                self.reduction,
                identity=self.automask,
                hint=self.hint_competes,
            )
            error, valid = result.predicted
            kept = valid & ~result.identity_wins
            if self.average_over == "kept":
                sums.append(error.where(kept, 0.0).sum())
                counts.append(kept.sum())
            else:
                floor = error if result.identity is None else result.identity.error
                sums.append(torch.where(kept, error, floor.detach()).where(valid, 0.0).sum())
                counts.append(valid.sum())
            maps[f"{KEPT}_{scale}"] = kept
        return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype), maps)
