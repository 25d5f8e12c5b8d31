"""What a mean over all pixels hides, on frames small enough to count by hand."""

import numpy as np
import pytest

from leadline.evaluation.details import DetailedFrame, score_details
from leadline.evaluation.protocol import named_protocol

HEIGHT, WIDTH = 12, 40
FOCAL, BASELINE = 40.0, 0.5
WALL, POLE = 20.0, 4.0
"""Metres: disparities of 1 and 5 pixels, so that the pole hides 4 columns left of it."""
COLUMNS, UPPER = slice(20, 23), slice(0, HEIGHT // 2)
"""The upper half is a pole, the lower another thin structure."""
OCCLUDED = slice(16, 20)


def frame(prediction: np.ndarray | None = None, thin: bool = True) -> DetailedFrame:
    """A pole before a wall."""
    truth = np.full((HEIGHT, WIDTH), WALL)
    truth[:, COLUMNS] = POLE
    poles, either = np.zeros((2, HEIGHT, WIDTH), bool)
    poles[UPPER, COLUMNS] = thin
    either[:, COLUMNS] = thin
    return DetailedFrame(
        truth.copy() if prediction is None else prediction, truth, poles, either, FOCAL, BASELINE
    )


def test_the_truth_has_no_error_and_all_outlines() -> None:
    details = score_details([frame()], named_protocol("none"))
    assert (details.thin_abs_rel, details.occluded_abs_rel) == (0, 0)
    assert details.edge_f1 == 1


def test_each_region_is_scored_by_itself() -> None:
    prediction = frame().truth.copy()
    prediction[:, COLUMNS] = POLE * 1.5
    prediction[UPPER, COLUMNS] = POLE * 1.7
    prediction[:, OCCLUDED] = WALL * 0.9
    details = score_details([frame(prediction)], named_protocol("none"))
    assert details.poles_abs_rel == pytest.approx(0.7)
    assert details.thin_abs_rel == pytest.approx(0.6)
    assert details.occluded_abs_rel == pytest.approx(0.1)


def test_a_wall_without_the_pole_has_no_outline() -> None:
    details = score_details([frame(np.full((HEIGHT, WIDTH), WALL))], named_protocol("none"))
    assert details.thin_abs_rel == pytest.approx(WALL / POLE - 1)
    assert details.edge_f1 == 0


def test_predictions_of_another_size_are_resized_and_clamped() -> None:
    far = np.full((HEIGHT // 2, WIDTH // 2), 1000.0)
    details = score_details([frame(far)], named_protocol("improved"))
    assert details.thin_abs_rel == pytest.approx(80 / POLE - 1)
    assert details.occluded_abs_rel == pytest.approx(80 / WALL - 1)


def test_means_are_over_the_frames_that_have_the_region() -> None:
    wrong = frame().truth * 1.2
    details = score_details([frame(), frame(wrong, thin=False)], named_protocol("none"))
    assert details.thin_abs_rel == 0
    assert details.occluded_abs_rel == pytest.approx(0.1)


def test_frames_without_such_regions_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="expected frames with pixels that are poles"):
        score_details([frame(thin=False)], named_protocol("none"))
    with pytest.raises(ValueError, match="expected frames with pixels that are poles"):
        score_details([], named_protocol("none"))
