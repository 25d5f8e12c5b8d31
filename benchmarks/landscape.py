"""Loss against disparity along an epipolar line: volumes of it, and where descents on it end."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leadline.geometry.warp import warp_by_disparity
from leadline.networks.features import FeatureExtractor
from leadline.photometry.error import absolute_difference, photometric_errors

STEP = 0.25
"""Pixels between the disparities of a volume."""
NEAR = 1.0
"""Pixels within which a minimum is that of the truth."""
STARTS = (2.0, 4.0, 8.0)
"""Pixels beside the truth from which descents begin, and within which the least loss is sought, on
either side."""
SMOOTHED = 5
"""Disparities over which curves are averaged first, all alike: just over a pixel. Minima of a
quarter of a pixel are the noise's, and some losses are smoother than others by their making."""
WINDOW = 7
TEXTURELESS, TEXTURED = 0.015, 0.06
"""Standard deviation of brightness in a window of so many pixels: at most, at least."""


def photometric_volume(
    left: Float[Tensor, "1 3 h w"], right: Float[Tensor, "1 3 h w"], count: int
) -> Float[Tensor, "k h w"]:
    """The photometric error of `count` disparities, each that of a wall across the picture."""
    warps = torch.stack([_shifted(right, STEP * k) for k in range(count)])
    return photometric_errors(warps, left, absolute_form="robust_l1")[:, 0]


def half_size_volume(
    left: Float[Tensor, "1 3 h w"], right: Float[Tensor, "1 3 h w"], count: int
) -> Float[Tensor, "k h w"]:
    """The photometric error of pictures of half the size, enlarged: as smooth as that of features
    at half the size is by its making.
    """
    small = [functional.avg_pool2d(image, 2) for image in (left, right)]
    warps = torch.stack([_shifted(small[1], STEP * k / 2) for k in range(count)])
    costs = photometric_errors(warps, small[0], absolute_form="robust_l1")
    size = (left.shape[-2], left.shape[-1])
    return functional.interpolate(costs, size, mode="bilinear", align_corners=False)[:, 0]


def feature_volume(
    left: Float[Tensor, "1 3 h w"],
    right: Float[Tensor, "1 3 h w"],
    count: int,
    extractor: FeatureExtractor,
) -> Float[Tensor, "k h w"]:
    """The same of features, brought to the size of the picture."""
    target, source = extractor.extract(torch.cat([left, right])).chunk(2)
    costs = [
        absolute_difference(
            _shifted(source, STEP * k / extractor.grid.stride), target, "robust_l1"
        ).mean(1, keepdim=True)
        for k in range(count)
    ]
    # A map that stands on every second pixel, the first on the first, is no map of areas.
    size = [(side - 1) * extractor.grid.stride + 1 for side in target.shape[-2:]]
    whole = functional.interpolate(torch.cat(costs), size, mode="bilinear", align_corners=True)
    missing = [side - have for side, have in zip(left.shape[-2:], size, strict=True)]
    return functional.pad(whole, (0, missing[1], 0, missing[0]), mode="replicate")[:, 0]


def _shifted(source: Float[Tensor, "1 c h w"], disparity: float) -> Float[Tensor, "1 c h w"]:
    return warp_by_disparity(source, torch.full_like(source[:, :1], disparity)).image


def contrast(image: Float[Tensor, "1 3 h w"]) -> Float[np.ndarray, "h w"]:
    """Standard deviation of brightness about each pixel."""
    grey, pad = image.mean(1, keepdim=True), WINDOW // 2
    mean, square = (
        functional.avg_pool2d(functional.pad(values, [pad] * 4, mode="reflect"), WINDOW, stride=1)
        for values in (grey, grey.square())
    )
    return (square - mean.square()).clamp(min=0).sqrt()[0, 0].numpy()


