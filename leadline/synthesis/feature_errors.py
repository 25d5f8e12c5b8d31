"""How well the features of each source, warped by the predicted depth, explain those of the
target.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.geometry.grid import Grid
from leadline.geometry.warp import Padding, sample, warp_by_inverse_depth
from leadline.offset import TARGET, Offset
from leadline.photometry.error import Absolute, absolute_difference
from leadline.types import Batch, Predictions

ALL_OF_IT = 1 - 1e-5
"""From this share of pixels in the picture on a sample between pixels counts as of the picture: 1,
but for rounding. Of a share that is left its derivative would see all."""


class FeatureErrors(NamedTuple):
    """On the grid of the features, sources in the order of the batch."""

    error: Float[Tensor, "b n h w"]
    valid: Bool[Tensor, "b n h w"]


def warped_feature_errors(
    batch: Batch,
    predictions: Predictions,
    inverse_depth: Float[Tensor, "b 1 _ _"],
    valid: Bool[Tensor, "b n _ _"],
    padding: Padding,
    absolute: Absolute,
) -> FeatureErrors:
    """mean_c |F_t(p) - F_n(p')| with p' where the pixel of the image on which p is centred lands in
    the source, by `inverse_depth` at the size of the image [featdepth].

    Raises:
        ValueError: there are no features, no sources or no intrinsics.
    """
    features, sources = predictions.features, batch.sources
    if features is None or not sources or batch.intrinsics is None:
        raise ValueError(
            "the objective compares features across frames, but there is "
            + ("no source in `frames:`" if not sources else "no extractor, or no intrinsics")
        )
    target, count = features.maps[TARGET].float(), len(sources)
    grid = Grid(features.stride, features.centre)
    pixels = grid.pixels(target.shape[-2], target.shape[-1], inverse_depth)
    intrinsics = {
        offset: grid.intrinsics(batch.intrinsics[offset]) for offset in (TARGET, *sources)
    }
    inverse_there = sample(inverse_depth, pixels.expand(len(batch), -1, -1, -1))

    def warped(maps: Mapping[Offset, Tensor], padding: Padding) -> Float[Tensor, "n b c h w"]:
        warp = warp_by_inverse_depth(
            torch.cat([maps[offset].float() for offset in sources]),
            inverse_there.repeat(count, 1, 1, 1),
            torch.cat([predictions.poses[offset] for offset in sources]),
            intrinsics[TARGET].repeat(count, 1, 1),
            torch.cat([intrinsics[offset] for offset in sources]),
            padding,
        )
        images: Tensor = warp.image.unflatten(0, (count, len(batch)))
        return images

    difference = absolute_difference(warped(features.maps, padding), target, absolute)
    error = difference.mean(2).transpose(0, 1)
    valid = _at_nearest(valid, pixels)
    if batch.in_picture:
        with torch.no_grad():
            masks = {o: _at_nearest(batch.in_picture[o], pixels) for o in sources}
            seen = warped(masks, "border")[:, :, 0] > ALL_OF_IT
        valid = valid & seen.transpose(0, 1)
    return FeatureErrors(error, valid)


def _at_nearest(
    mask: Bool[Tensor, "b n _ _"], pixels: Float[Tensor, "2 h w"]
) -> Bool[Tensor, "b n h w"]:
    """A mask of the image on the grid of the features; the last of these may lie beyond it."""
    columns = pixels[0, 0].round().long().clamp(max=mask.shape[-1] - 1)
    rows = pixels[1, :, 0].round().long().clamp(max=mask.shape[-2] - 1)
    return mask[:, :, rows][..., columns]
