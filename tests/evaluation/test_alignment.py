import numpy as np
import pytest

from leadline.evaluation.alignment import UNALIGNED, Alignment, median_ratio


def test_names_and_factors_are_read():
    assert Alignment.parse("none") == UNALIGNED
    assert Alignment.parse("median").scale(lambda: 3.5) == 3.5


def test_only_the_median_asks_for_the_ratio():
    def refuse() -> float:
        raise AssertionError("nobody needs it")

    assert Alignment.parse("5.4").scale(refuse) == 5.4
    assert Alignment.parse(36).scale(refuse) == 36
    assert UNALIGNED.scale(refuse) == 1


@pytest.mark.parametrize("text", ["mean", "0", "-2", "nan", "inf"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=f"'none', 'median' or a positive factor, got {text!r}"):
        Alignment.parse(text)


def test_the_median_of_an_even_count_is_the_middle_of_two():
    assert median_ratio(np.array([1.0, 2.0, 4.0, 8.0]), np.array([6.0, 6.0, 6.0, 6.0])) == 2


@pytest.mark.parametrize("value", [0.0, np.inf])
def test_a_prediction_without_a_median_is_refused(value):
    with pytest.raises(ValueError, match="more than half of its scored pixels"):
        median_ratio(np.array([value, value, 1.0]), np.ones(3))


def test_alignments_say_what_they_do():
    assert "multiplied by 5.4" in Alignment.parse("5.4").describe()
    assert "median(truth) / median(prediction)" in Alignment("median").describe()
    assert "as they are" in UNALIGNED.describe()
