"""Where points of the target land in a source, and how motion and range move them there."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.geometry.camera import NEAREST_SHARE

NEAREST_RANGE = 1e-4
"""Points nearer than that are none: where depth is missing, reading it between pixels may leave a
trace of a neighbour, which would be seen at the epipole and outweigh all others."""


class Landing(NamedTuple):
    """Pixels of the source on which points fall, and their derivatives; without meaning, but
    finite, where a point is not in front of its camera.
    """

    pixels: Float[Tensor, "b 2 p"]
    in_front: Bool[Tensor, "b p"]
    by_twist: Float[Tensor, "b 2 6 p"]
    """Pixels per radian (r) and per unit of length (v) of a twist that moves the source after
    target_to_source."""
    by_range: Float[Tensor, "b 2 p"]
    """Pixels per unit of range."""


def land(
    ranges: Float[Tensor, "b p"],
    rays: Float[Tensor, "b 3 p"],
    target_to_source: Float[Tensor, "b 4 4"],
    source_intrinsics: Float[Tensor, "b 3 3"],
) -> Landing:
    """Project X = R D ray + t into the source [ba-net]; `rays` of length 1, so that D is range.

    The motion changes as exp(twist) * target_to_source, hence dX = r x X + v. With P = (K_12 - u
    e_z^T) / z the derivative of the pixel u = (K X)_12 / z by X, that of u is P [-[X]x | I]. By
    range it is P R ray; written as (K R ray t_z - K t (R ray)_z) / z^2 it vanishes exactly, not up
    to rounding, while source and target stand at one place: there range cannot be seen.
    """
    rotation, translation = target_to_source[:, :3].split([3, 1], dim=-1)
    directions = rotation @ rays
    points = directions * ranges[:, None] + translation
    in_front = (ranges > NEAREST_RANGE) & (points[:, 2] > NEAREST_SHARE * ranges)
    # Something harmless stands in for the others: no mask mends an infinite derivative.
    on_axis = points.new_zeros(3, 1)
    on_axis[2] = 1
    points = torch.where(in_front[:, None], points, on_axis)
    depth = points[:, 2:]
    pixels = (source_intrinsics @ points)[:, :2] / depth
    by_point = source_intrinsics[:, :2, :, None].expand(-1, -1, -1, ranges.shape[-1])
    by_depth = (by_point[:, :, 2] - pixels)[:, :, None]
    by_point = torch.cat([by_point[:, :, :2], by_depth], dim=2) / depth[:, None]
    # Of a row g of P: g (r x X) = r (X x g).
    by_rotation = torch.linalg.cross(points[:, None].expand_as(by_point), by_point, dim=2)
    ahead, aside = directions[:, 2:], (source_intrinsics @ directions)[:, :2]
    moved = (source_intrinsics @ translation)[:, :2]
    by_range = (aside * translation[:, 2:] - moved * ahead) / depth.square()
    return Landing(pixels, in_front, torch.cat([by_rotation, by_point], dim=2), by_range)
