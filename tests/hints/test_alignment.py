import numpy as np
import pytest

from leadline.hints.alignment import LEAST_MATCHES, align
from leadline.hints.features import Matches, match_features

SIZE = (100, 300)


def scattered(number: int, *, offset=0.0, tilt=0.0, growth=0.0, wrong=0.0, sign=1.0) -> Matches:
    """Features whose rows are off by a plane over the picture, a share of them matched wrongly."""
    rng = np.random.default_rng(1)
    middle = rng.uniform((0, 0), (SIZE[1] - 1, SIZE[0] - 1), (number, 2))
    disparity = sign * rng.uniform(2, 30, number)
    across, down = (middle - (149.5, 49.5)).T
    drop = offset + tilt * across / SIZE[1] + growth * down / SIZE[0]
    drop += rng.normal(0, 0.2, number)
    half = np.stack([disparity, -drop], axis=1) / 2
    left, right = middle + half, middle - half
    strays = rng.random(number) < wrong
    right[strays] = rng.uniform((0, 0), (SIZE[1], SIZE[0]), (int(strays.sum()), 2))
    return Matches(left.astype(np.float32), right.astype(np.float32), 2 * number)


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_the_plane_is_found_among_wrong_matches(wrong: float) -> None:
    found = align(scattered(600, offset=1.5, tilt=-6.0, growth=2.0, wrong=wrong), SIZE)
    assert found is not None
    assert (found.offset, found.tilt, found.growth) == pytest.approx((1.5, -6.0, 2.0), abs=0.15)
    assert 0.15 < found.spread < 0.4
    assert found.roll == pytest.approx(np.rad2deg(np.arctan(-6 / 300)), abs=0.03)
    assert found.stretch == pytest.approx(0.02, abs=0.002)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 301), np.linspace(-0.5, 0.5, 101))
    slow = np.sqrt(np.mean((found.offset + found.tilt * x + found.growth * y) ** 2))
    assert found.rows == pytest.approx(slow, rel=0.02)
    assert found.wrong_side < 0.05


def test_degrees_are_those_of_the_picture_as_taken() -> None:
    # Twice as wide as it was taken: a turn looks half as steep.
    found = align(scattered(200, tilt=3.0), SIZE, aspect=2.0)
    assert found is not None
    assert found.roll == pytest.approx(np.rad2deg(np.arctan(2 * 3 / 300)), abs=0.03)


def test_sides_and_standing_still() -> None:
    swapped = align(scattered(200, sign=-1, wrong=0.1), SIZE)
    assert swapped is not None
    assert swapped.wrong_side > 0.98
    places = scattered(200).left
    same = align(Matches(places, places, 200), SIZE)
    assert same is not None
    assert (same.still, same.sided, same.wrong_side) == (1, 0, 0)


def test_few_matches_and_chance_ones_tell_nothing() -> None:
    assert align(scattered(LEAST_MATCHES - 1), SIZE) is None
    many = scattered(LEAST_MATCHES)
    assert align(many, SIZE) is not None
    assert align(Matches(many.left, many.right, 30 * LEAST_MATCHES), SIZE) is None
    assert align(Matches.pooled([]), SIZE) is None


def test_features_on_one_row_leave_no_slope_open() -> None:
    matches = scattered(100, offset=2.0)
    for places in (matches.left, matches.right):
        places[:, 1] = (places is matches.right and 52) or 50
    found = align(matches, SIZE)
    assert found is not None
    assert found.offset + found.growth * 1.5 / SIZE[0] == pytest.approx(2, abs=0.05)
    assert np.isfinite([found.roll, found.stretch]).all()


def test_matches_are_mutual_and_where_the_texture_is() -> None:
    rng = np.random.default_rng(0)
    left = np.repeat(rng.integers(0, 255, (60, 150, 1), np.uint8), 3, axis=2)
    left = np.kron(left, np.ones((2, 2, 1), np.uint8))
    right = np.roll(left, (3, -8), axis=(0, 1))
    matches = match_features(left, right)
    moved = matches.right - matches.left
    assert len(matches) > 100
    assert np.median(moved, axis=0) == pytest.approx((-8, 3), abs=0.05)
    # A feature of two directions is two features at one place; its partner is the same.
    places = {tuple(place) for place in matches.right.tolist()}
    partners = {tuple(place) for place in np.hstack([matches.left, matches.right]).tolist()}
    assert len(partners) < 1.05 * len(places)
    flat = np.full((60, 150, 3), 90, np.uint8)
    assert len(match_features(flat, left[:60, :150])) == 0
