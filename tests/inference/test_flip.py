import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leadline.inference.flip import blend_flipped

maps = st.tuples(st.integers(1, 4), st.integers(2, 60)).flatmap(
    lambda size: st.tuples(
        arrays(np.float64, size, elements=st.floats(0.01, 10)),
        arrays(np.float64, size, elements=st.floats(0.01, 10)),
    )
)


def slow_blend(left, of_mirrored):
    height, width = left.shape
    out = np.zeros_like(left)
    for y in range(height):
        for x in range(width):
            across = x / (width - 1)
            mirrored = (width - 1 - x) / (width - 1)
            mask_left = 1 - min(max(20 * (across - 0.05), 0), 1)
            mask_right = 1 - min(max(20 * (mirrored - 0.05), 0), 1)
            a, b = left[y, x], of_mirrored[y, width - 1 - x]
            out[y, x] = mask_right * a + mask_left * b + (1 - mask_left - mask_right) * (a + b) / 2
    return out


@given(maps)
def test_blend_equals_a_loop_over_pixels(pair):
    assert blend_flipped(*pair) == pytest.approx(slow_blend(*pair))


@given(maps)
def test_a_network_that_commutes_with_mirroring_is_left_alone(pair):
    inverse_depth, _ = pair
    assert blend_flipped(inverse_depth, inverse_depth[:, ::-1]) == pytest.approx(inverse_depth)


def test_borders_come_from_the_side_that_sees_them():
    plain, mirrored = np.ones((1, 101)), np.full((1, 101), 3.0)
    blended = blend_flipped(plain, mirrored)[0]
    assert blended[:6] == pytest.approx(3)  # the left 5 %: the mirrored picture's prediction
    assert blended[-6:] == pytest.approx(1)
    assert blended[10:91] == pytest.approx(2)
    assert (np.diff(blended[5:11]) < 0).all()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="two predictions of one size"):
        blend_flipped(np.ones((2, 4)), np.ones((2, 5)))
