"""Edge-aware smoothness: depth may break where the picture does."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.depth import to_scale
from leadline.losses.term import Term
from leadline.offset import TARGET
from leadline.types import LossValue, Scene

MEAN_FLOOR = 1e-7
"""Keeps the normalisation finite [monodepth2]."""


def edge_aware_smoothness(
    inverse_depth: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, "b"]:
    """mean |dx d*| exp(-mean_c |dx I|) + mean |dy d*| exp(-mean_c |dy I|) per sample [monodepth2].

    d* = d / mean(d): without the division the loss would be least for a scene infinitely far away.
    """
    normalised = inverse_depth / (inverse_depth.mean((2, 3), keepdim=True) + MEAN_FLOOR)
    along_x = normalised.diff(dim=3).abs() * (-image.diff(dim=3).abs().mean(1, keepdim=True)).exp()
    along_y = normalised.diff(dim=2).abs() * (-image.diff(dim=2).abs().mean(1, keepdim=True)).exp()
    return along_x.mean((1, 2, 3)) + along_y.mean((1, 2, 3))


class Smoothness(Term):
    """Edge-aware smoothness of each scale at its own size, divided by 2^scale [monodepth2].

    With `at` full every scale is smoothed at the size of the images, to which the explainer has
    brought it [packnet].

    Departure: the smoothed quantity is inverse depth; the released code takes the sigmoid before
    its affine map to inverse depth, which differs by a constant 1 / maximum. The image is shrunk
    by area averaging on the device instead of a Lanczos pyramid made by the loader.
    """

    def __init__(self, at: Literal["own", "full"] = "own") -> None:
        super().__init__()
        self.at = at

    def forward(self, scene: Scene) -> LossValue:
        image = scene.batch.images[TARGET]
        sums = []
        for scale, depth in scene.predictions.depth[TARGET].items():
            if self.at == "full":
                full = edge_aware_smoothness(1 / scene.errors.depth[scale], image)
                sums.append(full.sum() / 2**scale)
                continue
            small = to_scale(image, scale, (depth.shape[-2], depth.shape[-1]))
            sums.append(edge_aware_smoothness(1 / depth, small).sum() / 2**scale)
        counts = sums[0].new_full((len(sums),), float(len(scene.batch)))
        return LossValue(torch.stack(sums), counts)
