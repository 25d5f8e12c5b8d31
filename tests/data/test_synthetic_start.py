import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.synthetic.start import errors_of_guessing, hard_start
from leadline.metrics import least_abs_rel


@given(st.lists(st.floats(0.5, 79), min_size=1, max_size=30))
def test_no_other_constant_guesses_better(depths: list[float]) -> None:
    truth = np.array(depths)

    def error(guess: float) -> float:
        return float(np.mean(np.abs(truth - guess) / truth))

    candidates = [*depths, *np.geomspace(0.4, 80, 50)]
    assert error(least_abs_rel(truth)) <= min(map(error, candidates)) + 1e-12


def test_errors_of_guessing_by_a_slow_search() -> None:
    random = np.random.default_rng(0)
    depths = random.uniform(3, 95, (3, 20, 40))
    depths[random.random(depths.shape) < 0.2] = 0
    guesses = np.unique(depths[(depths > 0) & (depths < 80)])
    rows = range(int(0.40810811 * 20), int(0.99189189 * 20))
    columns = slice(int(0.03594771 * 40), int(0.96405229 * 40))

    def least(truth: np.ndarray) -> float:
        return min(float((np.abs(truth - g) / truth).sum()) for g in guesses)

    crop = [depths[:, row, columns] for row in rows]
    crop = [row[(row > 0) & (row < 80)] for row in crop]
    count = sum(len(row) for row in crop)
    constant, per_row = errors_of_guessing(depths)
    assert constant == pytest.approx(least(np.concatenate(crop)) / count)
    assert per_row == pytest.approx(sum(map(least, crop)) / count)


def test_the_first_hard_place_is_chosen_else_the_hardest() -> None:
    random = np.random.default_rng(1)
    depths = {
        0.0: np.full((1, 24, 80), 10.0),
        6.0: random.uniform(8, 12, (1, 24, 80)),
        12.0: np.exp(random.uniform(0.5, 4.3, (1, 24, 80))),
        18.0: np.exp(random.uniform(0.2, 4.3, (1, 24, 80))),
    }
    assert hard_start(depths.__getitem__, [0.0, 6.0, 12.0, 18.0]) == 12.0
    assert hard_start(depths.__getitem__, [0.0, 6.0]) == 6.0
