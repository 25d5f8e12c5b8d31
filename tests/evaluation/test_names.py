from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evaluation.names import id_to_stem, match_ids, stem_to_id

KITTI = "2011_09_26/2011_09_26_drive_0023_sync 0000000005 l"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_id_reads_back_from_a_safe_name(image_id):
    stem = id_to_stem(image_id)
    assert stem_to_id(stem) == image_id
    assert not set(stem) & set('/\\ :*?"<>|\0')
    assert not stem.startswith(".")


def test_plain_stems_are_their_own_ids():
    assert id_to_stem("0000000005") == stem_to_id("0000000005") == "0000000005"


def matched(truths, others):
    files = {other: Path("theirs") / f"{id_to_stem(other)}.npy" for other in others}
    return match_ids(truths, files, "a prediction")


def test_equal_ids_win_over_short_names():
    assert matched(["5"], ["drive 5 l", "5"]) == {"5": "5"}
    assert matched(["5"], ["05", "5"]) == {"5": "5"}
    assert matched(["drive 5 l"], ["drive 5 l", "drive/image_02/5"]) == {"drive 5 l": "drive 5 l"}


@pytest.mark.parametrize(
    "other",
    [
        "0000000005",
        "5",
        "2011_09_26/2011_09_26_drive_0023_sync 5 l",
        "2011_09_26/2011_09_26_drive_0023_sync/image_02/data/0000000005",
        "2011_09_26/2011_09_26_drive_0023_sync/image_02/0000000005",
        "2011_09_26_drive_0023_sync/image_02/0000000005",
        "2011_09_26_drive_0023_sync/0000000005",
        "2011_09_26_drive_0023_sync/proj_depth/groundtruth/image_02/0000000005",
        "train/2011_09_26_drive_0023_sync/proj_depth/groundtruth/image_02/0000000005",
        "2011_09_26/2011_09_26_drive_0023_sync/proj_depth/velodyne/image_02/0000000005",
        "2011_09_26_drive_0023_sync/proj_depth/velodyne_raw/image_02/0000000005",
        "proj_depth/groundtruth/image_02/0000000005",
        "groundtruth/image_02/0000000005",
        "image_02/data/0000000005",
        "image_02/5",
        "data/0000000005",
    ],
)
def test_a_line_of_a_split_matches_every_form_of_its_file(other):
    for line in (KITTI, KITTI.replace("0000000005", "5")):
        assert matched([line], [other]) == {line: other}
        assert matched([other], [line]) == {other: line}


@pytest.mark.parametrize(
    "other",
    [
        "0000000006",
        "50",
        "2011_09_26/2011_09_26_drive_0023_sync 5 r",
        "2011_09_26/2011_09_26_drive_0024_sync 5 l",
        "2011_09_26/2011_09_26_drive_0023_sync/image_03/data/0000000005",
        "2011_09_28/2011_09_26_drive_0023_sync/image_02/data/0000000005",
        "image_03/0000000005",
        "2011_09_26_drive_0023_sync/proj_depth/groundtruth/image_03/0000000005",
        "2011_09_26_drive_0024_sync/proj_depth/groundtruth/image_02/0000000005",
        "left/0000000005",
        "frame 5",
    ],
)
def test_another_frame_drive_or_side_is_no_match(other):
    with pytest.raises(ValueError, match="got none for any"):
        matched([KITTI], [other])


def test_the_depth_benchmarks_truth_is_that_of_the_raw_images():
    drives = ("2011_09_26_drive_0002_sync", "2011_09_26_drive_0005_sync")
    truths = [f"val/{d}/proj_depth/groundtruth/image_0{c}/0000000005" for d in drives for c in "23"]
    raw = [f"2011_09_26/{d}/image_0{c}/data/0000000005" for d in drives for c in "23"]
    lines = [f"2011_09_26/{d} 5 {side}" for d in drives for side in "lr"]
    assert matched(truths, raw) == dict(zip(truths, raw, strict=True))
    assert matched(truths, lines) == dict(zip(truths, lines, strict=True))


def test_the_fuller_name_is_taken_before_the_shorter_one():
    whole = "2011_09_26/2011_09_26_drive_0023_sync/image_02/data/0000000005"
    assert matched([KITTI], ["0000000005", whole]) == {KITTI: whole}


def test_of_no_match_at_all_the_first_truth_and_the_first_file_are_named():
    named = r"the first truth is 'day/drive 1 l', the first file .*a\.npy"
    with pytest.raises(ValueError, match=named):
        matched(["day/drive 1 l", "day/drive 2 l"], ["a", "b"])


def test_missing_matches_name_three():
    with pytest.raises(
        ValueError, match=r"prediction for every truth, got none for 4 of 5: '1', '2', '3', \.\.\."
    ):
        matched(["0", "1", "2", "3", "4"], ["0", "other"])


def test_two_candidates_are_refused():
    with pytest.raises(ValueError, match="a prediction for '5', got 2: 'drive 5 l', 'drive 5 r'"):
        matched(["5"], ["drive 5 l", "drive 5 r"])


def test_one_prediction_for_two_truths_is_refused():
    with pytest.raises(ValueError, match="got one for several: '5'"):
        matched(["a/5", "b/5"], ["5"])
