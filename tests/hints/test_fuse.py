import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.geometry.warp import sample, warp_by_disparity
from leadline.hints import fuse as fuse_module
from leadline.hints.fuse import UNEXPLAINED, fuse, identity_error
from leadline.photometry.error import photometric_error

CORNER = (-1e6, 0.0)
"""Where depth 0 is projected: far to the left of the first row."""


def image(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    smooth = rng.integers(0, 256, (height, 1, 3)) + rng.integers(-9, 10, (height, width, 3))
    wild = rng.integers(0, 256, (height, width, 3))
    chosen = np.where(rng.random((height, width, 1)) < 0.5, smooth, wild)
    return np.clip(chosen, 0, 255).astype(np.uint8)


def double(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].double() / 255


def plain_error(target: np.ndarray, source: np.ndarray, disparity: np.ndarray) -> np.ndarray:
    """The error of one candidate, written with the package's general parts in double."""
    pixels = torch.from_numpy(disparity).double() / 16
    y, x = np.indices(disparity.shape)
    u = torch.where(pixels > 0, torch.from_numpy(x) - pixels, CORNER[0])
    v = torch.where(pixels > 0, torch.from_numpy(y).double(), CORNER[1])
    warped = sample(double(source), torch.stack([u, v])[None])
    return photometric_error(warped, double(target))[0, 0].numpy()


cases = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 24), st.integers(1, 4)
)


@given(cases, st.booleans())
def test_equals_the_plain_form(case: tuple[int, int, int, int], missing_may_win: bool) -> None:
    seed, height, width, number = case
    rng = np.random.default_rng(seed)
    target, source = image(rng, height, width), image(rng, height, width)
    candidates = rng.integers(-1, 16 * width, (number, height, width)).astype(np.int16)
    candidates[rng.random(candidates.shape) < 0.4] = 0
    fused = fuse(target, source, candidates, missing_may_win=missing_may_win)

    errors = np.stack([plain_error(target, source, candidate) for candidate in candidates])
    errors[candidates < (0 if missing_may_win else 1)] = UNEXPLAINED
    np.testing.assert_allclose(fused.error, errors.min(0), atol=1e-5)
    none = errors.min(0) == UNEXPLAINED
    np.testing.assert_array_equal(fused.choice < 0, none)
    picked = np.take_along_axis(errors, np.maximum(fused.choice, 0)[None].astype(int), 0)[0]
    np.testing.assert_allclose(picked, errors.min(0), atol=1e-5)
    chosen = np.take_along_axis(candidates, np.maximum(fused.choice, 0)[None].astype(int), 0)[0]
    np.testing.assert_array_equal(fused.disparity, np.where(none, 0, chosen))


@given(cases)
def test_mirrored_right_view_equals_the_plain_form_of_a_right_target(
    case: tuple[int, int, int, int],
) -> None:
    seed, height, width, _ = case
    rng = np.random.default_rng(seed)
    right, left = image(rng, height, width), image(rng, height, width)
    disparity = rng.integers(1, 16 * width, (height, width)).astype(np.int16)
    mirrored = fuse(right[:, ::-1], left[:, ::-1], disparity[None, :, ::-1])
    to_the_left = -torch.from_numpy(disparity)[None, None].double() / 16
    warped = warp_by_disparity(double(left), to_the_left).image
    expected = photometric_error(warped, double(right))[0, 0].numpy()
    np.testing.assert_allclose(mirrored.error[:, ::-1], expected, atol=1e-5)


def test_identity_error_equals_the_plain_form() -> None:
    rng = np.random.default_rng(3)
    target, source = image(rng, 20, 30), image(rng, 20, 30)
    expected = photometric_error(double(source), double(target))[0, 0].numpy()
    np.testing.assert_allclose(identity_error(target, source), expected, atol=1e-5)
    assert not identity_error(target, target).any()


def test_depth_zero_is_seen_at_the_corner_as_in_the_published_projection() -> None:
    """p' = K (D K^-1 p + t) / (z + 1e-7) with t = (-0.1, 0, 0) and D = 0 [depth-hints]."""
    intrinsics = np.array([[593.92, 0, 512], [0, 614.4, 160], [0, 0, 1]])
    x, y, z = intrinsics @ np.array([-0.1, 0, 0])
    assert x / (z + 1e-7) <= CORNER[0]
    assert y / (z + 1e-7) == CORNER[1]


def test_missing_wins_only_where_it_may() -> None:
    flat = np.full((6, 8, 3), 90, np.uint8)
    source = flat.copy()
    source[:, 4:] = 200
    wrong, missing = np.full((6, 8), 16, np.int16), np.zeros((6, 8), np.int16)
    candidates = np.stack([wrong, missing])
    assert (fuse(flat, source, candidates).disparity == 16).all()
    published = fuse(flat, source, candidates, missing_may_win=True)
    assert (published.disparity[:, 6:] == 0).all()
    assert (published.choice[:, 6:] == 1).all()
    assert (published.disparity[:, 2:4] == 16).all()  # equal errors: the first stays


def test_sizes_are_checked_before_compiled_code_reads() -> None:
    with pytest.raises(ValueError, match="expected maps of one size"):
        fuse_module._check_sizes((4, 6, 3), (4, 6, 3), (4, 5, 3))
    row = np.zeros((1, 6, 3), np.uint8)
    with pytest.raises(ValueError, match="2x2 or more"):
        fuse(row, row, np.zeros((1, 1, 6), np.int16))
    with pytest.raises(ValueError, match="2x2 or more"):
        identity_error(row, row)
