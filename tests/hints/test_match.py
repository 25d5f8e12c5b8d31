from dataclasses import replace

import cv2
import numpy as np
import pytest

from leadline.hints.match import (
    PUBLISHED_SETTINGS,
    PUBLISHED_SETTINGS_IN_PART,
    UNSEARCHED,
    MatcherSetting,
    candidates,
    distinct,
    match,
)

SHIFT = 12


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A textured plane at a disparity of twelve pixels."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 340 + SHIFT, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (5, 5), 0)
    left, right = texture[:, :-SHIFT], texture[:, SHIFT:]
    return np.ascontiguousarray(left), np.ascontiguousarray(right)


def test_a_shift_is_found_in_sixteenths(pair: tuple[np.ndarray, np.ndarray]) -> None:
    disparity = match(*pair, MatcherSetting(3, 64))
    assert disparity.dtype == np.int16
    inside = disparity[:, 64:]
    assert np.mean(np.abs(inside - 16 * SHIFT) <= 4) > 0.9
    assert set(np.unique(disparity[:, :64])) == {0}


def test_settings_reach_opencv(pair: tuple[np.ndarray, np.ndarray]) -> None:
    plain = cv2.StereoSGBM.create(0, 96, 1, 36, 288, 0, 63, 10, 100, 16)
    expected = plain.compute(*pair)
    np.testing.assert_array_equal(
        match(*pair, MatcherSetting(1, 96)), np.where(expected > 0, expected, 0)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"p1": 280},
        {"p2": 40},
        {"pre_filter_cap": 5},
        {"uniqueness_ratio": 60},
        {"speckle_window": 20000},
        {"grey": True},
        {"three_way": True},
    ],
    ids=str,
)
def test_fields_change_something(change: dict[str, int]) -> None:
    rng = np.random.default_rng(1)
    pair = rng.integers(0, 255, (2, 40, 200, 3)).astype(np.uint8)
    pair[1] = pair[0] // 2 + pair[1] // 2
    before, after = (
        match(pair[0], pair[1], setting)
        for setting in (MatcherSetting(3, 64), MatcherSetting(3, 64, **change))
    )
    assert (before != after).any()


def test_eight_of_the_twelve_published_settings_differ(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    assert len(PUBLISHED_SETTINGS) == 12
    assert len(distinct(PUBLISHED_SETTINGS)) == 8
    for setting in PUBLISHED_SETTINGS:
        twin = next(s for s in distinct(PUBLISHED_SETTINGS) if s.behaviour == setting.behaviour)
        np.testing.assert_array_equal(match(*pair, setting), match(*pair, twin))


def test_results_do_not_depend_on_threads(pair: tuple[np.ndarray, np.ndarray]) -> None:
    setting, threads = MatcherSetting(3, 64, grey=True, three_way=True), cv2.getNumThreads()
    found = []
    for number in (1, 2, 5):
        cv2.setNumThreads(number)
        found.append(match(*pair, setting))
    cv2.setNumThreads(threads)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_searching_in_part_leaves_out_columns_and_nothing_else(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    whole = [replace(setting, columns=None) for setting in PUBLISHED_SETTINGS_IN_PART]
    assert {s.behaviour for s in whole} == {s.behaviour for s in PUBLISHED_SETTINGS}
    in_part = candidates(*pair, PUBLISHED_SETTINGS_IN_PART)
    for setting, found, complete in zip(
        PUBLISHED_SETTINGS_IN_PART, in_part, candidates(*pair, whole), strict=True
    ):
        columns = setting.columns or complete.shape[1]
        assert (found[:, columns:] == UNSEARCHED).all()
        assert (found[:, :columns] == complete[:, :columns]).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 64), "block_size: expected 1 or more, got 0"),
        ((3, 100), "num_disparities: expected a multiple of 16, got 100"),
        ((3, 64, 64), "columns: expected more than the 64 disparities"),
    ],
)
def test_senseless_settings_are_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MatcherSetting(*arguments)


def test_settings_are_named_by_what_is_unusual() -> None:
    assert str(MatcherSetting(3, 64)) == "3x64"
    assert str(MatcherSetting(1, 96, columns=192, grey=True)) == "1x96,columns=192,grey"
