"""The compiled pass gives the numbers of the formulas, forward and backward."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.photometry.compiled import CompiledErrors
from leadline.photometry.constants import ROBUST_EPSILON
from leadline.photometry.error import Absolute, photometric_error, photometric_errors

sizes = st.tuples(st.integers(2, 9), st.integers(2, 12))


forms = st.sampled_from(["l1", "robust_l1"])


@given(sizes, st.integers(0, 2**31), st.sampled_from([0.0, 0.85, 1.0]), st.integers(1, 3), forms)
def test_compiled_equals_the_formulas(
    size: tuple[int, int], seed: int, weight: float, channels: int, form: Absolute
) -> None:
    torch.manual_seed(seed)
    explanations = torch.rand(3, 2, channels, *size, dtype=torch.float64, requires_grad=True)
    target = torch.rand(2, channels, *size, dtype=torch.float64)
    upstream = torch.randn(3, 2, *size, dtype=torch.float64)
    plain = torch.stack(
        [photometric_error(one, target, weight, form)[:, 0] for one in explanations]
    )
    compiled = photometric_errors(explanations, target, weight, form)
    torch.testing.assert_close(compiled, plain, atol=1e-12, rtol=0)
    (plain_gradient,) = torch.autograd.grad(plain, explanations, upstream)
    (gradient,) = torch.autograd.grad(compiled, explanations, upstream)
    torch.testing.assert_close(gradient, plain_gradient, atol=1e-10, rtol=0)


def test_single_precision_on_dark_and_flat_images() -> None:
    torch.manual_seed(0)
    target = torch.rand(1, 3, 20, 30) * 0.05
    target[..., :15] = 0.02
    explanations = (target + 0.001 * torch.randn(2, 1, 3, 20, 30)).requires_grad_()
    double = explanations.detach().double()
    expected = torch.stack([photometric_error(one, target.double())[:, 0] for one in double])
    torch.testing.assert_close(
        photometric_errors(explanations, target).double(), expected, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("epsilon", [0.0, ROBUST_EPSILON])
def test_the_gradient_is_that_of_finite_differences(epsilon: float) -> None:
    torch.manual_seed(1)
    target = torch.rand(1, 2, 4, 5, dtype=torch.float64)
    explanations = torch.rand(2, 1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: CompiledErrors.apply(x, target, 0.85, epsilon), explanations, eps=1e-7
    )


def test_strided_explanations_and_threads_do_not_change_the_result() -> None:
    torch.manual_seed(2)
    target = torch.rand(2, 3, 8, 9)
    explanations = torch.rand(2, 5, 3, 8, 9).transpose(0, 1)
    expected = photometric_errors(explanations.contiguous(), target)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert torch.equal(photometric_errors(explanations, target), expected)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU to compare with")
def test_gpu_gives_the_same_numbers() -> None:
    explanations, target = torch.rand(4, 2, 3, 16, 20), torch.rand(2, 3, 16, 20)
    on_gpu = photometric_errors(explanations.cuda(), target.cuda()).cpu()
    torch.testing.assert_close(on_gpu, photometric_errors(explanations, target))


def test_nan_is_not_hidden() -> None:
    explanations, target = torch.rand(1, 1, 3, 4, 5), torch.rand(1, 3, 4, 5)
    explanations[0, 0, 1, 2, 2] = torch.nan
    assert photometric_errors(explanations, target).isnan().any()


@pytest.mark.parametrize("size", [(1, 5), (5, 1)])
def test_a_single_row_or_column_is_left_to_the_formulas(size: tuple[int, int]) -> None:
    a, b = torch.rand(2, 1, 3, *size)
    torch.testing.assert_close(photometric_errors(a[None], b, 0.0)[0], (a - b).abs().mean(1))
    with pytest.raises(RuntimeError):
        photometric_errors(a[None], b)
