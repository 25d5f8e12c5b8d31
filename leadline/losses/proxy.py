"""Proxy supervision: depth from stereo matching as a teacher that is right only sometimes."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.geometry.depth import to_full_size
from leadline.losses.explanations import Reduction, contest
from leadline.losses.residuals import RESIDUALS, Residual
from leadline.losses.term import BELIEVED, SUPPLIERS, Need, Term
from leadline.types import Batch, Errors, LossValue, Scene


class ProxySupervision(Term):
    """Residual of the predicted depth against the hint, where the hint is to be believed
    [depth-hints].

    Per scale: the sum of residual(d, h) over the believed pixels, divided by their number; d and h
    in network units, both at full size. Together with `Reprojection` it makes the styles of the
    paper:

    - `believe: hint_wins` beside reprojection is *soft* supervision, the paper's own: the hint
      counts where it explains the target better than the prediction (and than the unmoved source);
    - `believe: everywhere` beside reprojection is *sum*, alone it is *hard* supervision;
    - `everywhere` with `uncertainty` is *hard with uncertainty*: residual * exp(-u) + u.

    With `weighting: confidence`, ours, believed pixels count as much as their hints are to be
    trusted: sum c residual(d, h) / sum c, with the confidence c in [0, 1] of the batch. Divided by
    the sum of weights, so that confidence says which hints teach, and neither how much hints teach
    beside the other terms nor on which scale a matcher measures it; one of 0 neither teaches nor
    counts.

    Departure: the exact form of the uncertain variant is not published; this is the Laplace form
    of [sfm-from-sfm] with a predicted log-scale u.
    """

    def __init__(
        self,
        believe: Literal["hint_wins", "everywhere"] = "hint_wins",
        residual: Residual = "log_l1",
        automask: bool = True,
        reduction: Reduction = "min",
        uncertainty: bool = False,
        weighting: Literal["none", "confidence"] = "none",
    ) -> None:
        super().__init__()
        self.believe = believe
        self.residual: Residual = residual
        self.automask = automask
        self.reduction: Reduction = reduction
        self.uncertainty = uncertainty
        self.weighting = weighting

    def needed(self) -> frozenset[Need]:
        wanted: set[Need] = {"proxy"}
        if self.believe == "hint_wins":
            wanted |= {"hint", "predicted", "identity"} if self.automask else {"hint", "predicted"}
        if self.uncertainty:
            wanted.add("uncertainty")
        if self.weighting == "confidence":
            wanted.add("confidence")
        return frozenset(wanted)

    def forward(self, scene: Scene) -> LossValue:
        errors, unit = scene.errors, scene.batch.unit
        if scene.batch.hint is None or errors.hint_valid is None:
            raise ValueError("the batch has no hints; see `Objective.check`")
        hint = scene.batch.hint / unit
        weight = self._weight(scene.batch)
        usable = errors.hint_valid if weight is None else errors.hint_valid & (weight > 0)
        sums, counts, maps = [], [], {}
        for scale, depth in errors.depth.items():
            believed = self._believed(errors, scale, usable)
            residual = RESIDUALS[self.residual](depth / unit, hint, usable)
            if self.uncertainty:
                u = _full_size_uncertainty(scene, scale)
                residual = residual * (-u).exp() + u
            residual = residual.where(believed, 0.0)
            counted: Tensor = believed
            if weight is not None:
                residual, counted = residual * weight, weight.where(believed, 0.0)
            sums.append(residual.sum())
            counts.append(counted.sum())
            maps[f"{BELIEVED}_{scale}"] = counted
        return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype), maps)

    def _weight(self, batch: Batch) -> Float[Tensor, "b 1 h w"] | None:
        """How much each pixel counts; None: all that are believed count alike."""
        if self.weighting == "none":
            return None
        if batch.hint_confidence is None:
            raise ValueError(
                "the objective weights hints by confidence, but the batch has none: "
                + SUPPLIERS["confidence"]
            )
        return batch.hint_confidence.detach()

    def _believed(
        self, errors: Errors, scale: int, usable: Bool[Tensor, "b 1 h w"]
    ) -> Bool[Tensor, "b 1 h w"]:
        if self.believe == "everywhere":
            return usable
        best = contest(errors, scale, self.reduction, identity=self.automask, hint=True)
        return best.hint_wins & usable


def _full_size_uncertainty(scene: Scene, scale: int) -> Float[Tensor, "b 1 h w"]:
    uncertainty = scene.predictions.uncertainty
    if uncertainty is None:
        raise ValueError("the depth network makes no uncertainty; see `Objective.check`")
    return to_full_size(uncertainty[scale].float(), scale, scene.batch.size)
