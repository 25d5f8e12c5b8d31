import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leadline.evaluation.alignment import Alignment
from leadline.evaluation.guesses import CONSTANT, ROW, honest_guesses
from leadline.evaluation.protocol import named_protocol
from leadline.metrics import least_abs_rel

NO_CROP = named_protocol("none")


@given(arrays(np.float64, st.integers(1, 12), elements=st.floats(0.5, 80)))
def test_no_constant_is_better_than_the_weighted_median(truth):
    def cost(constant):
        return np.mean(np.abs(truth - constant) / truth)

    best = cost(least_abs_rel(truth))
    # The cost is convex and has its corners at the truths: its least value is at one of them.
    assert best == pytest.approx(min(cost(candidate) for candidate in truth), rel=1e-9)


@given(arrays(np.float32, st.integers(1, 30), elements=st.floats(0.5, 80, width=32)))
def test_the_median_is_the_same_in_blocks(truth):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leadline.metrics.depth._BLOCK", 4)
        in_blocks = least_abs_rel(truth)
    # Where half of the weight is just reached rounding decides between two that are as good.
    cost = [np.mean(np.abs(truth - found) / truth) for found in (in_blocks, least_abs_rel(truth))]
    assert cost[0] == pytest.approx(cost[1], rel=1e-5)


def test_guesses_are_fitted_over_all_images_and_their_own_rows():
    truths = [np.array([[10.0, 10.0], [2.0, 0.0]]), np.array([[10.0, 0.0], [2.0, 2.0]])]
    guesses = honest_guesses(iter(truths), NO_CROP)
    assert list(guesses) == ["best constant", "best value per row"]
    assert guesses[ROW].abs_rel == pytest.approx(0, abs=1e-7)
    # Weighted by 1 / g the near pixels win: 2 m for all, 80 % wrong at 10 m.
    assert guesses[CONSTANT].abs_rel == pytest.approx((0.8 * 2 / 3 + 0.8 / 3) / 2)


def test_guesses_are_aligned_and_clamped_as_predictions_are():
    truths = [np.full((2, 2), 10.0), np.full((2, 2), 40.0)]
    assert honest_guesses(truths, NO_CROP)[CONSTANT].abs_rel > 0.3
    aligned = honest_guesses(truths, NO_CROP, Alignment("median"))
    assert aligned[CONSTANT].abs_rel == pytest.approx(0)
    capped = honest_guesses([np.full((2, 2), 200.0)], named_protocol("improved"))
    assert capped[CONSTANT].abs_rel == pytest.approx(0.6)


def test_guesses_are_pooled_where_the_protocol_pools():
    truths = [np.full((2, 2), 2.0), np.array([[4.0, 0.0], [0.0, 0.0]])]
    # 2 m for all: right in four pixels, half wrong in the fifth.
    assert honest_guesses(truths, NO_CROP)[CONSTANT].abs_rel == pytest.approx(0.25)
    pooled = honest_guesses(truths, named_protocol("nyu_fcrn"))
    assert pooled[CONSTANT].abs_rel == pytest.approx(0.1)


def test_rows_of_unequal_images_are_brought_together():
    tall, low = np.repeat(np.array([[10.0], [10.0], [2.0], [2.0]]), 3, axis=1), np.ones((2, 3))
    low[0], low[1] = 10, 2
    assert honest_guesses([tall, low], NO_CROP)[ROW].abs_rel == pytest.approx(0, abs=1e-7)


def test_truth_must_have_something_to_score():
    with pytest.raises(ValueError, match="got none in any image"):
        honest_guesses([np.zeros((4, 4))], NO_CROP)
