"""The pinhole camera and its intrinsics, by property."""

import kornia
import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.geometry.camera import (
    backproject,
    crop_intrinsics,
    flip_intrinsics,
    pixel_grid,
    project,
    resize_intrinsics,
    roll_homography,
)
from leadline.geometry.pose import roll_matrix


def camera(width: int, height: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    jitter = torch.rand(4, generator=generator, dtype=torch.float64)
    K = torch.eye(3, dtype=torch.float64)
    K[0, 0], K[1, 1] = width * (0.5 + jitter[0]), width * (0.5 + jitter[1])
    K[0, 2], K[1, 2] = width * (0.4 + 0.2 * jitter[2]), height * (0.4 + 0.2 * jitter[3])
    return K


sizes = st.tuples(st.integers(2, 12), st.integers(2, 12))
seeds = st.integers(0, 2**31)


@given(sizes, seeds)
def test_projection_undoes_backprojection(size: tuple[int, int], seed: int) -> None:
    height, width = size
    torch.manual_seed(seed)
    depth = torch.rand(2, 1, height, width, dtype=torch.float64) * 50 + 0.1
    K = torch.stack([camera(width, height, seed), camera(width, height, seed + 1)])
    pixels, back = project(backproject(depth, K), K)
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    torch.testing.assert_close(pixels, torch.stack([u, v]).expand(2, 2, -1, -1).double())
    torch.testing.assert_close(back, depth)


def test_projection_agrees_with_kornia() -> None:
    torch.manual_seed(0)
    depth = torch.rand(2, 1, 5, 7, dtype=torch.float64) * 20 + 1
    K = torch.stack([camera(7, 5, 1), camera(7, 5, 2)])
    points = backproject(depth, K)
    expected = kornia.geometry.depth.depth_to_3d(depth, K, normalize_points=False)
    torch.testing.assert_close(points, expected)
    moved = points + 0.3
    flat = moved.flatten(2).mT
    pixels = kornia.geometry.camera.project_points(flat, K[:, None])
    torch.testing.assert_close(project(moved, K)[0].flatten(2).mT, pixels)


def test_points_behind_the_camera_stay_finite_and_are_told_by_their_depth() -> None:
    points = torch.tensor([1.0, 2.0, -3.0]).reshape(1, 3, 1, 1)
    pixels, depth = project(points, torch.eye(3)[None])
    assert torch.isfinite(pixels).all()
    assert depth.item() == -3


@given(sizes, st.integers(1, 5))
def test_resizing_keeps_the_border_of_the_image_in_place(size: tuple[int, int], k: int) -> None:
    height, width = size
    K = camera(width, height)
    resized = resize_intrinsics(K, (height, width), (height * k, width * k))
    # The ray through the image's outer corner (-0.5, -0.5) is the same before and after.
    corner = torch.tensor([-0.5, -0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(torch.linalg.inv(resized) @ corner, torch.linalg.inv(K) @ corner)
    torch.testing.assert_close(resized[0, 2], (K[0, 2] + 0.5) * k - 0.5)


@given(sizes)
def test_cropping_moves_the_centre_and_undoes_itself(size: tuple[int, int]) -> None:
    K = camera(size[1], size[0])
    cropped = crop_intrinsics(K, left=3, top=1.5)
    assert cropped[0, 2] == K[0, 2] - 3
    assert cropped[1, 2] == K[1, 2] - 1.5
    torch.testing.assert_close(crop_intrinsics(cropped, -3, -1.5), K)


@given(sizes, seeds)
def test_a_flipped_camera_sees_the_mirrored_scene(size: tuple[int, int], seed: int) -> None:
    height, width = size
    torch.manual_seed(seed)
    K = camera(width, height, seed)[None]
    points = torch.randn(1, 3, height, width, dtype=torch.float64)
    points[:, 2] = points[:, 2].abs() + 0.5
    mirrored = points * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)[:, None, None]
    flipped = flip_intrinsics(K, width)
    (pixels, _), (flipped_pixels, _) = project(points, K), project(mirrored, flipped)
    torch.testing.assert_close(flipped_pixels[:, 0], width - 1 - pixels[:, 0])
    torch.testing.assert_close(flipped_pixels[:, 1], pixels[:, 1])
    assert (flipped[0, 0, 0] > 0).item()
    torch.testing.assert_close(flip_intrinsics(flipped, width), K)


@given(sizes, seeds, st.floats(-3, 3))
def test_pixels_of_rolled_cameras(size: tuple[int, int], seed: int, angle: float) -> None:
    """Points that are turned fall where the homography takes their pixels, of whatever camera."""
    height, width = size
    K = camera(width, height, seed)
    K[0, 1] = 0.3
    grid = pixel_grid(height, width, K)
    depth = torch.rand(1, 1, height, width, dtype=torch.float64) + 1
    turned = torch.einsum("ij,bjhw->bihw", roll_matrix(angle), backproject(depth, K[None]))
    pixels, behind = project(turned, K[None])
    moved = torch.einsum("ij,jhw->ihw", roll_homography(K, angle), grid)
    torch.testing.assert_close(moved[2], torch.ones(height, width, dtype=torch.float64))
    torch.testing.assert_close(pixels[0], moved[:2])
    torch.testing.assert_close(behind, depth)
