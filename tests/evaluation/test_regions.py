import numpy as np
import pytest

from leadline.evaluation.regions import occluded_in_right


def slow_occluded(disparity):
    occluded = np.zeros(disparity.shape, dtype=bool)
    height, width = disparity.shape
    for y in range(height):
        landing = [x - disparity[y, x] for x in range(width)]
        for x in range(width):
            for other in range(x + 1, width):
                step = landing[other + 1] - landing[other] if other + 1 < width else 1
                reach = step if 0 < step <= 2 else 1
                occluded[y, x] |= landing[other] <= landing[x] < landing[other] + reach
    return occluded


@pytest.mark.parametrize("seed", range(8))
def test_occluded_equals_a_loop_over_pairs(seed):
    rng = np.random.default_rng(seed)
    disparity = np.repeat(rng.uniform(0, 12, (5, 6)), 5, axis=1) + rng.uniform(0, 0.3, (5, 30))
    assert (occluded_in_right(disparity) == slow_occluded(disparity)).all()


def test_a_wall_hides_a_band_as_wide_as_the_step_of_disparity():
    disparity = np.full((3, 60), 4.0)
    disparity[:, 30:50] = 11.0
    occluded = occluded_in_right(disparity)
    expected = np.zeros_like(occluded)
    expected[:, 23:30] = True
    assert (occluded == expected).all()


def test_what_is_seen_past_a_thin_pole_is_not_occluded():
    disparity = np.full((1, 60), 4.0)
    disparity[:, 40:42] = 20.0
    occluded = np.flatnonzero(occluded_in_right(disparity)[0])
    # The pole lands at 20 and 21, where the wall's pixels 24 and 25 land.
    assert occluded.tolist() == [24, 25]


@pytest.mark.parametrize("slope", [-0.9, -0.4, 0.0, 0.4, 0.9])
def test_a_slanted_wall_hides_nothing_of_itself(slope):
    disparity = np.repeat(50 + slope * np.arange(50)[None], 2, axis=0)
    assert not occluded_in_right(disparity).any()


def test_a_stretched_surface_hides_without_gaps():
    # In the right view the surface covers 1.5 pixels for each of its own.
    disparity = np.full((1, 80), 2.0)
    disparity[0, 40:60] = 30 - 0.5 * np.arange(20)
    landing = np.arange(80) - disparity[0]
    occluded = occluded_in_right(disparity)[0]
    covered = (landing >= landing[40]) & (landing < landing[59] + 1) & (np.arange(80) < 40)
    assert (occluded == covered).all()


def test_where_nothing_is_near_nothing_is_occluded():
    assert not occluded_in_right(np.zeros((2, 5))).any()
