"""Conversions between depth, inverse depth and disparity."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.geometry.depth import (
    depth_to_disparity,
    disparity_to_depth,
    resize_inverse_depth,
    sigmoid_to_inverse_depth,
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


def test_depth_is_resized_as_inverse_depth() -> None:
    depth = torch.tensor([1.0, 100.0]).reshape(1, 1, 1, 2)
    resized = resize_inverse_depth(depth, (1, 4)).flatten()
    # A quarter of the way between the pixels' centres, inverse depth is 0.75 * 1 + 0.25 * 0.01.
    torch.testing.assert_close(resized, torch.tensor([1.0, 0.7525, 0.2575, 0.01]))
    torch.testing.assert_close(resize_inverse_depth(depth, (1, 2)), 1 / depth)
