"""The predictive mask: the network says itself which pixels its warp can explain [sfmlearner]."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leadline.geometry.depth import to_full_size
from leadline.losses.explanations import Reduction, of_each_source, over_sources
from leadline.losses.term import Term
from leadline.types import LossValue, Scene


class MaskedReprojection(Term):
    """Photometric error of each source times its predicted mask, then reduced [monodepth2].

    L = mean_p reduce_n E_n pe(I_t, I_n->t) with E = sigmoid(logits), brought to the size at which
    errors are judged. Without `ExplainabilityPrior` beside it, E = 0 everywhere would be the best
    answer.
    """

    needs = frozenset({"predicted", "explainability"})

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.reduction: Reduction = reduction

    def forward(self, scene: Scene) -> LossValue:
        if scene.errors.predicted is None:
            raise ValueError("the predicted warps were not asked for")
        sums, counts, maps = [], [], {}
        masks = _explainability(scene)
        for scale in masks.keys() & scene.errors.predicted.keys():
            predicted, mask = scene.errors.predicted[scale], masks[scale].sigmoid()
            if mask.shape[-2:] != predicted.shape[-2:]:
                mask = to_full_size(mask, scale, scene.batch.size)
            masked = mask * predicted
            error, valid = over_sources(masked, scene.errors.warps_valid(scale), self.reduction)
            sums.append(error.where(valid, 0.0).sum())
            counts.append(valid.sum())
            maps[f"explainability_{scale}"] = mask.detach()
        return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype), maps)


class ExplainabilityPrior(Term):
    """Cross-entropy of the mask against 1 everywhere: doubt must be worth its price
    [sfmlearner].

    Taken at each map's own size, where the network decides; a source that is absent has no mask.
    """

    needs = frozenset({"explainability"})

    def forward(self, scene: Scene) -> LossValue:
        batch = scene.batch
        available = torch.stack([batch.available[source] for source in batch.sources], dim=1)
        sums, counts = [], []
        for logits in _explainability(scene).values():
            counted = available[..., None, None].expand_as(logits)
            sums.append(functional.softplus(-logits).where(counted, 0.0).sum())
            counts.append(counted.sum())
        return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype))


def _explainability(scene: Scene) -> dict[int, Float[Tensor, "b n h w"]]:
    logits = scene.predictions.explainability
    if logits is None:
        raise ValueError("the depth network makes no explainability; see `Objective.check`")
    return of_each_source(
        logits,
        scene,
        "explainability",
        "change `frames:` or the network (`explained_sources` of a depth network; an "
        "ExplainingPose sees frames in time)",
    )
