"""Where points land: as view synthesis has it, with the derivatives that autograd finds."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leadline.geometry.camera import pixel_grid
from leadline.geometry.landing import land
from leadline.geometry.pose import compose_poses, pose_from_rotvec, twist_to_pose
from leadline.geometry.ranges import depth_to_range, unit_rays
from leadline.geometry.warp import reproject

SIZE = (5, 7)
K = torch.tensor([[6.0, 0.1, 3.2], [0.0, 5.5, 1.9], [0.0, 0.0, 1.0]], dtype=torch.float64)
seeds = st.integers(0, 2**31)


def drawn(seed: int, count: int = 2) -> tuple[Tensor, Tensor]:
    """Depth and a motion."""
    generator = torch.Generator().manual_seed(seed)
    depth = 1 + 5 * torch.rand(count, 1, *SIZE, generator=generator, dtype=torch.float64)
    turn, move = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    return depth, pose_from_rotvec(0.2 * turn, 0.4 * move)


def rays_of(count: int = 2) -> Tensor:
    pixels = pixel_grid(*SIZE, K)[:2].flatten(1)
    return unit_rays(pixels.expand(count, -1, -1), K.expand(count, 3, 3))


@given(seeds)
def test_points_land_where_view_synthesis_looks(seed: int) -> None:
    depth, pose = drawn(seed)
    Ks = K.expand(2, 3, 3)
    pixels, in_front = reproject(1 / depth, pose, Ks, Ks)
    landing = land(depth_to_range(depth, Ks).flatten(1), rays_of(), pose, Ks)
    # The two draw the line at points next to the source's centre differently.
    both = in_front.flatten(1) & landing.in_front
    assert (both == landing.in_front).all()
    shown = both[:, None].expand(-1, 2, -1)
    torch.testing.assert_close(landing.pixels[shown], pixels.flatten(2)[shown])


@given(seeds)
def test_derivatives_are_those_of_autograd(seed: int) -> None:
    depth, pose = drawn(seed, count=1)
    ranges, rays = depth_to_range(depth, K[None]).flatten(1), rays_of(1)
    landing = land(ranges, rays, pose, K[None])

    def pixels(twist: Tensor, further: Tensor) -> Tensor:
        moved = compose_poses(pose, twist_to_pose(twist[None]))
        return land(ranges + further, rays, moved, K[None]).pixels[0]

    still = torch.zeros(6, dtype=torch.float64)
    by_twist, by_range = torch.func.jacrev(pixels, argnums=(0, 1))(still, torch.zeros_like(ranges))
    # The range of a point moves no other point.
    own = by_range[:, :, 0].diagonal(dim1=1, dim2=2)
    seen = landing.in_front[0]
    torch.testing.assert_close(landing.by_twist[0][..., seen], by_twist.mT[..., seen])
    torch.testing.assert_close(landing.by_range[0][..., seen], own[..., seen])


def test_range_is_not_seen_at_all_where_nothing_moved() -> None:
    depth, pose = drawn(3)
    pose[:, :3, 3] = 0
    ranges = depth_to_range(depth, K.expand(2, 3, 3)).flatten(1).float()
    landing = land(ranges, rays_of().float(), pose.float(), K.expand(2, 3, 3).float())
    assert not landing.by_range.any()


def test_points_behind_or_at_the_source_are_told_apart_and_finite() -> None:
    pose = torch.eye(4)[None].repeat(2, 1, 1)
    pose[0, 2, 3] = -2.0
    pose[1, 2, 3] = -1.0
    # One behind, one beyond, one at the source's very centre, one nearer than nothing.
    rays = torch.tensor([0.0, 0.0, 1.0])[None, :, None].repeat(2, 1, 4)
    ranges = torch.tensor([[1.0, 3.0, 2.0, -5.0], [0.5, 3.0, 1.0, -5.0]], requires_grad=True)
    landing = land(ranges, rays, pose, K.float().expand(2, 3, 3))
    assert landing.in_front.tolist() == [[False, True, False, False]] * 2
    total = landing.pixels.sum() + landing.by_twist.sum() + landing.by_range.sum()
    total.backward()
    assert total.isfinite()
    assert ranges.grad is not None
    assert ranges.grad.isfinite().all()


def test_points_that_the_source_all_but_passes_are_none() -> None:
    pose = torch.eye(4)[None].clone()
    pose[0, 2, 3] = -2.0
    rays = torch.tensor([0.0, 0.0, 1.0])[None, :, None].repeat(1, 1, 2)
    # A thirty-third and a seventeenth of the range are left.
    ranges = torch.tensor([[2.0625, 2.125]])
    found = land(ranges, rays, pose, K.float()[None])
    assert found.in_front.tolist() == [[False, True]]


def test_a_trace_of_depth_is_no_point() -> None:
    """Between a hole and a pixel that is measured, read a hair beside the hole."""
    pose = torch.eye(4)[None].clone()
    pose[0, 2, 3] = 0.1
    rays = torch.nn.functional.normalize(
        torch.tensor([[[0.1, 0.2], [0.0, 0.1], [1.0, 1.0]]]), dim=1
    )
    camera = torch.tensor([[[50.0, 0, 20], [0, 50, 10], [0, 0, 1]]])
    found = land(torch.tensor([[1e-6, 2.0]]), rays, pose, camera)
    assert found.in_front.tolist() == [[False, True]]
