"""View synthesis, by property: what a warp must do whatever the picture."""

import kornia
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leadline.geometry.camera import NEAREST_SHARE
from leadline.geometry.pose import pose_from_rotvec, stereo_pose
from leadline.geometry.warp import (
    inside,
    reproject,
    sample,
    warp_by_depth,
    warp_by_disparity,
    warp_by_inverse_depth,
)

sizes = st.tuples(st.integers(2, 24), st.integers(2, 24))
seeds = st.integers(0, 2**31)


def intrinsics(size: tuple[int, int], count: int = 2) -> Tensor:
    height, width = size
    K = torch.tensor(
        [[0.9 * width, 0, 0.47 * width], [0, 1.1 * width, 0.52 * height], [0, 0, 1]],
        dtype=torch.float64,
    )
    return K.expand(count, 3, 3)


def scene(size: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    return image, torch.rand(2, 1, *size, dtype=torch.float64) * 30 + 0.2


@given(sizes, seeds)
def test_identity_motion_returns_the_image_whatever_the_depth(
    size: tuple[int, int], seed: int
) -> None:
    image, depth = scene(size, seed)
    K = intrinsics(size)
    still = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    warp = warp_by_depth(image, depth, still, K, K)
    torch.testing.assert_close(warp.image, image, atol=1e-12, rtol=0)
    assert warp.in_view.all()


def test_identity_motion_is_exact_in_single_precision_at_full_size() -> None:
    # A smooth picture: a sampling error of one unit in the last place of u shows as its gradient.
    u, v = torch.linspace(0, 3, 640), torch.linspace(0, 2, 192)
    image = (torch.sin(u) * torch.cos(v)[:, None]).expand(1, 3, -1, -1)
    depth = torch.rand(1, 1, 192, 640) * 80 + 0.1
    K = intrinsics((192, 640), count=1).float()
    warp = warp_by_depth(image, depth, torch.eye(4)[None], K, K)
    torch.testing.assert_close(warp.image, image, atol=1e-6, rtol=0)
    assert warp.in_view.all()


@given(sizes, seeds, st.sampled_from([-0.4, 0.3]))
def test_depth_and_disparity_warp_alike_on_a_rectified_pair(
    size: tuple[int, int], seed: int, offset: float
) -> None:
    image, depth = scene(size, seed)
    K = intrinsics(size)
    pose = stereo_pose(offset, dtype=torch.float64).expand(2, 4, 4)
    by_depth = warp_by_depth(image, depth, pose, K, K)
    disparity = K[0, 0, 0] * offset / depth
    by_disparity = warp_by_disparity(image, disparity)
    torch.testing.assert_close(by_depth.image, by_disparity.image)


def test_constant_disparity_shifts_by_whole_pixels() -> None:
    image = torch.rand(1, 3, 4, 20)
    # f = 0.58 w and baseline 0.1: depth f b / 3 moves the picture by exactly three pixels.
    focal = 0.58 * 20
    K = torch.tensor([[[focal, 0, 9.5], [0, focal, 1.5], [0, 0, 1]]])
    depth = torch.full((1, 1, 4, 20), focal * 0.1 / 3)
    warp = warp_by_depth(image, depth, stereo_pose(0.1)[None], K, K)
    torch.testing.assert_close(warp.image[..., 3:], image[..., :-3], atol=1e-5, rtol=0)
    torch.testing.assert_close(warp.image[..., :3], image[..., :1].expand(-1, -1, -1, 3))
    assert not warp.in_view[..., :3].any()
    assert warp.in_view[..., 3:].all()


def test_warp_agrees_with_kornia() -> None:
    image, depth = scene((9, 14), seed=3)
    K = intrinsics((9, 14))
    pose = pose_from_rotvec(
        torch.tensor([[0.02, -0.03, 0.01]] * 2, dtype=torch.float64),
        torch.tensor([[0.1, 0.02, -0.05]] * 2, dtype=torch.float64),
    )
    ours = warp_by_depth(image, depth, pose, K, K, padding="zeros").image
    theirs = kornia.geometry.depth.warp_frame_depth(image, depth, pose, K)
    # kornia projects with a small epsilon in the division; border pixels may fall on either side.
    close = (ours - theirs).abs() < 1e-5
    assert close.double().mean() > 0.99


def test_zero_padding_and_border_padding() -> None:
    image = torch.ones(1, 1, 2, 3)
    outside = torch.full((1, 2, 1, 1), -5.0)
    assert sample(image, outside, "border").item() == 1
    assert sample(image, outside, "zeros").item() == 0


def test_points_behind_the_source_are_out_of_view_and_finite() -> None:
    depth = torch.full((1, 1, 3, 4), 2.0)
    pose = torch.eye(4)[None].clone()
    pose[0, 2, 3] = -5  # the source stands five metres ahead, beyond the points
    pixels, in_front = reproject(1 / depth, pose, torch.eye(3)[None], torch.eye(3)[None])
    assert torch.isfinite(pixels).all()
    assert not in_front.any()


def test_inside_counts_the_whole_outermost_pixels() -> None:
    pixels = torch.tensor([[-0.4, 0], [3.4, 2.4], [3.6, 0], [0, -0.6]]).T.reshape(1, 2, 1, 4)
    assert inside(pixels, (3, 4)).flatten().tolist() == [True, True, False, False]


@pytest.mark.parametrize("argument", ["depth", "pose"])
def test_gradients_match_finite_differences(argument: str) -> None:
    image, depth = scene((5, 6), seed=1)
    K = intrinsics((5, 6))
    rotvec = torch.tensor([[0.01, -0.02, 0.03]] * 2, dtype=torch.float64)
    translation = torch.tensor([[0.11, 0.03, -0.07]] * 2, dtype=torch.float64)
    if argument == "depth":
        pose = pose_from_rotvec(rotvec, translation)
        check = torch.autograd.gradcheck(
            lambda d: warp_by_depth(image, d, pose, K, K).image, depth.requires_grad_(), eps=1e-7
        )
    else:
        check = torch.autograd.gradcheck(
            lambda r, t: warp_by_depth(image, depth, pose_from_rotvec(r, t), K, K).image,
            (rotvec.requires_grad_(), translation.requires_grad_()),
            eps=1e-7,
        )
    assert check


def test_points_that_the_camera_passes_have_no_gradient() -> None:
    """Depths about the way that the camera drives, through the pole of the projection, seen beside
    the direction of travel, where they stay in the picture.
    """
    count, way = 4000, 2.0
    camera = torch.tensor([[2.0, 0, 2.3], [0, 2.0, 1.1], [0, 0, 1]], dtype=torch.double)
    cameras = camera.expand(count, 3, 3)
    pose = torch.eye(4, dtype=torch.double).repeat(count, 1, 1)
    pose[:, 2, 3] = -way
    depth = torch.linspace(1.9, 2.4, count, dtype=torch.double)[:, None, None, None]
    depth.requires_grad_()
    grid = depth.expand(-1, 1, 3, 5)
    pixels, in_front = reproject(1 / grid, pose, cameras, cameras)
    near = (1 - way / depth.detach()) <= NEAREST_SHARE
    assert torch.equal(in_front, ~near.expand(-1, 1, 3, 5))
    warp = warp_by_inverse_depth(
        torch.rand(count, 1, 3, 5, dtype=torch.double), 1 / grid, pose, cameras, cameras
    )
    assert not warp.in_view[near[:, 0, 0, 0]].any()
    assert warp.in_view.any()
    for values in (pixels, warp.image):
        (gradient,) = torch.autograd.grad(values.abs().sum(), depth, retain_graph=True)
        assert not gradient[near].any()
        assert gradient[~near].any()
        # A pixel's way from the epipole over the square of the share, as d(1/z) / dz.
        assert gradient.abs().max() < 15 * 5 / NEAREST_SHARE**2
    assert pixels[~in_front.expand_as(pixels)].abs().min() > 1000
