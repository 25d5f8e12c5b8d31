"""Hints of both views of a pair on which both views agree, each with a confidence.

Semi-global matching at half size, then at full size guided by it. A disparity is kept where the
other view has the same one, and in no small patch of its own; where only the views of half size
agree and the picture does not speak against them, theirs is taken.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int16, UInt8, UInt16

from leadline.data.confidence_files import CERTAIN
from leadline.hints.fuse import SIXTEENTHS, fuse, identity_error
from leadline.hints.semi_global import MatchedViews, SemiGlobalSetting, match_views
from leadline.hints.view import NOTHING, Picture, ViewHint, mirrored_pair
from leadline.jit import compiled

Grey = UInt8[np.ndarray, "_ _"]

VERSION = 1
"""Of what is not a setting: to be raised when the same settings come to mean other hints."""
KINDS = ("fine", "coarse", "filled")
"""What `ViewHint.choice` counts: full size, half size, or the neighbours in the row."""
FINE, COARSE, FILLED = range(len(KINDS))

SMALLEST = 4
"""Rows and columns of the smallest image that has a half."""
RANGE_MULTIPLE = 4
"""A range is even at full size and at half of it."""
_RANGE_STEP = 64
"""Disparities that go through the vector instructions together: fewer take as long."""
_RANGE_MARGIN = 16
_RANGE_SHARE = 1e-3
"""Of the pixels: fewer do not widen the range."""
_WINDOW = (5, 5)
"""Over which photometric errors are averaged before they are compared."""
_MEDIAN = 3


@dataclass(frozen=True)
class ConsistentSetting:
    """How both views are matched and what counts as agreement, in pixels of the full size.

    Raises:
        ValueError: a range that has no half.
    """

    matching: SemiGlobalSetting = field(default_factory=SemiGlobalSetting)
    tolerance: float = 2.0
    """By which the views may differ."""
    speckle: int = 50
    """Patches of up to so many pixels, more than a pixel apart from what is around them, are
    dropped."""
    margin: int = 30
    """By which a disparity must beat the second best for half of the confidence."""
    doubt: float = 0.3
    """Photometric error that costs a hint its confidence where identity has none."""
    least_explained: float = 0.5
    """Below this share of explanation a coarse disparity is dropped."""
    fill: bool = False
    """Whether holes take the smaller disparity of their neighbours in the row."""

    def __post_init__(self) -> None:
        if self.matching.num_disparities % RANGE_MULTIPLE:
            raise ValueError(
                f"disparities: expected a multiple of {RANGE_MULTIPLE}, since half of them are "
                f"searched at half the size, got {self.matching.num_disparities}"
            )

    def __str__(self) -> str:
        values = asdict(self)
        values = values.pop("matching") | values
        return ",".join(f"{key}={value}" for key, value in values.items())


@dataclass(frozen=True)
class _Agreed:
    """Disparities of the left view that the right one confirms, in sixteenths, 0 elsewhere."""

    disparity: Int16[np.ndarray, "h w"]
    margin: UInt16[np.ndarray, "h w"]


def consistent_hints(
    left: Picture,
    right: Picture,
    setting: ConsistentSetting,
    wanted: tuple[bool, bool] = (True, True),
) -> tuple[ViewHint | None, ViewHint | None]:
    """Hints of the left and of the right view of a rectified pair; None for one not `wanted`.

    Raises:
        ValueError: the sizes differ, or are below 4x4.
    """
    if left.shape != right.shape or min(left.shape[:2]) < SMALLEST:
        raise ValueError(
            f"expected two images of one size, {SMALLEST}x{SMALLEST} or more, got {left.shape} and "
            f"{right.shape}"
        )
    left_grey, right_grey = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (left, right))
    coarse = _match_half(left_grey, right_grey, setting.matching)
    scale = left.shape[1] / coarse.disparity.shape[2]
    reach = _reach(_coarse(coarse, scale, setting), scale, setting.matching.num_disparities)
    near = replace(setting.matching, num_disparities=reach)
    fine = match_views(left_grey, right_grey, near, coarse.guide)
    hints: list[ViewHint | None] = [None, None]
    if wanted[0]:
        hints[0] = _left_hint(left, right, fine, coarse, setting)
    if wanted[1]:
        hints[1] = _left_hint(
            *mirrored_pair(left, right), fine.mirrored(), coarse.mirrored(), setting
        ).mirrored()
    return hints[0], hints[1]


def _match_half(left: Grey, right: Grey, setting: SemiGlobalSetting) -> MatchedViews:
    narrow = replace(setting, num_disparities=setting.num_disparities // 2)
    return match_views(_half(left), _half(right), narrow, keep_guide=True)


def _half(image: Grey) -> Grey:
    height, width = image.shape
    return np.asarray(
        cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8
    )


def _reach(coarse: _Agreed, scale: float, most: int) -> int:
    """How many disparities the fine matching need look at, from those of the coarse one."""
    if not coarse.disparity.any():
        return most
    counts = np.bincount((coarse.disparity.ravel() * scale).astype(np.intp) // SIXTEENTHS)
    often = np.flatnonzero(np.cumsum(counts[::-1]) > _RANGE_SHARE * coarse.disparity.size)
    largest = len(counts) - 1 - (int(often[0]) if len(often) else 0)
    steps = -(-(largest + 1 + _RANGE_MARGIN) // _RANGE_STEP)
    return min(steps * _RANGE_STEP, most)


def _coarse(views: MatchedViews, scale: float, setting: ConsistentSetting) -> _Agreed:
    return _agreed(views, setting.tolerance / scale, setting.speckle // 4)


def _agreed(views: MatchedViews, tolerance: float, speckle: int) -> _Agreed:
    kept = np.zeros(views.disparity.shape[1:], np.int16)
    _keep_agreed(*views.disparity, views.margin[0], np.float32(tolerance), kept)
    cv2.filterSpeckles(kept, 0, speckle, SIXTEENTHS)
    return _Agreed(kept, views.margin[0])


def _left_hint(
    target: Picture,
    source: Picture,
    fine: MatchedViews,
    coarse: MatchedViews,
    setting: ConsistentSetting,
) -> ViewHint:
    size = target.shape[:2]
    scale = size[1] / coarse.disparity.shape[2]
    agreed = _agreed(fine, setting.tolerance, setting.speckle)
    halved = _coarse(coarse, scale, setting)
    enlarged = _enlarged((halved.disparity * scale).astype(np.int16), size)
    disparity = np.where(agreed.disparity > 0, agreed.disparity, enlarged)
    choice = np.where(agreed.disparity > 0, np.int8(FINE), np.int8(COARSE))
    error, identity = fuse(target, source, disparity[None]).error, identity_error(target, source)
    explained = _explained(error, identity, disparity > 0, setting.doubt)
    disparity[(choice == COARSE) & (explained < setting.least_explained)] = 0
    choice[disparity == 0] = NOTHING
    margin = np.where(choice == FINE, agreed.margin, _enlarged(halved.margin, size) // 2)
    sure = np.rint(CERTAIN * margin / (margin + np.float32(setting.margin)) * explained)
    # 0 is what no match has found.
    confidence = np.where(disparity > 0, np.maximum(sure, 1), 0).astype(np.uint8)
    if setting.fill:
        disparity = _filled(disparity)
        choice[(choice == NOTHING) & (disparity > 0)] = FILLED
    # Once more: its windows hold what has been dropped or filled meanwhile.
    error = fuse(target, source, disparity[None]).error
    return ViewHint(disparity, choice, error, identity, confidence)


def _enlarged(half: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(half, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def _explained(
    error: Float32[np.ndarray, "h w"],
    identity: Float32[np.ndarray, "h w"],
    given: Bool[np.ndarray, "h w"],
    doubt: float,
) -> Float32[np.ndarray, "h w"]:
    """Share of the photometric error of identity, and of a doubt beside it, that hints remove: over
    the pixels of a window that have one.
    """
    error, identity = (cv2.blur(np.where(given, each, 0), _WINDOW) for each in (error, identity))
    allowed = identity + doubt * cv2.blur(given.astype(np.float32), _WINDOW)
    left = np.divide(error, allowed, out=np.ones_like(error), where=allowed > 0)
    return np.asarray(np.clip(1 - left, 0, 1), np.float32)


def _filled(disparity: Int16[np.ndarray, "h w"]) -> Int16[np.ndarray, "h w"]:
    """Holes filled with the smaller one of the next disparities of the row: what is hidden from
    the other view lies behind what hides it. A row without any takes after the nearest one that has
    some.
    """
    rows = np.flatnonzero(disparity.any(axis=1))
    if not len(rows):
        return disparity
    filled = disparity.copy()
    _fill_rows(filled)
    places = np.interp(np.arange(len(disparity)), rows, np.arange(len(rows)))
    filled = filled[rows[np.rint(places).astype(np.intp)]]
    smooth = cv2.medianBlur(filled, _MEDIAN)
    return np.where(disparity > 0, disparity, smooth)


@compiled
@no_type_check
def _keep_agreed(left, right, margin, tolerance, kept):
    height, width = left.shape
    for y in range(height):
        for x in range(width):
            matched = int(np.rint(np.float32(x) - left[y, x]))
            agreed = matched >= 0 and abs(right[y, matched] - left[y, x]) <= tolerance
            # Without a margin any other disparity would have done as well.
            if agreed and margin[y, x] > 0:
                # Disparity 0 is a distance without end, and as a hint it would be a hole.
                kept[y, x] = max(np.int16(np.rint(left[y, x] * SIXTEENTHS)), 1)


@compiled
@no_type_check
def _fill_rows(disparity):
    height, width = disparity.shape
    for y in range(height):
        row = disparity[y]
        x = 0
        while x < width:
            if row[x] > 0:
                x += 1
                continue
            first = x
            while x < width and row[x] == 0:
                x += 1
            before = row[first - 1] if first > 0 else 0
            behind = row[x] if x < width else 0
            row[first:x] = min(before, behind) if before > 0 and behind > 0 else before + behind
