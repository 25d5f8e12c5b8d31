"""Semi-global matching of both views of a rectified pair in one pass over the rows [sgm].

The cost of matching left pixel x at disparity d is the number of bits in which the census of
left(x) and right(x - d) differ. Path costs are summed from above, from the left and from the right:

    L(x, d) = C(x, d) + min(L(p, d), L(p, d +- 1) + P1, min_k L(p, k) + P2) - min_k L(p, k)

with p the pixel before x on the path. The least sum over d is the disparity of the left pixel. The
sums on a diagonal x - d are those of a right pixel, and the least of them is its disparity. Two
rows of path costs are held at a time, as bytes, which the greatest cost + P1 + P2 does not exceed.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, UInt8, UInt16
from numba import types
from numba.extending import intrinsic

from leadline.hints.census import BITS, census
from leadline.hints.view import in_mirror
from leadline.jit import compiled

SMOOTH_STEP = 4
"""Grey values of contrast along a path at which P2 is halved, as P2 / (1 + contrast / step)."""
GUIDE_LIMIT = 127
"""What a guide says of a disparity that is far from the best."""
_MOST = 255
"""What a byte holds."""
_KEY_BITS, _UNTOLD_BITS = 6, 2
"""Of a key: a sum of three costs above and a disparity below without its last bits, so that the
least key tells both, the disparity but for a few. Three bytes add up to 765, ten bits."""
_COARSE = 1 << _KEY_BITS
"""Disparities without their last bits."""
MOST_DISPARITIES = _COARSE << _UNTOLD_BITS
_MOST_KEY = 0xFFFF

_byte, _word, _place = np.uint8, np.uint16, np.uintp
_float = np.float32


@dataclass(frozen=True)
class SemiGlobalSetting:
    """Range and penalties; costs are bits, of which `census.BITS` are compared.

    Raises:
        ValueError: a range that keys cannot hold, or penalties that bytes cannot.
    """

    num_disparities: int = 256
    p1: int = 18
    """Of a step of one disparity."""
    p2: int = 150
    """Of a larger step where the picture is even; less across its edges."""
    p2_least: int = 27
    beyond: int = 10
    """Cost of a disparity that points beyond the border of the other picture, or less: no more than
    that of its last pixel, so that an even picture prefers no disparity."""
    guide_shift: int = 4
    """A guide's costs are divided by two to this power."""

    def __post_init__(self) -> None:
        if not 2 <= self.num_disparities <= MOST_DISPARITIES or self.num_disparities % 2:
            raise ValueError(
                f"disparities: expected an even number from 2 to {MOST_DISPARITIES}, "
                f"got {self.num_disparities}"
            )
        if not 0 <= self.beyond <= BITS or self.guide_shift < 0:
            raise ValueError(
                f"costs: expected beyond from 0 to {BITS} and guide_shift of 0 or more, got "
                f"{self.beyond} and {self.guide_shift}"
            )
        cost = max(BITS, self.beyond) + (GUIDE_LIMIT >> self.guide_shift)
        if not 0 <= self.p1 <= self.p2_least <= self.p2 or cost + self.p2 + self.p1 > _MOST:
            raise ValueError(
                f"penalties: expected 0 <= p1 <= p2_least <= p2 <= {_MOST - cost} - p1, got p1 "
                f"{self.p1}, p2_least {self.p2_least}, p2 {self.p2}"
            )


@dataclass(frozen=True)
class MatchedViews:
    """Of the left view and the right one, each in its own pixels."""

    disparity: Float32[np.ndarray, "2 h w"]
    """In pixels with fractions, right or not."""
    margin: UInt16[np.ndarray, "2 h w"]
    """Summed cost of the second best disparity above that of the best, whose neighbours do not
    count. A right pixel has that of the left pixel which it matches."""
    guide: UInt8[np.ndarray, "h w d"] | None = None
    """Of left pixels, summed costs above the best, at most `GUIDE_LIMIT`: for a finer level."""

    def mirrored(self) -> "MatchedViews":
        """Those of both pictures mirrored, when the right one becomes a left one."""
        return MatchedViews(
            np.stack([in_mirror(view) for view in self.disparity[::-1]]),
            np.stack([in_mirror(view) for view in self.margin[::-1]]),
        )


