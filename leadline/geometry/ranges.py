"""Range: how far a point is along its ray, where depth counts along the optical axis."""

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.camera import pixel_grid


def unit_rays(
    pixels: Float[Tensor, "b 2 p"], intrinsics: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 3 p"]:
    """Directions of length 1 in which pixels look: K^-1 (u, v, 1), normalised."""
    return torch.nn.functional.normalize(_rays(pixels, intrinsics), dim=1)


def depth_to_range(
    depth: Float[Tensor, "b 1 h w"], intrinsics: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 1 h w"]:
    """range = depth * |K^-1 (u, v, 1)|."""
    return depth * _ray_lengths(depth, intrinsics)


def range_to_depth(
    ranges: Float[Tensor, "b 1 h w"], intrinsics: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 1 h w"]:
    """depth = range / |K^-1 (u, v, 1)|."""
    return ranges / _ray_lengths(ranges, intrinsics)


def _ray_lengths(
    like: Float[Tensor, "b 1 h w"], intrinsics: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 1 h w"]:
    height, width = like.shape[-2:]
    pixels = pixel_grid(height, width, like)[:2].flatten(1).expand(len(like), -1, -1)
    lengths: Tensor = torch.linalg.vector_norm(_rays(pixels, intrinsics), dim=1)
    return lengths.view(-1, 1, height, width)


def _rays(
    pixels: Float[Tensor, "b 2 p"], intrinsics: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 3 p"]:
    """Directions whose z is 1."""
    # `inv` would ask the device whether it succeeded, and wait for the answer.
    inverse: Tensor = torch.linalg.inv_ex(intrinsics).inverse
    return inverse[:, :, :2] @ pixels + inverse[:, :, 2:]
