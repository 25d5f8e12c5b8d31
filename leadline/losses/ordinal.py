"""Depth as ordered classes [dorn]."""

import torch
from torch.nn import functional

from leadline.geometry.depth import to_full_size
from leadline.losses.term import Need, Term
from leadline.losses.true_depth import measured_pixels, true_depth
from leadline.types import LossValue, Scene


class OrdinalLikelihood(Term):
    """Mean over measured pixels of the negative log-likelihood of all answers [dorn].

    Of K answers whether depth is at least t_1, ..., t_K those of the l thresholds that the true
    depth has passed should be yes and the others no: -(sum_{k <= l} log P_k + sum_{k > l} log(1 -
    P_k)). A class that is off by many thresholds costs more than its neighbour.
    """

    needs = frozenset[Need]({"depth", "ordinal"})
    gives_scale = True

    def forward(self, scene: Scene) -> LossValue:
        ordinal, truth = scene.predictions.ordinal, true_depth(scene)
        if ordinal is None:
            raise ValueError("the predictor gives no ordinal answers; see `Objective.check`")
        measured = measured_pixels(scene, truth)
        passed = truth >= ordinal.thresholds[:, 1:, None, None]
        sums = []
        for scale, logits in ordinal.logits.items():
            said = to_full_size(logits.float(), scale, scene.batch.size)
            wrong = functional.binary_cross_entropy_with_logits(
                said, passed.to(said.dtype), reduction="none"
            )
            sums.append(wrong.sum(1, keepdim=True).where(measured, 0.0).sum())
        return LossValue(torch.stack(sums), measured.sum().to(truth.dtype).expand(len(sums)))
