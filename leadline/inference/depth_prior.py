"""What a trained network says as a prior for one that goes on learning: where pictures tell
nothing, depth stays.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from leadline.offset import TARGET, Offset
from leadline.types import Batch

DepthByScale = Mapping[int, Float[Tensor, "b 1 _ _"]]


class DepthPrior:
    """The depth of a network as it is now, whatever becomes of it, and how far another is from it.

    L = mean over scales and pixels of |log d - log d_trained|.

    Of absolute differences the slope is the same at any distance: where pictures ask for another
    depth more than that they get it, however far it is, and elsewhere depth stays what it was. They
    ask for next to nothing, and often for what is wrong, on plain things and on what a neighbour
    sees no more or elsewhere, for it moved. A picture that was taken at the same time, the partner
    of a pair, knows of none of these but the plain: a frame that has one counts nothing here.
    """

    def __init__(self, predictor: nn.Module) -> None:
        self._trained = copy.deepcopy(predictor).eval().requires_grad_(False)

    def depth(self, batch: Batch) -> DepthByScale:
        """What the network said of the target."""
        if not getattr(self._trained, "looks_at_sources", False):
            batch = replace(batch, images=_target(batch.images), inputs=_target(batch.inputs))
        with torch.no_grad():
            depth: DepthByScale = self._trained(batch).depth[TARGET]
        return depth

    @staticmethod
    def departure(batch: Batch, depth: DepthByScale, trained: DepthByScale) -> Float[Tensor, ""]:
        """How far `depth` is from what the trained network said of the same batch."""
        counts = ~has_partner(batch)
        means = [(depth[s] / trained[s]).log().abs().mean((1, 2, 3)) for s in trained]
        return torch.stack(means).mean(0).where(counts, 0.0).mean()


def _target(images: Mapping[Offset, Tensor]) -> dict[Offset, Tensor]:
    return {TARGET: images[TARGET]}


def has_partner(batch: Batch) -> Bool[Tensor, "b"]:
    """Whether a frame has a source that was taken at the same time."""
    found = torch.zeros(len(batch), dtype=torch.bool, device=batch.device)
    for offset in batch.sources:
        if offset.time == 0:
            found = found | batch.available[offset]
    return found
