import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evaluation.names import id_to_stem, match_ids, short_name, stem_to_id

KITTI = "2011_09_26/2011_09_26_drive_0023_sync 0000000005 l"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_id_reads_back_from_a_safe_name(image_id):
    stem = id_to_stem(image_id)
    assert stem_to_id(stem) == image_id
    assert not set(stem) & set('/\\ :*?"<>|\0')
    assert not stem.startswith(".")


def test_plain_stems_are_their_own_ids():
    assert id_to_stem("0000000005") == stem_to_id("0000000005") == "0000000005"


def test_short_names():
    assert short_name(KITTI) == "0000000005"
    assert short_name("image_02/0000000005") == "0000000005"
    assert short_name("two words") == "two words"


def test_equal_ids_win_over_short_names():
    assert match_ids(["5"], ["drive 5 l", "5"], "a prediction") == {"5": "5"}


def test_a_plain_name_matches_a_long_id_either_way():
    assert match_ids(["0000000005"], [KITTI], "a prediction") == {"0000000005": KITTI}
    assert match_ids([KITTI], ["0000000005"], "a prediction") == {KITTI: "0000000005"}


def test_long_ids_do_not_match_by_their_frames():
    other_side = KITTI.replace(" l", " r")
    with pytest.raises(ValueError, match="got none for 1 of 1"):
        match_ids([KITTI], [other_side], "a prediction")


def test_missing_matches_name_three():
    with pytest.raises(
        ValueError, match=r"prediction for every truth, got none for 4 of 5: '1', '2', '3', \.\.\."
    ):
        match_ids(["0", "1", "2", "3", "4"], ["0", "other"], "a prediction")


def test_two_candidates_are_refused():
    with pytest.raises(ValueError, match="a prediction for '5', got 2: 'drive 5 l', 'drive 5 r'"):
        match_ids(["5"], ["drive 5 l", "drive 5 r"], "a prediction")


def test_one_prediction_for_two_truths_is_refused():
    with pytest.raises(ValueError, match="got one for several: '5'"):
        match_ids(["a/5", "b/5"], ["5"], "a prediction")
