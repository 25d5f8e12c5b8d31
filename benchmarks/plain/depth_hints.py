"""The training loss of Depth Hints for stereo pairs, in ordinary tensor operations [depth-hints].

Per scale: upsample the sigmoid, depth, back-project to points, transform and project by 4x4
matrices, grid_sample, SSIM by five average pools; then the identity error anew, and who is best by
argmin over stacked channels. The error of the hint is computed once. No smoothness, as the recipe
says.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MINIMUM_DEPTH, MAXIMUM_DEPTH = 0.1, 100.0
SSIM_WEIGHT = 0.85
MISSING = 1000.0
"""Added to the error of a missing hint, so that it never wins."""
IDENTITY, HINT = 1, 2
"""Channels of the stacked errors; the prediction is channel 0."""


@dataclass(frozen=True)
class PlainBatch:
    """One batch of stereo pairs, lengths in units of a tenth of the baseline."""

    inputs: Tensor
    """b 3 h w: the augmented target, which the network sees."""
    target: Tensor
    source: Tensor
    """b 3 h w: clean."""
    intrinsics: Tensor
    """b 4 4."""
    inverse_intrinsics: Tensor
    target_to_source: Tensor
    """b 4 4."""
    hint: Tensor
    """b 1 h w: depth, 0 = missing."""
    noise: Tensor
    """b 1 h w: added to the identity error, 1e-5 of normal noise."""


class Backprojection:
    """Depth -> homogeneous points b 4 (h w), by rays that are laid out once."""

    def __init__(self, height: int, width: int) -> None:
        v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        self.pixels = torch.stack([u, v, torch.ones_like(u)]).float().flatten(1)
        self.ones = torch.ones(1, 1, height * width)

    def __call__(self, depth: Tensor, inverse_intrinsics: Tensor) -> Tensor:
        rays = inverse_intrinsics[:, :3, :3] @ self.pixels
        points = depth.flatten(2) * rays
        return torch.cat([points, self.ones.expand(len(depth), -1, -1)], 1)


def project(points: Tensor, intrinsics: Tensor, pose: Tensor, height: int, width: int) -> Tensor:
    """Points -> the grid b h w 2 that grid_sample wants."""
    image = (intrinsics @ pose)[:, :3] @ points
    pixels = image[:, :2] / (image[:, 2:] + 1e-7)
    grid = pixels.unflatten(2, (height, width)).permute(0, 2, 3, 1)
    x, y = grid[..., 0] / (width - 1), grid[..., 1] / (height - 1)
    return (torch.stack([x, y], -1) - 0.5) * 2


def sigmoid_to_depth(sigmoid: Tensor) -> Tensor:
    """Depth between the two bounds, linear in inverse depth."""
    smallest, largest = 1 / MAXIMUM_DEPTH, 1 / MINIMUM_DEPTH
    return 1 / (smallest + (largest - smallest) * sigmoid)


def ssim_distance(a: Tensor, b: Tensor) -> Tensor:
    """clamp((1 - SSIM) / 2, 0, 1), b 3 h w."""
    a = functional.pad(a, (1, 1, 1, 1), mode="reflect")
    b = functional.pad(b, (1, 1, 1, 1), mode="reflect")
    mean_a, mean_b = functional.avg_pool2d(a, 3, 1), functional.avg_pool2d(b, 3, 1)
    variance_a = functional.avg_pool2d(a**2, 3, 1) - mean_a**2
    variance_b = functional.avg_pool2d(b**2, 3, 1) - mean_b**2
    covariance = functional.avg_pool2d(a * b, 3, 1) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    denominator = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return torch.clamp((1 - numerator / denominator) / 2, 0, 1)


def photometric_error(a: Tensor, b: Tensor) -> Tensor:
    """b 1 h w."""
    absolute = (a - b).abs().mean(1, True)
    return SSIM_WEIGHT * ssim_distance(a, b).mean(1, True) + (1 - SSIM_WEIGHT) * absolute


class PlainDepthHints:
    """The loss for images of one size."""

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)
        self.backprojection = Backprojection(height, width)

    def __call__(self, sigmoids: list[Tensor], batch: PlainBatch) -> Tensor:
        """Mean over scales of the photometric loss and the supervision by hints."""
        hint_error = self.hint_error(batch)
        losses = [self.loss_of_scale(sigmoid, hint_error, batch) for sigmoid in sigmoids]
        return torch.stack(losses).mean()

    def loss_of_scale(self, sigmoid: Tensor, hint_error: Tensor, batch: PlainBatch) -> Tensor:
        full = functional.interpolate(sigmoid, self.size, mode="bilinear", align_corners=False)
        depth = sigmoid_to_depth(full)
        predicted = photometric_error(self.warp(depth, batch), batch.target)
        identity = photometric_error(batch.source, batch.target) + batch.noise
        best = torch.cat([predicted, identity, hint_error], 1).argmin(1, keepdim=True)
        kept, by_hint = (best != IDENTITY).float(), (best == HINT).float()
        photometric = (predicted * kept).sum() / (kept.sum() + 1e-7)
        residual = torch.log(1 + (depth - batch.hint).abs())
        supervised = (residual * by_hint).sum() / (by_hint.sum() + 1e-7)
        return photometric + supervised

    def warp(self, depth: Tensor, batch: PlainBatch) -> Tensor:
        """The source seen from the target."""
        points = self.backprojection(depth, batch.inverse_intrinsics)
        grid = project(points, batch.intrinsics, batch.target_to_source, *self.size)
        return functional.grid_sample(batch.source, grid, padding_mode="border", align_corners=True)

    @torch.no_grad()
    def hint_error(self, batch: PlainBatch) -> Tensor:
        """Error of the source warped by the hint; out of reach where there is none.

        A missing hint is warped at depth 1, as leadline does: a window that touches it compares
        nothing of meaning either way, but the same.
        """
        missing = (batch.hint == 0).float()
        error = photometric_error(self.warp(batch.hint + missing, batch), batch.target)
        return error + MISSING * missing
