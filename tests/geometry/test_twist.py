"""The exponential map of SE(3), against that of matrices."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leadline.geometry.pose import twist_to_pose

seeds = st.integers(0, 2**31)


def twists(seed: int, angle: float, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, generator=generator, dtype=torch.float64) * torch.tensor(
        [angle] * 3 + [2.0] * 3, dtype=torch.float64
    )


def generators() -> Tensor:
    """The six matrices of which twists are sums."""
    found = torch.zeros(6, 4, 4, dtype=torch.float64)
    for axis, (i, j) in enumerate([(2, 1), (0, 2), (1, 0)]):
        found[axis, i, j], found[axis, j, i] = 1, -1
        found[3 + axis, axis, 3] = 1
    return found


@given(seeds, st.sampled_from([0.0, 1e-12, 1e-7, 1e-3, 0.1, 0.29, 0.5, 1.0]))
def test_it_is_the_exponential_of_the_matrix(seed: int, angle: float) -> None:
    twist = twists(seed, angle)
    expected = torch.linalg.matrix_exp(torch.einsum("bk,kij->bij", twist, generators()))
    torch.testing.assert_close(twist_to_pose(twist), expected, atol=1e-13, rtol=1e-13)


def test_single_precision_on_both_sides_of_where_the_series_ends() -> None:
    direction = torch.tensor([0.6, 0.0, 0.8, 1.0, -2.0, 3.0], dtype=torch.float64)
    angles = torch.tensor([0.499, 0.4999999, 0.5000001, 0.501], dtype=torch.float64)
    twist = torch.cat([angles[:, None] * direction[:3], direction[3:].expand(4, 3)], dim=1)
    torch.testing.assert_close(
        twist_to_pose(twist.float()).double(), twist_to_pose(twist), atol=1e-6, rtol=0
    )


def test_at_rest_its_derivatives_are_the_generators() -> None:
    found = torch.func.jacrev(lambda x: twist_to_pose(x[None])[0])(
        torch.zeros(6, dtype=torch.float64)
    )
    torch.testing.assert_close(found.movedim(-1, 0), generators())
    still = torch.zeros(1, 6, requires_grad=True)
    twist_to_pose(still).sum().backward()
    assert still.grad is not None
    assert still.grad.isfinite().all()


@pytest.mark.parametrize("angle", [1e-3, 0.4, 2.0])
def test_gradients_match_finite_differences(angle: float) -> None:
    assert torch.autograd.gradcheck(twist_to_pose, twists(1, angle).requires_grad_())
