"""Conversions between depth, inverse depth and disparity."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.geometry.depth import (
    depth_to_disparity,
    disparity_to_depth,
    sigmoid_to_inverse_depth,
    to_full_size,
    to_scale,
)


@pytest.mark.parametrize(
    ("sigmoid", "depth"), [(0, 100), (0.25, 0.39880), (0.5, 0.19980), (0.75, 0.13329), (1, 0.1)]
)
def test_known_answers_of_the_sigmoid_range(sigmoid: float, depth: float) -> None:
    value = torch.tensor([sigmoid], dtype=torch.float64)
    inverse = sigmoid_to_inverse_depth(value, minimum=0.1, maximum=100.0)
    assert 1 / inverse.item() == pytest.approx(depth, rel=1e-4)


@given(st.floats(1e-3, 1e3), st.floats(1, 3000), st.floats(0.005, 2))
def test_disparity_and_depth_are_inverse(depth: float, focal: float, baseline: float) -> None:
    value = torch.tensor([depth, 0.0], dtype=torch.float64)
    disparity = depth_to_disparity(value, focal, baseline)
    assert disparity[0].item() == pytest.approx(focal * baseline / depth)
    torch.testing.assert_close(disparity_to_depth(disparity, focal, baseline), value)


def test_missing_disparity_has_no_gradient_poison() -> None:
    disparity = torch.tensor([0.0, 2.0], requires_grad=True)
    disparity_to_depth(disparity, 10.0, 1.0).sum().backward()
    assert disparity.grad is not None
    torch.testing.assert_close(disparity.grad, torch.tensor([0.0, -2.5]))


def test_a_map_of_a_scale_lies_on_the_image_where_its_pixels_are() -> None:
    inverse_depth = torch.tensor([1.0, 0.01]).reshape(1, 1, 1, 2)
    # A quarter of the way between the pixels' centres lies 0.75 * 1 + 0.25 * 0.01.
    full = to_full_size(inverse_depth, 1, (2, 4))
    torch.testing.assert_close(full[0, 0, 0], torch.tensor([1.0, 0.7525, 0.2575, 0.01]))
    # On an odd image the last pixel of the map reaches beyond: cut off, not squeezed in.
    torch.testing.assert_close(to_full_size(inverse_depth, 1, (1, 3)), full[..., :1, :3])


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 3))
def test_a_ramp_keeps_its_place_through_any_scale(height: int, width: int, scale: int) -> None:
    step = 2**scale
    rows, columns = -(-height // step), -(-width // step)
    # Pixel centres of the map in pixels of the image, and the ramp u + 2 v sampled there.
    v, u = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    ramp = ((u + 2 * v + 1.5) * step - 1.5).double()[None, None]
    full = to_full_size(ramp, scale, (height, width))[0, 0]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inner = (y >= step / 2) & (x >= step / 2) & (y < (rows - 0.5) * step)
    inner &= x < (columns - 0.5) * step - 1
    inner &= y < (rows - 0.5) * step - 1
    torch.testing.assert_close(full[inner], (x + 2 * y)[inner].double())


def test_an_image_shrinks_onto_the_same_places() -> None:
    image = torch.arange(5.0).expand(1, 3, 3, 5)
    small = to_scale(image, 1, (2, 3))
    # Means of two columns, the last one repeated beyond the image.
    torch.testing.assert_close(small[0, 0, 0], torch.tensor([0.5, 2.5, 4.0]))
    torch.testing.assert_close(to_scale(image, 0, (3, 5)), image)
