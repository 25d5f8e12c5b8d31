"""Costs, paths and winners against a plain form; shifted textures against their shift."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.hints.census import census
from leadline.hints.semi_global import (
    GUIDE_LIMIT,
    SMOOTH_STEP,
    SemiGlobalSetting,
    match_views,
)

SETTING = SemiGlobalSetting(num_disparities=16)


def texture(height: int, width: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (3, 3), 0)


def plain_costs(
    left: np.ndarray, right: np.ndarray, setting: SemiGlobalSetting, guide: np.ndarray | None
) -> np.ndarray:
    height, width = left.shape
    codes = census(left), census(right)
    costs = np.zeros((height, width, setting.num_disparities), int)
    for d in range(setting.num_disparities):
        matched = np.maximum(np.arange(width) - d, 0)
        different = codes[0] ^ codes[1][:, matched]
        costs[:, :, d] = [[int(word).bit_count() for word in row] for row in different]
        costs[:, :d, d] = np.minimum(costs[:, :d, d], setting.beyond)
    if guide is not None:
        y, x = np.arange(height) // 2, np.arange(width) // 2
        y, x = np.minimum(y, guide.shape[0] - 1), np.minimum(x, guide.shape[1] - 1)
        halves = np.arange(setting.num_disparities) // 2
        costs += guide[np.ix_(y, x, halves)] >> setting.guide_shift
    return costs


def plain_path(
    image: np.ndarray, costs: np.ndarray, step: tuple[int, int], setting: SemiGlobalSetting
) -> np.ndarray:
    """Path costs along one direction, pixel by pixel as in the equation."""
    height, width, number = costs.shape
    path = np.zeros_like(costs)
    rows = range(height)
    columns = range(width) if step[1] >= 0 else range(width - 1, -1, -1)
    for y in rows:
        for x in columns:
            before = y - step[0], x - step[1]
            if not (0 <= before[0] < height and 0 <= before[1] < width):
                path[y, x] = costs[y, x]
                continue
            contrast = abs(int(image[y, x]) - int(image[before]))
            p2 = max(setting.p2_least, setting.p2 // (1 + contrast // SMOOTH_STEP))
            last = path[before]
            for d in range(number):
                ways = [last[d], last.min() + p2]
                ways += [last[n] + setting.p1 for n in (d - 1, d + 1) if 0 <= n < number]
                path[y, x, d] = costs[y, x, d] + min(ways) - last.min()
    return path


def plain_sums(
    left: np.ndarray,
    right: np.ndarray,
    setting: SemiGlobalSetting,
    guide: np.ndarray | None = None,
) -> np.ndarray:
    costs = plain_costs(left, right, setting, guide)
    steps = ((1, 0), (0, 1), (0, -1))
    return sum((plain_path(left, costs, step, setting) for step in steps), np.zeros_like(costs))


def plain_winner(sums: np.ndarray) -> tuple[float, int]:
    """Disparity with its fraction, and margin, of the sums that are possible at a pixel."""
    best = int(sums.argmin())
    others = [s for d, s in enumerate(sums) if abs(d - best) > 1]
    margin = min(others) - int(sums[best]) if others else 0
    if 0 < best < len(sums) - 1:
        lower, least, upper = (int(s) for s in sums[best - 1 : best + 2])
        rise = max(lower, upper) - least
        return best + ((lower - upper) / (2 * rise) if rise else 0), margin
    return best, margin


cases = st.tuples(st.integers(1, 6), st.integers(2, 24), st.integers(0, 2**32 - 1), st.booleans())


@settings(deadline=None, max_examples=40)
@given(cases)
def test_equals_the_plain_form(case: tuple[int, int, int, bool]) -> None:
    height, width, seed, guided = case
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, 256, (height, width), np.uint8) for _ in range(2))
    setting = replace(SETTING, num_disparities=int(rng.integers(1, 7)) * 2)
    half = (max(height // 2, 1), max(width // 2, 1), setting.num_disparities // 2)
    guide = rng.integers(0, GUIDE_LIMIT + 1, half, np.uint8) if guided else None
    check_against_plain_form(left, right, setting, guide)


@pytest.mark.parametrize("disparities", [254, 256])
def test_the_widest_ranges_equal_the_plain_form(disparities: int) -> None:
    """Costs as large as bytes hold, and the last of the keys."""
    rng = np.random.default_rng(disparities)
    left, right = (rng.integers(0, 2, (2, 300), np.uint8) * np.uint8(255) for _ in range(2))
    setting = SemiGlobalSetting(disparities, p1=37, p2=181, p2_least=37)
    check_against_plain_form(left, right, setting, np.full((1, 150, 128), GUIDE_LIMIT, np.uint8))


def check_against_plain_form(
    left: np.ndarray, right: np.ndarray, setting: SemiGlobalSetting, guide: np.ndarray | None
) -> None:
    height, width = left.shape
    views = match_views(left, right, setting, guide, keep_guide=True)
    sums = plain_sums(left, right, setting, guide)
    for y in range(height):
        for x in range(width):
            possible = sums[y, x, : x + 1]
            disparity, margin = plain_winner(possible)
            assert views.disparity[0, y, x] == pytest.approx(disparity, abs=1e-5)
            assert views.margin[0, y, x] == margin
            # A right pixel meets the sums of the left pixels that may match it.
            reach = min(setting.num_disparities, width - x)
            met = np.array([sums[y, x + d, d] for d in range(reach)])
            assert abs(views.disparity[1, y, x] - met.argmin()) <= 0.5
            assert views.margin[1, y, x] == views.margin[0, y, x + met.argmin()]
    assert views.guide is not None
    above = sums - np.take_along_axis(sums, views.disparity[0, :, :, None].round().astype(int), 2)
    rounded = np.abs(views.disparity[0] % 1 - 0.5) < 1e-6
    expected = np.clip(above, 0, GUIDE_LIMIT)[~rounded]
    np.testing.assert_array_equal(views.guide[~rounded], expected)


@pytest.mark.parametrize("shift", [0, 1, 5, 11])
def test_a_shifted_texture_is_found_in_both_views(shift: int) -> None:
    wide = texture(24, 80, 3)
    left, right = wide[:, :64], wide[:, shift : shift + 64]
    views = match_views(np.ascontiguousarray(left), np.ascontiguousarray(right), SETTING)
    for found in (views.disparity[0][:, 16:], views.disparity[1][:, : 64 - 16]):
        assert np.mean(np.abs(found - shift) < 0.5) > 0.99


def test_fractions_follow_a_shift_between_pixels() -> None:
    """Of a smooth texture, resampled at quarters of a pixel."""
    wide = cv2.GaussianBlur(texture(60, 1200, 5), (0, 0), 5)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    found = []
    for quarter in range(4):
        left, right = wide[:, 40:1000:4], wide[:, 40 + 20 + quarter : 1000 + 20 + quarter : 4]
        views = match_views(np.ascontiguousarray(left), np.ascontiguousarray(right), SETTING)
        found.append(np.median(views.disparity[0][:, 20:]))
    assert np.all(np.diff(found) > 0.05)
    np.testing.assert_allclose(found, 5 + np.arange(4) / 4, atol=0.2)


def test_mirrored_views_are_those_of_the_mirrored_pictures() -> None:
    wide = texture(24, 80, 4)
    left, right = wide[:, :64], wide[:, 5:69]
    there = match_views(np.ascontiguousarray(left), np.ascontiguousarray(right), SETTING)
    mirror = [np.ascontiguousarray(one[:, ::-1]) for one in (right, left)]
    here = match_views(mirror[0], mirror[1], SETTING)
    inner = (slice(None), slice(None), slice(16, 48))
    np.testing.assert_allclose(there.mirrored().disparity[inner], here.disparity[inner], atol=0.3)


def test_a_guide_decides_where_the_picture_does_not() -> None:
    flat = np.full((8, 64), 100, np.uint8)
    guide = np.full((4, 32, 8), GUIDE_LIMIT, np.uint8)
    guide[:, :, 3] = 0
    views = match_views(flat, flat, SETTING, guide)
    assert set(np.unique(views.disparity[0][:, 16:].round())) <= {6, 7}


def test_what_cannot_be_held_is_refused() -> None:
    with pytest.raises(ValueError, match="disparities: expected an even number"):
        SemiGlobalSetting(num_disparities=17)
    with pytest.raises(ValueError, match="disparities: expected an even number"):
        SemiGlobalSetting(num_disparities=258)
    with pytest.raises(ValueError, match="penalties: expected"):
        SemiGlobalSetting(p2=230)
    with pytest.raises(ValueError, match="penalties: expected"):
        SemiGlobalSetting(p1=50)
    for wrong in ({"beyond": -1}, {"beyond": 31}, {"guide_shift": -1}):
        with pytest.raises(ValueError, match="costs: expected beyond from 0 to 30"):
            SemiGlobalSetting(**wrong)
    image = texture(8, 16, 0)
    with pytest.raises(ValueError, match="two images of one size"):
        match_views(image, image[:, :8], SETTING)
    with pytest.raises(ValueError, match="guide: expected"):
        match_views(image, image, SETTING, np.zeros((4, 8, 4), np.uint8))
