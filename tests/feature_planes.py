"""A slanted plane painted with smooth random features, seen exactly at every level of a pyramid."""

from collections.abc import Sequence

import torch
from torch import Tensor

from leadline.geometry.camera import pixel_grid
from leadline.geometry.grid import Grid
from leadline.geometry.pose import invert_pose, pose_from_rotvec
from leadline.geometry.ranges import unit_rays
from leadline.networks.bundle_adjustment import Level, RangeMaps

SIZE = (96, 160)
"""Of the image, which is never painted."""
STRIDES = (16, 8, 4)
PATCH = 1.5
"""Centre of the first pixel of every map."""
WAVE = 14.0
"""Shortest wave in pixels of a level: what bilinear sampling keeps to about a percent."""
PLANE = (0.15, -0.2, 1.0)
"""Normal in the target's frame; the plane is a unit of length away along the optical axis."""


def camera(dtype: torch.dtype = torch.float64) -> Tensor:
    height, width = SIZE
    K = [[0.8 * width, 0.0, 0.5 * width - 1], [0.0, 0.8 * width, 0.5 * height], [0.0, 0.0, 1.0]]
    return torch.tensor(K, dtype=dtype)


def motions(
    degrees: float, length: float, count: int, seed: int, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Poses that turn by an angle and move by a length, each about and along a direction at
    random.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = torch.randn(2, count, 3, generator=generator, dtype=dtype)
    turn, move = torch.nn.functional.normalize(axes, dim=-1)
    return pose_from_rotvec(turn * torch.pi / 180 * degrees, move * length)


def level_camera(stride: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return Grid(stride, PATCH).intrinsics(camera(dtype))


def rays_of(stride: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, tuple[int, int]]:
    height, width = (side // stride for side in SIZE)
    K = level_camera(stride, dtype)
    pixels = pixel_grid(height, width, K)[:2].flatten(1)
    return unit_rays(pixels[None], K[None])[0], (height, width)


def range_to_plane(rays: Tensor, target_to_source: Tensor) -> Tensor:
    """Along rays of a source to the plane: n (R^T (d ray - t)) = 1."""
    normal = torch.tensor(PLANE, dtype=rays.dtype)
    back = invert_pose(target_to_source[None])[0]
    return (1 - normal @ back[:3, 3]) / (normal @ back[:3, :3] @ rays)


def painted(
    stride: int, target_to_source: Tensor, channels: int, seed: int, dtype: torch.dtype
) -> Tensor:
    """Features of the plane as a camera sees them at the centres of its pixels."""
    rays, (height, width) = rays_of(stride, dtype)
    back = invert_pose(target_to_source[None])[0]
    points = back[:3, :3] @ (rays * range_to_plane(rays, target_to_source)) + back[:3, 3:]
    generator = torch.Generator().manual_seed(seed + stride)
    waves = torch.randn(2, channels, 4, generator=generator, dtype=dtype)
    waves = torch.nn.functional.normalize(waves, dim=0) * level_camera(stride, dtype)[0, 0]
    lengths = WAVE * (1 + torch.rand(channels, 4, generator=generator, dtype=dtype))
    phases = 2 * torch.pi * torch.rand(channels, 4, generator=generator, dtype=dtype)
    along = torch.einsum("iak,ip->akp", waves / lengths, points[:2])
    features = torch.sin(2 * torch.pi * along + phases[..., None]).sum(1)
    return features.reshape(channels, height, width)


def plane_levels(
    poses: Tensor, channels: int = 16, seed: int = 0, strides: Sequence[int] = STRIDES
) -> list[Level]:
    """Levels from coarse to fine of targets and their sources, at `poses` (b, n, 4, 4)."""
    batch, sources = poses.shape[:2]
    still = torch.eye(4, dtype=poses.dtype)
    levels = []
    for stride in strides:
        K = level_camera(stride, poses.dtype)
        seen = [
            [painted(stride, pose, channels, seed + b, poses.dtype) for pose in (still, *poses[b])]
            for b in range(batch)
        ]
        maps = torch.stack([torch.stack(one) for one in seen])
        levels.append(
            Level(maps[:, 0], maps[:, 1:], K.expand(batch, 3, 3), K.expand(batch, sources, 3, 3))
        )
    return levels


def plane_ranges(batch: int, maps: int = 4, dtype: torch.dtype = torch.float64) -> RangeMaps:
    """The true range at the finest stride, and a basis of smooth maps."""
    rays, (height, width) = rays_of(STRIDES[-1], dtype)
    truth = range_to_plane(rays, torch.eye(4, dtype=dtype)).reshape(1, height, width)
    v, u = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=dtype),
        torch.linspace(-1, 1, width, dtype=dtype),
        indexing="ij",
    )
    basis = torch.stack(
        [
            torch.cos(u * (k % 3) * 2 + k) * torch.cos(v * (k // 3) * 2 + 2 * k)
            for k in range(1, maps + 1)
        ]
    )
    K = level_camera(STRIDES[-1], dtype)
    return RangeMaps(
        truth.expand(batch, -1, -1, -1),
        basis.expand(batch, -1, -1, -1),
        K.expand(batch, 3, 3),
    )


def errors(poses: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Degrees and units of length by which poses are wrong."""
    turned = poses[..., :3, :3] @ truth[..., :3, :3].mT
    sine = torch.linalg.matrix_norm(turned - torch.eye(3, dtype=poses.dtype)) / 8**0.5
    moved = torch.linalg.vector_norm(poses[..., :3, 3] - truth[..., :3, 3], dim=-1)
    return 2 * torch.asin(sine) * 180 / torch.pi, moved
