"""Bundle adjustment as a layer [ba-net]: from features and a first range to motions and depth, by
steps of Levenberg and Marquardt that are differentiated like any other layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from leadline.geometry.camera import pixel_grid
from leadline.geometry.feature_metric import feature_residual, mean_absolute, with_gradient
from leadline.geometry.normal_equations import TWIST, damped_step, normal_equations
from leadline.geometry.pose import compose_poses, twist_to_pose
from leadline.geometry.ranges import unit_rays
from leadline.geometry.warp import sample

LEAST_DAMPING = 1e-4
"""Less would be lost in the rounding of sums over thousands of points in single precision."""


@dataclass(frozen=True)
class Level:
    """Features of target and sources at one level of a pyramid, and the cameras of their pixels."""

    target: Float[Tensor, "b c h w"]
    sources: Float[Tensor, "b n c _ _"]
    target_intrinsics: Float[Tensor, "b 3 3"]
    source_intrinsics: Float[Tensor, "b n 3 3"]


@dataclass(frozen=True)
class RangeMaps:
    """The target's range D = D_0 + sum_k w_k basis_k, of which the weights w are sought."""

    initial: Float[Tensor, "b 1 h w"]
    basis: Float[Tensor, "b k h w"]
    intrinsics: Float[Tensor, "b 3 3"]
    """In pixels of these maps, which may lie on another grid than features do."""

    def adjusted(self, weights: Float[Tensor, "b k"]) -> Float[Tensor, "b 1 h w"]:
        """D; where it is not positive there is no point, and the layer looks at none."""
        return self.initial + torch.einsum("bkhw,bk->bhw", self.basis, weights)[:, None]


class Adjusted(NamedTuple):
    """What makes the features of the target and its sources agree."""

    poses: Float[Tensor, "b n 4 4"]
    """target_to_source of each source, translation in the unit of the range."""
    weights: Float[Tensor, "b k"]


