"""Every way of resizing a prediction against a second, slow one, or torch's."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from leadline.data.depth_resize import resized_depth

sides = st.integers(1, 12)


def by_torch(depth: np.ndarray, height: int, width: int, **settings: object) -> np.ndarray:
    return interpolate(torch.from_numpy(depth)[None, None], (height, width), **settings)[
        0, 0
    ].numpy()


@given(sides, sides, sides, sides)
def test_aligned_corners_are_those_of_torch(h: int, w: int, height: int, width: int) -> None:
    depth = np.random.default_rng(h * w).uniform(1, 50, (h, w))
    expected = by_torch(depth, height, width, mode="bilinear", align_corners=True)
    found = resized_depth(depth, height, width, "depth_aligned_corners")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(sides, sides, sides, sides)
def test_depth_in_half_pixel_centres_is_that_of_torch(
    h: int, w: int, height: int, width: int
) -> None:
    depth = np.random.default_rng(h * w).uniform(1, 50, (h, w))
    expected = by_torch(depth, height, width, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(resized_depth(depth, height, width, "depth"), expected, rtol=1e-6)


def test_corners_keep_their_depth_and_what_lies_between_is_a_mean_of_depths() -> None:
    depth = np.array([[2.0, 50.0]])
    assert resized_depth(depth, 1, 5, "depth_aligned_corners").tolist() == [[2, 14, 26, 38, 50]]


@given(sides, sides, sides, sides)
def test_the_nearest_pixel_is_the_one_of_torch(h: int, w: int, height: int, width: int) -> None:
    depth = np.random.default_rng(h * w).uniform(1, 50, (h, w))
    expected = by_torch(depth, height, width, mode="nearest-exact")
    assert (resized_depth(depth, height, width, "nearest") == expected).all()


@pytest.mark.parametrize("hole", [0.0, np.inf])
def test_half_pixel_centres_mix_nothing_with_a_hole_either(hole: float) -> None:
    depth = np.full((5, 5), 10.0)
    depth[2, 2] = hole
    found = resized_depth(depth, 20, 20, "depth")
    assert set(found.ravel().tolist()) == {10.0, hole}
    assert (found == hole).sum() == 16


@pytest.mark.parametrize("hole", [0.0, np.inf])
def test_nothing_is_mixed_with_a_hole(hole: float) -> None:
    """Missing or infinitely far: the pixels around it become it, or stay what they are."""
    depth = np.full((5, 5), 10.0)
    depth[2, 2] = hole
    found = resized_depth(depth, 17, 17, "depth_aligned_corners")
    assert set(found.ravel().tolist()) == {10.0, hole}
    assert found[8, 8] == hole
    # Quarters of a pixel: within half of one the hole is the nearest.
    assert (found[6:11, 8] == hole).sum() in (3, 5)
    assert (found[:6] == 10).all()


def slow_bilinear(image, height, width):
    """Half-pixel centres, borders repeated, one pixel at a time."""
    out = np.zeros((height, width))
    for y, x in np.ndindex(out.shape):
        v = (y + 0.5) * image.shape[0] / height - 0.5
        u = (x + 0.5) * image.shape[1] / width - 0.5
        y0, x0 = int(np.floor(v)), int(np.floor(u))
        for row, wy in ((y0, 1 - (v - y0)), (y0 + 1, v - y0)):
            for column, wx in ((x0, 1 - (u - x0)), (x0 + 1, u - x0)):
                r = min(max(row, 0), image.shape[0] - 1)
                c = min(max(column, 0), image.shape[1] - 1)
                out[y, x] += wy * wx * image[r, c]
    return out


@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 12), st.integers(1, 12))
def test_depth_is_resized_as_inverse_depth(h, w, height, width):
    depth = np.random.default_rng(h * w).uniform(1, 50, (h, w))
    expected = 1 / slow_bilinear(1 / depth, height, width)
    assert resized_depth(depth, height, width) == pytest.approx(expected, rel=1e-5)


def test_resizing_is_not_a_resize_of_depth():
    depth = np.array([[2.0, 50.0]])
    as_depth = cv2.resize(depth, (4, 1))
    assert np.abs(resized_depth(depth, 1, 4) - as_depth).max() > 1


def test_depth_of_the_right_size_is_left_alone():
    depth = np.array([[0.0, np.inf, 3.0]])
    assert (resized_depth(depth, 1, 3) == depth).all()


def slow_resize_with_holes(depth, height, width):
    """Bilinear in inverse depth where no pixel that has a share is missing, else the nearest."""
    out = np.zeros((height, width))
    dense = 1 / slow_bilinear(1 / np.where(depth > 0, depth, 1), height, width)
    holes = slow_bilinear((depth == 0).astype(float), height, width)
    for y, x in np.ndindex(out.shape):
        row = int((y + 0.5) * depth.shape[0] / height)
        column = int((x + 0.5) * depth.shape[1] / width)
        out[y, x] = depth[row, column] if holes[y, x] > 1e-9 else dense[y, x]
    return out


@given(
    st.integers(2, 7), st.integers(2, 7), st.integers(1, 12), st.integers(1, 12), st.integers(0, 9)
)
def test_missing_pixels_do_not_bleed_into_their_neighbours(h, w, height, width, seed):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 50, (h, w)) * (rng.random((h, w)) < 0.7)
    found = resized_depth(depth, height, width)
    assert found == pytest.approx(slow_resize_with_holes(depth, height, width), rel=1e-5)
    present = depth[depth > 0]
    if present.size:
        kept = found[found > 0]
        assert (kept >= present.min() * (1 - 1e-9)).all()
        assert (kept <= present.max() * (1 + 1e-9)).all()


def test_one_missing_pixel_stays_one():
    depth = np.full((8, 8), 10.0)
    depth[4, 4] = 0
    found = resized_depth(depth, 32, 32)
    assert (found == 0).sum() == 16
    assert found[found > 0] == pytest.approx(10)


def test_dense_predictions_are_resized_as_ever():
    depth = np.random.default_rng(3).uniform(1, 50, (19, 31))
    expected = 1 / cv2.resize(1 / depth, (124, 37), interpolation=cv2.INTER_LINEAR)
    assert (resized_depth(depth, 37, 124) == expected).all()


def test_infinitely_far_and_missing_survive_a_resize():
    far = resized_depth(np.full((2, 2), np.inf), 3, 3)
    assert np.isinf(far).all()
    missing = resized_depth(np.zeros((2, 2)), 3, 3)
    assert (missing <= 1e-6).all()