@dataclass(frozen=True)
class Descents:
    """Of pixels: where the way down ends from beside the truth, and how broad the basin is."""

    nearest: Bool[np.ndarray, "p"]
    """Whether the minimum nearest to the truth is within a pixel of it."""
    least_near: dict[float, Bool[np.ndarray, "p"]]
    """By distance: whether the least loss within it of the truth is within a pixel of it."""
    arrives: dict[float, Float[np.ndarray, "p"]]
    """By distance of the start: of both sides, the share that ends within a pixel of the truth."""
    width: Float[np.ndarray, "p"]
    """Pixels of disparity, about the truth, from all of which the way down ends there."""
    least: Bool[np.ndarray, "p"]
    """Whether the least loss of all disparities is within a pixel of the truth."""


def descents(curves: Float[np.ndarray, "p k"], truth: Float[np.ndarray, "p"]) -> Descents:
    """Of loss curves over disparities 0, 0.25, 0.5, ..., averaged over a pixel: from each point
    steps go to the lower neighbour until there is none.
    """
    curves = _averaged(curves)
    ends = _ends(curves) * STEP
    count = curves.shape[1]
    at = np.clip(np.rint(truth / STEP).astype(int), 0, count - 1)
    right = np.abs(ends - truth[:, None]) <= NEAR
    pixels = np.arange(len(curves))
    arrives, least_near = {}, {}
    beside = np.abs(np.arange(count) * STEP - truth[:, None])
    for start in STARTS:
        found = np.where(beside <= start, curves, np.inf).argmin(1) * STEP
        least_near[start] = np.abs(found - truth) <= NEAR
        offset = round(start / STEP)
        sides = [np.clip(at + sign * offset, 0, count - 1) for sign in (-1, 1)]
        arrives[start] = np.mean([right[pixels, side] for side in sides], axis=0)
    return Descents(
        nearest=_nearest_minimum(curves, truth),
        least_near=least_near,
        arrives=arrives,
        width=_width(right, at) * STEP,
        least=np.abs(curves.argmin(1) * STEP - truth) <= NEAR,
    )


def _averaged(curves: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
    pad = SMOOTHED // 2
    wide = np.pad(curves, ((0, 0), (pad, pad)), mode="edge")
    sums = np.cumsum(np.pad(wide, ((0, 0), (1, 0))), axis=1)
    return (sums[:, SMOOTHED:] - sums[:, :-SMOOTHED]) / SMOOTHED


def _ends(curves: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
    """The index at which the way down from each index ends."""
    count = curves.shape[1]
    index = np.arange(count)
    before = np.concatenate([np.full((len(curves), 1), np.inf), curves[:, :-1]], axis=1)
    after = np.concatenate([curves[:, 1:], np.full((len(curves), 1), np.inf)], axis=1)
    step = np.where((before < curves) & (before <= after), -1, np.where(after < curves, 1, 0))
    target = index + step
    # Each round goes twice as far.
    for _ in range(int(np.ceil(np.log2(count))) + 1):
        target = np.take_along_axis(target, target, axis=1)
    return target.astype(float)


def _nearest_minimum(
    curves: Float[np.ndarray, "p k"], truth: Float[np.ndarray, "p"]
) -> Bool[np.ndarray, "p"]:
    ends = _ends(curves)
    disparities = np.arange(curves.shape[1]) * STEP
    # A plateau is no minimum: something must rise on either side of what is one.
    before = np.pad(curves, ((0, 0), (1, 0)), constant_values=np.inf)[:, :-1]
    after = np.pad(curves, ((0, 0), (0, 1)), constant_values=np.inf)[:, 1:]
    is_minimum = (ends == np.arange(curves.shape[1])) & ((before > curves) | (after > curves))
    far = np.where(is_minimum, np.abs(disparities - truth[:, None]), np.inf)
    return far.min(1) <= NEAR


def _width(right: Bool[np.ndarray, "p k"], at: Float[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
    """How many indices about `at`, without a gap, are right; 0 where `at` itself is not."""
    count = right.shape[1]
    index = np.arange(count)
    wrong_before = np.where(~right & (index <= at[:, None]), index, -1).max(1)
    wrong_after = np.where(~right & (index >= at[:, None]), index, count).min(1)
    return np.where(wrong_before == at, 0, wrong_after - wrong_before - 1)
