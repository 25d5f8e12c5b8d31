"""Exposure should not change without need: the prior of learnt photometric calibration."""

import torch

from leadline.losses.term import Need, Term
from leadline.types import LossValue, Scene


class BrightnessPrior(Term):
    """Mean over sources of (a - 1)^2 + b^2 [d3vo], for a I + b exposed as the target.

    Without it a gain below 1 and an offset would make every wrong warp cheaper.
    """

    needs = frozenset[Need]({"brightness"})

    def forward(self, scene: Scene) -> LossValue:
        brightness, batch = scene.predictions.brightness, scene.batch
        if brightness is None:
            raise ValueError("the predictor says nothing of brightness; see `Objective.check`")
        change = torch.stack([brightness[offset] for offset in batch.sources], dim=1)
        gain, added = change.unbind(-1)
        available = torch.stack([batch.available[offset] for offset in batch.sources], dim=1)
        prior = ((gain - 1).square() + added.square()).where(available, 0.0)
        return LossValue(prior.sum()[None], available.sum()[None].to(prior.dtype))