class LearnedDamping(nn.Module):
    """How far steps are shortened at one level, from how far features still are from each other.

    lambda = |v|^(2 + f(v)) with v the mean of |r| per channel over the valid points of all sources,
    and f of five layers, C -> 2C -> 4C -> 2C -> C -> 1, SELU between them and tanh at the end. As
    the residual vanishes so does the damping, and steps become those of Gauss and Newton.

    Departure: in [ba-net] itself lambda is the ReLU of the last of four layers, which may begin at
    0 and then learns nothing; this is the form of the code that was released, where untrained
    weights damp by about |v|^2. Its 2C, 4C, 2C, C are read as the widths of hidden layers, C being
    that of v. Never below 1e-4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels * factor for factor in (1, 2, 4, 2, 1)]
        self.exponent = nn.Sequential()
        for before, after in pairwise(widths):
            self.exponent.extend([nn.Linear(before, after), nn.SELU()])
        self.exponent.extend([nn.Linear(channels, 1), nn.Tanh()])

    def forward(self, residual: Float[Tensor, "b c"]) -> Float[Tensor, "b"]:
        length = torch.linalg.vector_norm(residual, dim=1)
        damping: Tensor = length ** (2 + self.exponent(residual)[:, 0])
        return damping.clamp(min=LEAST_DAMPING)


class BundleAdjustment(nn.Module):
    """Motions and depth from the features of a pyramid, coarse to fine, by unrolled steps [ba-net].

    In each of `iterations` steps at each level all pixels of the target's map are projected into
    the sources; the feature-metric residual r = F_t(p) - F_s(pi(R D ray + t)) gives the normal
    equations of the twists and, at the `joint_levels` finest levels, of the weights of the basis,
    which all sources share. The damped step changes R to exp(r) R and t to V(r) v + exp(r) t, and w
    to w + dw. Steps are neither judged nor taken back: the damping is learned with the rest.

    Departure: [ba-net] damps motions and depth alike; its released code finds motions first, then
    adjusts both, damped 1000 times more (`joint_levels`, `joint_damping`), with the last entry of
    the diagonal undamped. The paper's form is the default: from no motion on, steps so short find
    none. All entries are damped: an undamped one makes the system singular as soon as its map of
    the basis explains nothing. Points are all pixels of a level, not some of them.

    Args:
        channels: of the features.
        levels: how many levels the pyramid has.
        iterations: steps at each level.
        joint_levels: the finest levels, at which depth is adjusted too; by default all.
        joint_damping: how much more than motions depth is damped.

    Raises:
        ValueError: no steps are to be made, or more levels adjust depth than there are.
    """

    def __init__(
        self,
        channels: int,
        levels: int = 3,
        iterations: int = 5,
        joint_levels: int | None = None,
        joint_damping: float = 1.0,
    ) -> None:
        super().__init__()
        self.joint_levels = levels if joint_levels is None else joint_levels
        if min(levels, iterations) < 1 or not 0 <= self.joint_levels <= levels:
            raise ValueError(
                "bundle adjustment: expected one level and one iteration or more, and from 0 to "
                f"{levels} joint_levels, got levels={levels}, iterations={iterations}, "
                f"joint_levels={joint_levels}"
            )
        self.iterations = iterations
        self.joint_damping = joint_damping
        self.dampings = nn.ModuleList(LearnedDamping(channels) for _ in range(levels))

    def forward(
        self,
        levels: Sequence[Level],
        ranges: RangeMaps,
        poses: Float[Tensor, "b n 4 4"] | None = None,
        available: Bool[Tensor, "b n"] | None = None,
    ) -> Adjusted:
        """Levels from coarse to fine; `poses` to start from, by default no motion. A source that is
        not available is not looked at, and keeps its pose. Always in float32 or better.
        """
        batch, sources = levels[0].sources.shape[:2]
        with torch.autocast(ranges.initial.device.type, enabled=False):
            maps = _in_full_precision(ranges)
            if poses is None:
                poses = torch.eye(4, dtype=maps.initial.dtype, device=maps.initial.device)
                poses = poses.expand(batch, sources, 4, 4)
            result = Adjusted(poses, maps.basis.new_zeros(maps.basis.shape[:2]))
            for index, (level, damping) in enumerate(zip(levels, self.dampings, strict=True)):
                points = _points(level, maps, available)
                joint = index >= len(levels) - self.joint_levels
                for _ in range(self.iterations):
                    result = self._step(points, damping, result, joint)
        return result

    def _step(
        self, points: "_Points", damping: nn.Module, before: Adjusted, joint: bool
    ) -> Adjusted:
        poses, weights = before
        sources = poses.shape[1]
        ranges = points.initial + torch.einsum("bkp,bk->bp", points.basis, weights)
        residual = feature_residual(
            points.features,
            points.source,
            ranges.repeat_interleave(sources, dim=0),
            points.rays.repeat_interleave(sources, dim=0),
            poses.flatten(0, 1),
            points.source_intrinsics,
            points.available,
        )
        strength = damping(mean_absolute(residual, sources))
        equations = normal_equations(residual, sources, points.basis if joint else None)
        step = damped_step(equations, strength, self.joint_damping)
        twists = step[:, : TWIST * sources].reshape(-1, TWIST)
        moved = compose_poses(poses.flatten(0, 1), twist_to_pose(twists)).view_as(poses)
        return Adjusted(moved, weights + step[:, TWIST * sources :] if joint else weights)


@dataclass(frozen=True)
class _Points:
    """All pixels of the target at one level, and what does not change with the steps.

    What belongs to a source stands with it on the first axis: the sources of the first sample, then
    those of the next.
    """

    features: Float[Tensor, "_ c p"]
    source: Float[Tensor, "_ _ _ _"]
    source_intrinsics: Float[Tensor, "_ 3 3"]
    available: Bool[Tensor, "_"] | None
    rays: Float[Tensor, "b 3 p"]
    initial: Float[Tensor, "b p"]
    basis: Float[Tensor, "b k p"]


def _points(level: Level, maps: RangeMaps, available: Bool[Tensor, "b n"] | None) -> _Points:
    full = maps.initial.dtype
    height, width = level.target.shape[-2:]
    pixels = pixel_grid(height, width, maps.initial)[:2].flatten(1)
    rays = unit_rays(pixels.expand(len(level.target), -1, -1), level.target_intrinsics.to(full))
    # One camera, two grids: a ray says where on the other one the same pixel is.
    there = maps.intrinsics[:, :2] @ (rays / rays[:, 2:])
    found = sample(torch.cat([maps.initial, maps.basis], dim=1), there[:, :, None])[:, :, 0]
    return _Points(
        features=level.target.to(full).flatten(2).repeat_interleave(level.sources.shape[1], dim=0),
        source=with_gradient(level.sources.to(full).flatten(0, 1)),
        source_intrinsics=level.source_intrinsics.to(full).flatten(0, 1),
        available=None if available is None else available.flatten(),
        rays=rays,
        initial=found[:, 0],
        basis=found[:, 1:],
    )


def _in_full_precision(maps: RangeMaps) -> RangeMaps:
    """The maps in float32, or as they are if that is better."""
    full = torch.promote_types(maps.initial.dtype, torch.float32)
    return RangeMaps(maps.initial.to(full), maps.basis.to(full), maps.intrinsics.to(full))
