"""The feature-metric residual: how far the features at which points land are from their own."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leadline.geometry.landing import Landing, land
from leadline.geometry.warp import sample

_ROUNDING = 1e-2
"""Pixels by which a point may miss the outermost centres and still be read."""


class Residual(NamedTuple):
    """Differences of features, and how the source's features change where they were taken.

    Both are 0 where a point is not valid: behind the source, or beyond the outermost centres of its
    map, where there is nothing to read between.
    """

    values: Float[Tensor, "b c p"]
    gradient: Float[Tensor, "b c 2 p"]
    """Of the source's features, by u and v."""
    landing: Landing
    valid: Bool[Tensor, "b p"]


def with_gradient(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
    """Three maps one after the other in the channels: the features, their central differences in u,
    and in v; at the border, where the picture is mirrored, the latter are 0.
    """
    wide = functional.pad(features, (1, 1, 0, 0), mode="reflect")
    tall = functional.pad(features, (0, 0, 1, 1), mode="reflect")
    by_u = (wide[..., 2:] - wide[..., :-2]) / 2
    by_v = (tall[..., 2:, :] - tall[..., :-2, :]) / 2
    return torch.cat([features, by_u, by_v], dim=1)


def feature_residual(
    features: Float[Tensor, "b c p"],
    source: Float[Tensor, "b k h w"],
    ranges: Float[Tensor, "b p"],
    rays: Float[Tensor, "b 3 p"],
    target_to_source: Float[Tensor, "b 4 4"],
    source_intrinsics: Float[Tensor, "b 3 3"],
    available: Bool[Tensor, "b"] | None = None,
) -> Residual:
    """r = F_t(p) - F_s(pi(R D ray + t)) of any points p of the target [ba-net].

    `source` is the source's map as `with_gradient` makes it, `source_intrinsics` are in its pixels.
    No point is valid in a source that is not available.
    """
    landing = land(ranges, rays, target_to_source, source_intrinsics)
    found = sample(source, landing.pixels[:, :, None])[:, :, 0]
    there, by_u, by_v = found.chunk(3, dim=1)
    size = (source.shape[-2], source.shape[-1])
    valid = landing.in_front & _between_centres(landing.pixels, size)
    if available is not None:
        valid = valid & available[:, None]
    return Residual(
        values=(features - there).where(valid[:, None], 0.0),
        gradient=torch.stack([by_u, by_v], dim=2).where(valid[:, None, None], 0.0),
        landing=landing,
        valid=valid,
    )


def _between_centres(pixels: Float[Tensor, "b 2 p"], size: tuple[int, int]) -> Bool[Tensor, "b p"]:
    """A coarse map's outermost centres may lie far within the picture, or on its border."""
    height, width = size
    u, v = pixels.unbind(1)
    across = (u >= -_ROUNDING) & (u <= width - 1 + _ROUNDING)
    return across & (v >= -_ROUNDING) & (v <= height - 1 + _ROUNDING)


def mean_absolute(residual: Residual, sources: int) -> Float[Tensor, "b c"]:
    """Mean of |r| of each channel over the valid points of all sources of a sample.

    A sample's sources stand one after the other on the first axis of the residual; 0 where no point
    is valid.
    """
    sums = residual.values.abs().sum(-1).unflatten(0, (-1, sources)).sum(1)
    count = residual.valid.sum(-1).unflatten(0, (-1, sources)).sum(1)
    mean: Tensor = sums / count.clamp(min=1)[:, None]
    return mean
