import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leadline.hints.census import BITS, RADII, census


def plain_census(image: np.ndarray) -> np.ndarray:
    height, width = image.shape
    codes = np.zeros(image.shape, object)
    for dy in range(-RADII[0], RADII[0] + 1):
        for dx in range(-RADII[1], RADII[1] + 1):
            if (dy + dx) % 2 == 0 and (dy, dx) != (0, 0):
                y = np.clip(np.arange(height) + dy, 0, height - 1)
                x = np.clip(np.arange(width) + dx, 0, width - 1)
                codes = codes * 2 + (image[np.ix_(y, x)] < image)
    return codes


sizes = st.tuples(st.integers(1, 12), st.integers(1, 20), st.integers(0, 2**32 - 1))


def noise(size: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(size[2]).integers(0, 256, size[:2], np.uint8)


@given(sizes)
def test_equals_the_plain_form(size: tuple[int, int, int]) -> None:
    image = noise(size)
    codes = census(image)
    np.testing.assert_array_equal(codes.astype(object), plain_census(image))
    assert codes.max() < 2**BITS


@given(sizes, st.integers(0, 100))
def test_exposure_and_gain_do_not_matter(size: tuple[int, int, int], offset: int) -> None:
    image = noise(size) // 2
    np.testing.assert_array_equal(census(image), census(image + np.uint8(offset)))
    doubled = image * np.uint8(2)
    np.testing.assert_array_equal(census(image), census(doubled))
