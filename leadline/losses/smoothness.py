"""Edge-aware smoothness: depth may break where the picture does."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.depth import to_scale
from leadline.losses.roughness import edge_weighted_curvature, edge_weighted_slope
from leadline.losses.term import Term
from leadline.offset import TARGET
from leadline.types import LossValue, Scene

MEAN_FLOOR = 1e-7
"""Keeps the normalisation finite [monodepth2]."""


def edge_aware_smoothness(
    inverse_depth: Float[Tensor, "b 1 h w"],
    image: Float[Tensor, "b 3 h w"],
    *,
    first_order: bool = True,
    second_order: bool = False,
    sharpness: float = 1.0,
    normalise: bool = True,
    horizontal_only: bool = False,
) -> Float[Tensor, "b"]:
    """mean |dx d*| exp(-a mean_c |dx I|) + mean |dy d*| exp(-a mean_c |dy I|) per sample
    [monodepth2], with a = `sharpness`; with `second_order` plus the same of second differences
    [featdepth], or without `first_order` these alone [sfmlearner].

    d* = d / mean(d): without the division the loss would be least for a scene infinitely far away.
    """
    if normalise:
        inverse_depth = inverse_depth / (inverse_depth.mean((2, 3), keepdim=True) + MEAN_FLOOR)
    roughness = inverse_depth.new_zeros(len(inverse_depth))
    if first_order:
        roughness = roughness + edge_weighted_slope(
            inverse_depth, image, sharpness, horizontal_only
        )
    if second_order:
        roughness = roughness + edge_weighted_curvature(inverse_depth, image, sharpness)
    return roughness


class Smoothness(Term):
    """Edge-aware smoothness of each scale at its own size, divided by 2^scale [monodepth2].

    Args:
        at: `full` smooths every scale at the size of the images, to which the explainer has brought
            it [packnet].
        second_order: also penalises second differences [featdepth].
        sharpness: how fast an edge of the picture forgives one of depth: 1 [monodepth2], 0.5
            [featdepth], not at all with 0 [sfmlearner].
        normalise: divides inverse depth by its mean; [featdepth] leaves that out where a stereo
            pair gives the scale, and [sfmlearner] altogether. In network units then.
        first_order: penalises first differences.
        horizontal_only: of these only those along rows, as the released code of [monodepth] does,
            though its paper has both.

    Raises:
        ValueError: differences of neither order are penalised.

    Departure: the smoothed quantity is inverse depth; the released code takes the sigmoid before
    its affine map to inverse depth, which differs by a constant 1 / maximum. The image is shrunk
    by area averaging on the device instead of a Lanczos pyramid made by the loader.
    """

    def __init__(
        self,
        at: Literal["own", "full"] = "own",
        second_order: bool = False,
        sharpness: float = 1.0,
        normalise: bool = True,
        first_order: bool = True,
        horizontal_only: bool = False,
    ) -> None:
        super().__init__()
        if not (first_order or second_order):
            raise ValueError("smoothness: expected first_order or second_order, got neither")
        self.at = at
        self.first_order = first_order
        self.horizontal_only = horizontal_only
        self.second_order = second_order
        self.sharpness = sharpness
        self.normalise = normalise

    def forward(self, scene: Scene) -> LossValue:
        image = scene.batch.images[TARGET]
        sums = []
        for scale, depth in scene.predictions.depth[TARGET].items():
            if self.at == "full":
                own, guide = scene.errors.depth[scale], image
            else:
                own, guide = depth, to_scale(image, scale, (depth.shape[-2], depth.shape[-1]))
            roughness = edge_aware_smoothness(
                1 / own if self.normalise else scene.batch.unit / own,
                guide,
                first_order=self.first_order,
                second_order=self.second_order,
                sharpness=self.sharpness,
                normalise=self.normalise,
                horizontal_only=self.horizontal_only,
            )
            sums.append(roughness.sum() / 2**scale)
        counts = sums[0].new_full((len(sums),), float(len(scene.batch)))
        return LossValue(torch.stack(sums), counts)
