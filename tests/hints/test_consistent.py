"""Hints on which both views agree: a scene of known disparities, its holes, and its mirror."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leadline.hints.consistent import (
    COARSE,
    FILLED,
    FINE,
    KINDS,
    ConsistentSetting,
    _Agreed,
    _explained,
    _reach,
    consistent_hints,
)
from leadline.hints.fuse import fuse, identity_error
from leadline.hints.semi_global import SemiGlobalSetting
from leadline.hints.view import NOTHING, ViewHint, mirrored_pair

HEIGHT, WIDTH = 96, 240
FAR, NEAR = 6, 22
POST = slice(110, 150)
"""Columns of the left picture that a near surface covers, in the middle rows."""
ROWS = slice(24, 72)
SETTING = ConsistentSetting(SemiGlobalSetting(num_disparities=48))
Picture = NDArray[np.uint8]


def texture(width: int, seed: int) -> Picture:
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, width, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (5, 5), 0), np.uint8)


@pytest.fixture(scope="module")
def pair() -> tuple[Picture, Picture]:
    """A far wall, and before its middle a near one."""
    wall, near = texture(WIDTH + FAR, 1), texture(WIDTH, 2)
    left, right = wall[:, :-FAR].copy(), wall[:, FAR:].copy()
    left[ROWS, POST] = near[ROWS, POST]
    right[ROWS, POST.start - NEAR : POST.stop - NEAR] = near[ROWS, POST]
    return left, right


@pytest.fixture(scope="module")
def hints(pair: tuple[Picture, Picture]) -> tuple[ViewHint, ViewHint]:
    left, right = consistent_hints(*pair, SETTING)
    assert left is not None
    assert right is not None
    return left, right


def truth() -> NDArray[np.float64]:
    disparity = np.full((HEIGHT, WIDTH), float(FAR))
    disparity[ROWS, POST] = NEAR
    return disparity


def hidden() -> NDArray[np.bool_]:
    """Pixels of the left picture that the right one does not show."""
    unseen = np.zeros((HEIGHT, WIDTH), bool)
    unseen[:, :FAR] = True
    unseen[ROWS, POST.start - (NEAR - FAR) : POST.start] = True
    return unseen


def test_what_both_views_show_is_found(hints: tuple[ViewHint, ViewHint]) -> None:
    pixels = hints[0].disparity / 16
    seen = ~hidden() & (pixels > 0)
    assert seen.sum() > 0.93 * (~hidden()).sum()
    assert np.mean(np.abs(pixels - truth())[seen] < 1) > 0.97


def test_what_one_view_hides_has_no_hint(hints: tuple[ViewHint, ViewHint]) -> None:
    inner = cv2.erode(hidden().astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    found = (hints[0].disparity > 0) & inner
    assert found.sum() < 0.25 * inner.sum()


def test_no_band_is_blind(hints: tuple[ViewHint, ViewHint]) -> None:
    """At the left, as far as the other camera sees it; at its right border the right view."""
    assert np.mean(hints[0].disparity[:, FAR + 2 : 48] > 0) > 0.95
    assert np.mean(hints[1].disparity[:, -48 : -FAR - 2] > 0) > 0.95


def test_the_right_view_is_the_left_one_of_the_mirror(
    pair: tuple[Picture, Picture], hints: tuple[ViewHint, ViewHint]
) -> None:
    mirrored, _ = consistent_hints(*mirrored_pair(*pair), SETTING, wanted=(True, False))
    assert mirrored is not None
    right = mirrored.mirrored()
    both = (right.disparity > 0) & (hints[1].disparity > 0)
    assert np.mean((right.disparity > 0) == (hints[1].disparity > 0)) > 0.95
    assert np.mean(np.abs(right.disparity - hints[1].disparity)[both] <= 16) > 0.98
    shifted = np.zeros_like(truth())
    shifted[:] = FAR
    shifted[ROWS, POST.start - NEAR : POST.stop - NEAR] = NEAR
    given = hints[1].disparity > 0
    assert np.mean(np.abs(hints[1].disparity / 16 - shifted)[given] < 1) > 0.95


def test_a_view_that_is_not_wanted_is_not_made(pair: tuple[Picture, Picture]) -> None:
    left, right = consistent_hints(*pair, SETTING, wanted=(False, True))
    assert left is None
    assert right is not None


def test_confidence_and_choice_say_where_hints_come_from(
    pair: tuple[Picture, Picture], hints: tuple[ViewHint, ViewHint]
) -> None:
    hint = hints[0]
    given = hint.disparity > 0
    assert hint.confidence is not None
    np.testing.assert_array_equal(hint.choice == NOTHING, ~given)
    assert set(np.unique(hint.choice)) <= {NOTHING, FINE, COARSE}
    assert not hint.confidence[~given].any()
    assert np.median(hint.confidence[given]) > 128
    # Noise that only the left camera has: its hints explain less and win by less.
    noisy = pair[0].copy()
    place = (slice(30, 66), slice(160, 220))
    noise = np.random.default_rng(0).normal(0, 40, noisy[place].shape)
    noisy[place] = np.clip(noisy[place] + noise, 0, 255)
    spoilt, _ = consistent_hints(noisy, pair[1], SETTING)
    assert spoilt is not None
    assert spoilt.confidence is not None
    both = (spoilt.disparity > 0)[place] & given[place]
    assert spoilt.confidence[place][both].mean() < 0.7 * hint.confidence[place][both].mean()


def test_errors_are_those_of_the_hint(
    pair: tuple[Picture, Picture], hints: tuple[ViewHint, ViewHint]
) -> None:
    expected = fuse(*pair, hints[0].disparity[None]).error
    np.testing.assert_array_equal(hints[0].identity, identity_error(*pair))
    np.testing.assert_array_equal(hints[0].error, expected)


def test_holes_are_filled_with_what_lies_behind_and_marked(pair: tuple[Picture, Picture]) -> None:
    (plain, _), (filled, _) = (
        consistent_hints(*pair, replace(SETTING, fill=fill)) for fill in (False, True)
    )
    assert plain is not None
    assert filled is not None
    assert filled.confidence is not None
    assert (filled.disparity > 0).all()
    holes = plain.disparity == 0
    np.testing.assert_array_equal(filled.choice == FILLED, holes)
    np.testing.assert_array_equal(filled.disparity[~holes], plain.disparity[~holes])
    assert not filled.confidence[holes].any()
    assert filled.confidence[~holes].all()
    behind = np.zeros_like(holes)
    behind[28:68, POST.start - 12 : POST.start - 4] = True
    # A row takes one value, and what it takes it from may be wrong itself.
    assert np.mean(np.abs(filled.disparity / 16 - FAR)[behind & holes] < 1) > 0.8


def test_rows_without_a_hint_take_after_the_nearest(pair: tuple[Picture, Picture]) -> None:
    left, right = (picture.copy() for picture in pair)
    left[:30] = right[:30] = 128
    hint, _ = consistent_hints(left, right, replace(SETTING, fill=True))
    assert hint is not None
    assert (hint.disparity > 0).all()
    assert np.abs(hint.disparity[:20] / 16 - FAR).max() <= 1


def test_holes_beside_a_hint_do_not_speak_against_it() -> None:
    """A hint that explains its picture is trusted whatever is missing around it."""
    error = np.full((20, 20), 0.01, np.float32)
    identity = np.full((20, 20), 0.3, np.float32)
    given = np.zeros((20, 20), bool)
    given[8:11, 8:11] = True
    error[~given] = 2
    found = _explained(error, identity, given, 0.3)
    np.testing.assert_allclose(found[given], 1 - 0.01 / 0.6, rtol=1e-5)
    assert not found[:4].any()


def test_the_reach_covers_the_nearest_and_no_more_than_asked() -> None:
    def reach(disparity: float, share: float, most: int) -> int:
        kept = np.full((40, 50), 16, np.int16)
        kept.ravel()[: int(share * kept.size)] = round(disparity * 16)
        return _reach(_Agreed(kept, np.zeros((40, 50), np.uint16)), 2.0, most)

    assert reach(20, 0.1, 256) == 64
    assert reach(40, 0.1, 256) == 128
    assert reach(40, 0.0005, 256) == 64  # so few are none
    assert reach(120, 0.1, 256) == 256
    assert reach(120, 0.1, 96) == 96
    nothing = _Agreed(np.zeros((4, 4), np.int16), np.zeros((4, 4), np.uint16))
    assert _reach(nothing, 2.0, 160) == 160


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (33, 101)])
def test_odd_and_small_pictures_have_hints_of_their_size(size: tuple[int, int]) -> None:
    picture = texture(WIDTH, 3)[: size[0], : size[1]]
    left, right = consistent_hints(picture, picture, SETTING)
    assert left is not None
    assert right is not None
    assert left.disparity.shape == right.disparity.shape == size


def test_even_pictures_have_no_hints() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for hint in consistent_hints(flat, flat, SETTING):
        assert hint is not None
        assert not hint.disparity.any()


def test_a_wide_range_is_searched_where_the_scene_has_it() -> None:
    wide = texture(WIDTH + 70, 7)
    setting = ConsistentSetting(SemiGlobalSetting(num_disparities=96))
    left, _ = consistent_hints(wide[:, :-70], wide[:, 70:], setting)
    assert left is not None
    inner = left.disparity[:, 100:] / 16
    assert np.mean(np.abs(inner - 70) < 1) > 0.9


def test_settings_are_recorded_whole() -> None:
    assert str(SETTING) != str(replace(SETTING, fill=True))
    assert str(SETTING) != str(ConsistentSetting())
    assert len(KINDS) == 3


def test_a_range_without_a_half_is_refused() -> None:
    with pytest.raises(ValueError, match=r"disparities: expected a multiple of 4, .* got 98"):
        ConsistentSetting(SemiGlobalSetting(num_disparities=98))


def test_pictures_of_two_sizes_are_refused() -> None:
    picture = texture(WIDTH, 3)
    with pytest.raises(ValueError, match="4x4 or more"):
        consistent_hints(picture[:3], picture[:3], SETTING)