def match_views(
    left: UInt8[np.ndarray, "h w"],
    right: UInt8[np.ndarray, "_ _"],
    setting: SemiGlobalSetting,
    guide: UInt8[np.ndarray, "_ _ _"] | None = None,
    *,
    keep_guide: bool = False,
) -> MatchedViews:
    """Disparities of two grey images, each pixel by itself: none is missing.

    `guide` is that of both images at half their size and half the range: its costs are added to
    those of the census, so that what only a larger window can tell decides where a small one
    cannot. A fraction is that of two straight lines of equal slope through three sums of costs.

    Departure: [sgm] sums eight or sixteen directions and needs the whole volume of costs. Three can
    be had row by row; five did not lower the errors (benchmarks/hints.md).

    Raises:
        ValueError: the sizes differ, or `guide` is smaller than half of them.
    """
    height, width = left.shape
    disparities = setting.num_disparities
    if right.shape != left.shape or min(left.shape) < 1:
        raise ValueError(f"expected two images of one size, got {left.shape} and {right.shape}")
    if guide is not None:
        _check_guide(guide.shape, (height // 2, width // 2, disparities // 2))
    size = (height, width)
    views = MatchedViews(
        np.empty((2, *size), np.float32),
        np.empty((2, *size), np.uint16),
        np.empty((*size, disparities), np.uint8) if keep_guide else None,
    )
    none = np.zeros((0, 0, 0), np.uint8)
    contrasts = np.arange(256)
    penalties = np.maximum(setting.p2_least, setting.p2 // (1 + contrasts // SMOOTH_STEP))
    _match(
        np.ascontiguousarray(left),
        census(left),
        census(right),
        none if guide is None else guide,
        setting.guide_shift,
        disparities,
        np.uint8(setting.p1),
        penalties.astype(np.uint8),
        np.uint8(setting.beyond),
        views.disparity,
        views.margin,
        none if views.guide is None else views.guide,
    )
    return views


def _check_guide(shape: tuple[int, ...], least: tuple[int, ...]) -> None:
    # Compiled loops do not look where they read.
    if min(shape) < 1 or any(have < need for have, need in zip(shape, least, strict=True)):
        raise ValueError(f"guide: expected {least} or more, got {shape}")


@intrinsic
def _count_bits(context, word):  # type: ignore[no-untyped-def]
    """How many bits of a 32-bit word are set: one instruction of most processors."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.uint32(types.uint32), generate


# Compiled functions take whole arrays and a place in them: a slice would count its references,
# which takes longer than the loop over its disparities.


@compiled
@no_type_check
def _match(
    image,
    left,
    right,
    guide,
    guide_shift,
    disparities,
    p1,
    penalties,
    beyond,
    disparity,
    margin,
    kept,
):
    height, width = left.shape
    costs = np.empty((width, disparities), np.uint8)
    sums = np.empty((width, disparities), np.uint16)
    # Paths have a place before the first disparity and one behind the last that no path takes,
    # and to which P1 can be added within a byte.
    nowhere = _byte(_MOST - p1)
    above = np.full((2, width, disparities + 2), nowhere)
    above_least = np.zeros((2, width), np.uint8)
    beside = np.full((2, disparities + 2), nowhere)
    # Backwards, so that disparities run forwards: right pixel x has the place width - 1 - x.
    right_codes = np.empty(width, np.uint32)
    right_keys = np.empty(width, np.uint16)
    for y in range(height):
        now, before = y % 2, 1 - y % 2
        above_now, above_before = above[now], above[before]
        for x in range(width):
            right_codes[x] = right[y, width - 1 - x]
        least = _byte(0)
        for x in range(width):
            _compare(left[y, x], right_codes, width - 1 - x, beyond, costs, x)
            if guide.size > 0:
                half_y, half_x = min(y // 2, len(guide) - 1), min(x // 2, guide.shape[1] - 1)
                _add_guide(guide, half_y, half_x, guide_shift, costs, x)
            if y > 0:
                p2 = penalties[_contrast(image[y, x], image[y - 1, x])]
                above_least[now, x] = _follow(
                    above_before, x, above_least[before, x], costs, x, p1, p2, above_now, x
                )
            else:
                above_least[now, x] = _start(costs, x, above_now, x)
            if x > 0:
                p2 = penalties[_contrast(image[y, x], image[y, x - 1])]
                least = _follow(beside, 1 - x % 2, least, costs, x, p1, p2, beside, x % 2)
            else:
                least = _start(costs, x, beside, 0)
            _sum_paths(above_now, x, beside, x % 2, sums)
        right_keys[:] = _word(_MOST_KEY)
        for x in range(width - 1, -1, -1):
            if x < width - 1:
                p2 = penalties[_contrast(image[y, x], image[y, x + 1])]
                least = _follow(beside, 1 - x % 2, least, costs, x, p1, p2, beside, x % 2)
            else:
                least = _start(costs, x, beside, x % 2)
            _add_path(beside, x % 2, sums, x)
            possible = min(x + 1, disparities)
            best = _least_keys(sums, x, possible, right_keys, width - 1 - x)
            disparity[0, y, x] = best
            if 0 < best < possible - 1:
                disparity[0, y, x] += _fraction(sums[x, best - 1], sums[x, best], sums[x, best + 1])
            if kept.size > 0:
                _keep(sums, x, sums[x, best], kept, y)
            margin[0, y, x] = _margin(sums, x, possible, best)
        _finish_right_row(right_keys, sums, y, disparity, margin)


@compiled
@no_type_check
def _compare(code, others, first, beyond, costs, x):
    """Bits in which a pixel differs from those of the other picture, from disparity 0 upwards."""
    disparities = costs.shape[1]
    inside = min(disparities, len(others) - first)
    start = _place(first)
    for d in range(inside):
        costs[x, d] = _byte(_count_bits(code ^ others[start + _place(d)]))
    last = costs[x, inside - 1]
    for d in range(inside, disparities):
        costs[x, d] = last if last < beyond else beyond


@compiled
@no_type_check
def _add_guide(guide, half_y, half_x, shift, costs, x):
    for half in range(costs.shape[1] // 2):
        more = _byte(guide[half_y, half_x, half] >> shift)
        costs[x, 2 * half] += more
        costs[x, 2 * half + 1] += more


@compiled
@no_type_check
def _contrast(value, other):
    return value - other if value > other else other - value


@compiled
@no_type_check
def _start(costs, x, paths, place):
    """The first pixel of a path; returns its least cost."""
    lowest = _byte(_MOST)
    for d in range(costs.shape[1]):
        paths[place, d + 1] = costs[x, d]
        lowest = min(lowest, costs[x, d])
    return lowest


@compiled
@no_type_check
def _follow(earlier, last, least, costs, x, p1, p2, paths, place):
    """One pixel on along a path whose last pixel had the costs `earlier[last]`, the least of which
    was `least`; returns its own least cost.
    """
    jump = _byte(least + p2)
    lowest = _byte(_MOST)
    for d in range(costs.shape[1]):
        lower, same, upper = earlier[last, d], earlier[last, d + 1], earlier[last, d + 2]
        step = _byte((lower if lower < upper else upper) + p1)
        best = same if same < step else step
        best = best if best < jump else jump
        value = _byte(_byte(best - least) + costs[x, d])
        paths[place, d + 1] = value
        lowest = value if value < lowest else lowest
    return lowest


@compiled
@no_type_check
def _sum_paths(above, x, beside, place, sums):
    for d in range(sums.shape[1]):
        sums[x, d] = _word(above[x, d + 1]) + _word(beside[place, d + 1])


@compiled
@no_type_check
def _add_path(beside, place, sums, x):
    for d in range(sums.shape[1]):
        sums[x, d] += _word(beside[place, d + 1])


@compiled
@no_type_check
def _least_keys(sums, x, possible, right_keys, first):
    """The disparity of the least sum of a left pixel; each sum is offered to a right pixel too."""
    least = _word(_MOST_KEY)
    start = _place(first)
    for d in range(possible):
        key = _word(_word(sums[x, d] << _word(_KEY_BITS)) | _word(d >> _UNTOLD_BITS))
        least = key if key < least else least
        other = right_keys[start + _place(d)]
        right_keys[start + _place(d)] = key if key < other else other
    return _untold(sums, x, 0, least)


@compiled
@no_type_check
def _untold(sums, x, step, key):
    """The disparity that a key stands for: the first of a few whose sum it holds."""
    d = int(key % _COARSE) << _UNTOLD_BITS
    least = key >> _KEY_BITS
    while sums[x + step * d, d] != least:
        d += 1
    return d


@compiled
@no_type_check
def _margin(sums, x, possible, best):
    """How far the second best sum is above the best, whose neighbours do not count; 0 where there
    is no second one.
    """
    nothing = _word(0xFFFF)
    least = sums[x, best]
    before, after = max(best - 1, 0), min(best + 1, possible - 1)
    at_before, at_after = sums[x, before], sums[x, after]
    # Out of the way for a moment: a loop without conditions takes half the time.
    sums[x, before] = nothing
    sums[x, best] = nothing
    sums[x, after] = nothing
    second = nothing
    for d in range(possible):
        value = sums[x, d]
        second = value if value < second else second
    sums[x, before] = at_before
    sums[x, after] = at_after
    sums[x, best] = least
    return second - least if second < nothing else _word(0)


@compiled
@no_type_check
def _fraction(lower, least, upper):
    """Where the lines through three sums meet, from -0.5 to 0.5; they rise by the same slope."""
    lower, least, upper = _float(lower), _float(least), _float(upper)
    rise = max(lower, upper) - least
    return (lower - upper) / (_float(2) * rise) if rise > 0 else _float(0)


@compiled
@no_type_check
def _keep(sums, x, least, guide, y):
    for d in range(sums.shape[1]):
        # A disparity that points beyond the border may cost less than the best that does not.
        above = _word(sums[x, d] - least) if sums[x, d] > least else _word(0)
        guide[y, x, d] = _byte(above if above < GUIDE_LIMIT else GUIDE_LIMIT)


@compiled
@no_type_check
def _finish_right_row(keys, sums, y, disparity, margin):
    width, disparities = sums.shape
    for x in range(width):
        best = _untold(sums, x, 1, keys[width - 1 - x])
        disparity[1, y, x] = best
        matched = x + best
        margin[1, y, x] = margin[0, y, matched]
        if 0 < best < disparities - 1 and matched + 1 < width:
            disparity[1, y, x] += _fraction(
                sums[matched - 1, best - 1], sums[matched, best], sums[matched + 1, best + 1]
            )
