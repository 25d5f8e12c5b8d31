"""The feature-metric residual: nothing at the truth, a derivative that is its own, masks."""

import torch
from torch import Tensor

from leadline.geometry.camera import pixel_grid
from leadline.geometry.feature_metric import (
    Residual,
    feature_residual,
    mean_absolute,
    with_gradient,
)
from leadline.geometry.landing import land
from leadline.geometry.pose import compose_poses, pose_from_rotvec, twist_to_pose
from leadline.geometry.ranges import unit_rays

SIZE = (12, 16)
K = torch.tensor([[14.0, 0.0, 7.5], [0.0, 14.0, 5.5], [0.0, 0.0, 1.0]], dtype=torch.float64)[None]
CHANNELS = 3


def slopes() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(CHANNELS, 3, generator=generator, dtype=torch.float64)


def plane_features() -> Tensor:
    """Linear in u and v: bilinear sampling and central differences are exact inside."""
    return torch.einsum("cj,jhw->chw", slopes(), pixel_grid(*SIZE, K))[None]


def inner_points() -> tuple[Tensor, Tensor]:
    """Rays to pixels of the middle, some between centres, and ranges."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(1, 2, 20, generator=generator, dtype=torch.float64)
    pixels = pixels * torch.tensor([6.0, 4.0])[:, None] + torch.tensor([5.0, 4.0])[:, None]
    ranges = 2 + torch.rand(1, 20, generator=generator, dtype=torch.float64)
    return unit_rays(pixels, K), ranges


def small_motion() -> Tensor:
    turn = torch.tensor([[0.02, -0.03, 0.04]], dtype=torch.float64)
    return pose_from_rotvec(turn, torch.tensor([[0.1, -0.05, 0.2]], dtype=torch.float64))


def residual_at(pose: Tensor, ranges: Tensor, source: Tensor) -> Residual:
    rays, true_ranges = inner_points()
    there = land(true_ranges, rays, small_motion(), K).pixels
    own = slopes()[:, :2] @ there[0] + slopes()[:, 2:]
    return feature_residual(own[None], with_gradient(source), ranges, rays, pose, K)


def test_central_differences_and_mirrored_borders() -> None:
    features = plane_features()
    same, by_u, by_v = with_gradient(features).chunk(3, dim=1)
    assert torch.equal(same, features)
    inner = slopes()[:, :, None, None]
    torch.testing.assert_close(by_u[0, :, :, 1:-1], inner[:, 0].expand(-1, SIZE[0], SIZE[1] - 2))
    torch.testing.assert_close(by_v[0, :, 1:-1], inner[:, 1].expand(-1, SIZE[0] - 2, SIZE[1]))
    assert not by_u[..., [0, -1]].any()
    assert not by_v[..., [0, -1], :].any()


def test_nothing_is_left_at_the_truth() -> None:
    _, ranges = inner_points()
    residual = residual_at(small_motion(), ranges, plane_features())
    assert residual.valid.all()
    torch.testing.assert_close(residual.values, torch.zeros_like(residual.values))
    off = residual_at(torch.eye(4, dtype=torch.float64)[None], ranges, plane_features())
    assert off.values.abs().max() > 0.1


def test_the_jacobian_is_that_of_the_whole_chain() -> None:
    _, ranges = inner_points()

    def values(twist: Tensor, further: Tensor) -> Tensor:
        moved = compose_poses(small_motion(), twist_to_pose(twist[None]))
        return residual_at(moved, ranges + further, plane_features()).values[0]

    still = torch.zeros(6, dtype=torch.float64)
    by_twist, by_range = torch.func.jacrev(values, argnums=(0, 1))(still, torch.zeros_like(ranges))
    found = residual_at(small_motion(), ranges, plane_features())
    gradient, landing = found.gradient[0], found.landing
    expected = -torch.einsum("cip,ikp->cpk", gradient, landing.by_twist[0])
    torch.testing.assert_close(by_twist, expected)
    own = by_range[:, :, 0].diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(own, -torch.einsum("cip,ip->cp", gradient, landing.by_range[0]))


def test_points_that_leave_the_picture_or_lie_behind_do_not_count() -> None:
    _, ranges = inner_points()
    aside = torch.eye(4, dtype=torch.float64)[None].clone()
    aside[0, 0, 3] = 5
    behind = torch.eye(4, dtype=torch.float64)[None].clone()
    behind[0, 2, 3] = -10
    for pose in (aside, behind):
        found = residual_at(pose, ranges, plane_features())
        assert not found.valid.any()
        assert not found.values.any()
        assert not found.gradient.any()
    source = with_gradient(plane_features())
    rays, _ = inner_points()
    nobody = torch.zeros(1, dtype=torch.bool)
    own = torch.zeros(1, CHANNELS, 20, dtype=torch.float64)
    absent = feature_residual(own, source, ranges, rays, small_motion(), K, nobody)
    assert not absent.valid.any()


def test_means_are_over_the_valid_points_of_all_sources_of_a_sample() -> None:
    _, ranges = inner_points()
    one = residual_at(torch.eye(4, dtype=torch.float64)[None], ranges, plane_features())
    values = torch.stack([one.values[0], torch.zeros_like(one.values[0])])
    valid = torch.stack([one.valid[0], torch.arange(20) < 10])
    both = one._replace(values=values, valid=valid)
    torch.testing.assert_close(mean_absolute(both, 2), one.values.abs().sum(-1) / 30)
    assert not mean_absolute(one._replace(valid=~one.valid, values=0 * one.values), 1).any()


def test_points_beyond_the_outermost_centres_do_not_count() -> None:
    """They lie in the picture, but there is nothing to read between."""
    width = SIZE[1]
    at = [(0.0, 5.0), (-0.3, 5.0), (width - 1.0, 5.0), (width - 0.7, 5.0), (7.0, -0.3), (7.0, 11.0)]
    pixels = torch.tensor(at, dtype=torch.float64).T[None]
    still = torch.eye(4, dtype=torch.float64)[None]
    ranges = torch.full((1, len(at)), 2.0, dtype=torch.float64)
    features = torch.zeros(1, CHANNELS, len(at), dtype=torch.float64)
    source = with_gradient(plane_features())
    found = feature_residual(features, source, ranges, unit_rays(pixels, K), still, K)
    assert found.valid[0].tolist() == [True, False, True, False, False, True]
    assert not found.values[0, :, ~found.valid[0]].any()
