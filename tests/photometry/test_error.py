"""SSIM, L1 and their mix, against slow twins, kornia and scikit-image."""

import kornia
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from torch import Tensor

from leadline.photometry.error import photometric_error, ssim_distance

sizes = st.tuples(st.integers(2, 9), st.integers(2, 9))
seeds = st.integers(0, 2**31)


def images(size: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.rand(2, 2, 3, *size, dtype=torch.float64).unbind(0)  # type: ignore[return-value]


def slow_ssim_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One channel, window by window, in the words of the formula."""
    height, width = a.shape
    a, b = (np.pad(x, 1, mode="reflect") for x in (a, b))
    out = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            p, q = a[y : y + 3, x : x + 3], b[y : y + 3, x : x + 3]
            covariance = (p * q).mean() - p.mean() * q.mean()
            ssim = (
                (2 * p.mean() * q.mean() + 1e-4)
                * (2 * covariance + 9e-4)
                / ((p.mean() ** 2 + q.mean() ** 2 + 1e-4) * (p.var() + q.var() + 9e-4))
            )
            out[y, x] = np.clip((1 - ssim) / 2, 0, 1)
    return out


@given(sizes, seeds)
def test_ssim_against_a_slow_twin(size: tuple[int, int], seed: int) -> None:
    a, b = images(size, seed)
    expected = slow_ssim_distance(a[1, 2].numpy(), b[1, 2].numpy())
    np.testing.assert_allclose(ssim_distance(a, b)[1, 2].numpy(), expected, atol=1e-10)


def test_ssim_against_scikit_image() -> None:
    a, b = images((12, 15), seed=0)
    _, similarity = structural_similarity(
        a[0, 0].numpy(),
        b[0, 0].numpy(),
        win_size=3,
        data_range=1.0,
        use_sample_covariance=False,
        full=True,
    )
    ours = ssim_distance(a, b)[0, 0, 1:-1, 1:-1].numpy()
    np.testing.assert_allclose(ours, np.clip((1 - similarity) / 2, 0, 1)[1:-1, 1:-1], atol=1e-9)


def test_ssim_against_kornia_on_flat_windows() -> None:
    # kornia weighs its window by a Gaussian, which drops out where a window is constant.
    a = torch.full((1, 1, 6, 6), 0.3, dtype=torch.float64)
    b = a + 0.4
    expected = (1 - kornia.metrics.ssim(a, b, window_size=3)) / 2
    torch.testing.assert_close(ssim_distance(a, b), expected, atol=1e-6, rtol=0)


@given(sizes, seeds, st.sampled_from([0.0, 0.85, 1.0]))
def test_error_is_zero_on_itself_symmetric_and_bounded(
    size: tuple[int, int], seed: int, weight: float
) -> None:
    a, b = images(size, seed)
    assert photometric_error(a, a, weight).abs().max() < 1e-12
    error = photometric_error(a, b, weight)
    torch.testing.assert_close(error, photometric_error(b, a, weight))
    assert (error >= 0).all()
    assert (error <= 1).all()


def test_error_mixes_by_its_weight() -> None:
    a, b = images((6, 7), seed=1)
    absolute = (a - b).abs().mean(1, keepdim=True)
    structural = ssim_distance(a, b).mean(1, keepdim=True)
    torch.testing.assert_close(photometric_error(a, b), 0.85 * structural + 0.15 * absolute)
    torch.testing.assert_close(photometric_error(a, b, 0.0), absolute)


@pytest.mark.parametrize("weight", [0.0, 0.85])
def test_gradient_matches_finite_differences(weight: float) -> None:
    a, b = images((5, 4), seed=2)
    assert torch.autograd.gradcheck(
        lambda x: photometric_error(x, b, weight), a.requires_grad_(), eps=1e-7
    )


def test_stacked_pictures_are_judged_as_each_alone() -> None:
    stacked, target = torch.rand(3, 2, 3, 8, 9), torch.rand(2, 3, 8, 9)
    together = photometric_error(stacked, target)
    alone = torch.stack([photometric_error(one, target) for one in stacked])
    torch.testing.assert_close(together, alone)
