"""The one pixel convention, and what a pinhole camera does with it.

Pixel centres lie at integers (as in OpenCV and KITTI): the image covers [-0.5, w - 0.5] x [-0.5, h
- 0.5]. Camera axes are x right, y down, z forward. Intrinsics K are in pixels of the image they
belong to.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.pose import roll_matrix

MINIMUM_DEPTH = 1e-6
"""Projected depths are kept above this, so that a point at the camera's centre stays finite."""

NEAREST_SHARE = 0.05
"""A point counts as in front of the source from this share of its depth (in bundle adjustment:
range) in the target on. Nearer ones are seen only by a camera that all but passes them, and move
without bounds in its image."""


def pixel_grid(height: int, width: int, like: Tensor) -> Float[Tensor, "3 h w"]:
    """Homogeneous pixel coordinates (u, v, 1) on the device and in the precision of `like`."""
    v, u = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype),
        torch.arange(width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack([u, v, torch.ones_like(u)])


def backproject(
    depth: Float[Tensor, "b 1 h w"], intrinsics: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 3 h w"]:
    """Points seen at each pixel, in the camera's frame: X = depth * K^-1 (u, v, 1)."""
    rays = torch.einsum(
        "bij,jhw->bihw",
        torch.linalg.inv(intrinsics),
        pixel_grid(depth.shape[-2], depth.shape[-1], depth),
    )
    return depth * rays


def project(
    points: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"]
) -> tuple[Float[Tensor, "b 2 h w"], Float[Tensor, "b 1 h w"]]:
    """Pixels on which points fall, and their depth: (u, v) = (K X)_xy / X_z.

    z is clamped, so that a point behind the camera lands far outside; its depth tells that it is
    behind. This and `backproject` are the plain form against which `reproject` is tested.
    """
    image = torch.einsum("bij,bjhw->bihw", intrinsics, points)
    depth = points[:, 2:]
    return image[:, :2] / depth.clamp(min=MINIMUM_DEPTH), depth


def resize_intrinsics(
    intrinsics: Float[Tensor, "*b 3 3"], old_size: tuple[int, int], new_size: tuple[int, int]
) -> Float[Tensor, "*b 3 3"]:
    """Intrinsics after the image is resized from `old_size` to `new_size`, both (h, w).

    Focal lengths scale by k = new / old; centres move as (c + 0.5) * k - 0.5, since pixel centres
    are at integers and it is the outer border of the image that stays in place.
    """
    scale_y, scale_x = (new / old for new, old in zip(new_size, old_size, strict=True))
    change = intrinsics.new_tensor(
        [
            [scale_x, 0.0, 0.5 * scale_x - 0.5],
            [0.0, scale_y, 0.5 * scale_y - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )
    return change @ intrinsics


def crop_intrinsics(
    intrinsics: Float[Tensor, "*b 3 3"], left: float, top: float
) -> Float[Tensor, "*b 3 3"]:
    """Intrinsics after `left` columns and `top` rows are cut off."""
    change = intrinsics.new_tensor([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    return change @ intrinsics


def flip_intrinsics(intrinsics: Float[Tensor, "*b 3 3"], width: int) -> Float[Tensor, "*b 3 3"]:
    """Intrinsics of the mirrored image: cx becomes w - 1 - cx, and a skew changes its sign.

    K' = M K diag(-1, 1, 1) with M the mirror of pixels: the scene is mirrored together with the
    image.
    """
    mirror = intrinsics.new_tensor([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return mirror @ intrinsics @ torch.diag(intrinsics.new_tensor([-1.0, 1.0, 1.0]))


def roll_homography(intrinsics: Float[Tensor, "*b 3 3"], angle: float) -> Float[Tensor, "*b 3 3"]:
    """Where pixels go when points are turned about the optical axis by X' = Rz X: p' = K Rz K^-1 p,
    in double precision; see `roll_matrix`.

    Intrinsics and depth along the axis stay what they are, whatever the focal lengths. As Rz leaves
    z alone the last row is (0, 0, 1): the pixels move affinely.
    """
    exact = intrinsics.double()
    return turn_homography(exact, exact, roll_matrix(angle).to(exact.device))


def turn_homography(
    first: Float[Tensor, "*b 3 3"], second: Float[Tensor, "*b 3 3"], turn: Float[Tensor, "*b 3 3"]
) -> Float[Tensor, "*b 3 3"]:
    """Where pixels of a camera go when it is turned and becomes another one, whatever their depth:
    p' = K_second R K_first^-1 p, X' = R X, in double precision.
    """
    homography: Tensor = second.double() @ turn.double() @ torch.linalg.inv(first.double())
    return homography
