"""View synthesis: the target's view, sampled from a source image along a depth or a disparity.

Holds the package's only `grid_sample`.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leadline.geometry.camera import NEAREST_SHARE, pixel_grid

Padding = Literal["border", "zeros"]

FAR_OUTSIDE = 1e6
"""By how much a point that is not in front of the source is thrown out of its image."""


class Warp(NamedTuple):
    """A source image seen from the target, and where that view is real."""

    image: Float[Tensor, "b c h w"]
    in_view: Bool[Tensor, "b 1 h w"]


def sample(
    source: Float[Tensor, "b c _ _"],
    pixels: Float[Tensor, "b 2 h w"],
    padding: Padding = "border",
) -> Float[Tensor, "b c h w"]:
    """`source` at `pixels` (u, v), bilinear; outside, the nearest border pixel or zero.

    The grid is normalised as 2 u / (w - 1) - 1 and sampled with aligned corners: the one pairing
    under which integer coordinates return the pixels themselves.
    """
    height, width = source.shape[-2:]
    # Filled on the device: copied there, two numbers would make a GPU wait.
    span = torch.cat([pixels.new_full((1,), max(side - 1, 1)) for side in (width, height)])
    grid = pixels.movedim(1, -1) * (2 / span) - 1
    return functional.grid_sample(
        source, grid, mode="bilinear", padding_mode=padding, align_corners=True
    )


def reproject(
    inverse_depth: Float[Tensor, "b 1 h w"],
    target_to_source: Float[Tensor, "b 4 4"],
    target_intrinsics: Float[Tensor, "b 3 3"],
    source_intrinsics: Float[Tensor, "b 3 3"],
) -> tuple[Float[Tensor, "b 2 h w"], Bool[Tensor, "b 1 h w"]]:
    """Where each target pixel lands in the source, and whether that is in front of its camera.

    p_s ~ K_s (R D K_t^-1 p + t), divided by D:  p_s ~ H p + K_s t / D  with the infinite homography
    H = K_s R K_t^-1. Linear in inverse depth, and exact for the identity motion at any depth.

    A point counts as in front from `NEAREST_SHARE` of its depth on; others are thrown far outside.

    Departure: [monodepth2] divides by z + 1e-7 whatever its sign, so that a point behind the source
    can land inside it, mirrored, and one beside its centre has a derivative as large as 1 / z^2.
    One such pixel, seen nearer than the camera then drove, has ended a training run: a gradient
    eight hundred times the usual one, from which the network did not come back.
    """
    height, width = inverse_depth.shape[-2:]
    # Tiny matrices, in double: for equal cameras and no rotation H must round to the identity.
    exact = _most_exact(inverse_depth.device)
    rotation, translation = target_to_source[:, :3].to(exact).split([3, 1], dim=-1)
    source_camera, target_camera = source_intrinsics.to(exact), target_intrinsics.to(exact)
    # `inv` would ask the device whether it succeeded, and wait for the answer.
    homography = source_camera @ rotation @ torch.linalg.inv_ex(target_camera).inverse
    epipole = (source_camera @ translation).to(inverse_depth.dtype)[..., None]
    far = torch.einsum(
        "bij,jhw->bihw",
        homography.to(inverse_depth.dtype),
        pixel_grid(height, width, inverse_depth),
    )
    image = far + epipole * inverse_depth
    ratio = image[:, 2:]
    in_front = ratio > NEAREST_SHARE
    pixels = image[:, :2] / ratio.clamp(min=NEAREST_SHARE)
    return pixels.where(in_front, image[:, :2].detach() * FAR_OUTSIDE), in_front


def _most_exact(device: torch.device) -> torch.dtype:
    """Double precision, but on Apple GPUs, which have none."""
    return torch.float32 if device.type == "mps" else torch.float64


def inside(pixels: Float[Tensor, "b 2 h w"], size: tuple[int, int]) -> Bool[Tensor, "b 1 h w"]:
    """Whether pixels fall on an image of `size` (h, w), which covers [-0.5, w - 0.5].

    The half pixel beyond the outermost centres belongs to the image; counting it also keeps the
    border in view when a coordinate that should be w - 1 is rounded up.
    """
    height, width = size
    u, v = pixels[:, :1], pixels[:, 1:]
    return (u > -0.5) & (u < width - 0.5) & (v > -0.5) & (v < height - 0.5)


def warp_by_inverse_depth(
    source: Float[Tensor, "b c _ _"],
    inverse_depth: Float[Tensor, "b 1 h w"],
    target_to_source: Float[Tensor, "b 4 4"],
    target_intrinsics: Float[Tensor, "b 3 3"],
    source_intrinsics: Float[Tensor, "b 3 3"],
    padding: Padding = "border",
) -> Warp:
    """The target's view made from `source`, given the target's inverse depth and the motion."""
    pixels, in_front = reproject(
        inverse_depth, target_to_source, target_intrinsics, source_intrinsics
    )
    size = (source.shape[-2], source.shape[-1])
    return Warp(sample(source, pixels, padding), in_front & inside(pixels, size))


def warp_by_depth(
    source: Float[Tensor, "b c _ _"],
    depth: Float[Tensor, "b 1 h w"],
    target_to_source: Float[Tensor, "b 4 4"],
    target_intrinsics: Float[Tensor, "b 3 3"],
    source_intrinsics: Float[Tensor, "b 3 3"],
    padding: Padding = "border",
) -> Warp:
    """The target's view made from `source`, given the target's depth and the motion between
    them.
    """
    return warp_by_inverse_depth(
        source, 1 / depth, target_to_source, target_intrinsics, source_intrinsics, padding
    )


def warp_by_disparity(
    source: Float[Tensor, "b c h w"],
    disparity: Float[Tensor, "b 1 h w"],
    padding: Padding = "border",
) -> Warp:
    """The target's view of a rectified pair: `source` at (u - disparity, v).

    `disparity` is positive for a left target with a right source; for a right target, give its
    negative.
    """
    height, width = disparity.shape[-2:]
    grid = pixel_grid(height, width, disparity)
    pixels = torch.cat([grid[:1] - disparity, grid[1:2].expand_as(disparity)], dim=1)
    return Warp(sample(source, pixels, padding), inside(pixels, (height, width)))
