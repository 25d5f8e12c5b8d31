"""Of several candidate disparities the one that explains each pixel best, in one compiled pass.

A candidate's error is the photometric error between the target and the source sampled along it
[depth-hints]. Colours are 8-bit and disparities whole sixteenths of a pixel, so warped colours and
their sums over windows are whole numbers, without rounding; only SSIM itself is in float32.

All is written for a left target with a right source. For a right target mirror both images, and
mirror the result back.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int8, Int16, UInt8

from leadline.jit import compiled
from leadline.photometry.constants import CONTRAST_CONSTANT, LUMINANCE_CONSTANT, SSIM_WEIGHT

SIXTEENTHS = 16
"""Steps per pixel of disparity, as StereoSGBM counts; warped colours have as many per step."""
UNEXPLAINED = 2.0
"""The error of a pixel without any candidate: above every photometric error, which end at 1."""

_int = np.int32
_float = np.float32
_CHANNELS = 3
_ROWS = 3  # of a window
_WINDOW = 9  # pixels in 3 x 3
_WHITE = 255 * SIXTEENTHS
# Colours stay sums over windows of sixteenths; the constants of SSIM take on that scale instead.
_LUMINANCE = _float(LUMINANCE_CONSTANT * (_WINDOW * _WHITE) ** 2)
_CONTRAST = _float(CONTRAST_CONSTANT * (_WINDOW * _WHITE) ** 2)
_SSIM_SHARE = _float(SSIM_WEIGHT / 2 / _CHANNELS)
_L1_SHARE = _float((1 - SSIM_WEIGHT) / _WHITE / _CHANNELS)


@dataclass(frozen=True)
class Fused:
    """Per pixel the best candidate, its index, and its photometric error."""

    disparity: Int16[np.ndarray, "h w"]
    """Sixteenths of a pixel, 0 = missing."""
    choice: Int8[np.ndarray, "h w"]
    """Index of the candidate; -1 where none may be chosen."""
    error: Float32[np.ndarray, "h w"]
    """`UNEXPLAINED` where none may be chosen."""


def fuse(
    target: UInt8[np.ndarray, "h w 3"],
    source: UInt8[np.ndarray, "h w 3"],
    candidates: Int16[np.ndarray, "n h w"],
    *,
    missing_may_win: bool = False,
) -> Fused:
    """Per pixel the candidate d with the least pe(target(u), source(u - d)) [depth-hints].

    `candidates` are in sixteenths of a pixel, 0 = missing, negative = no candidate. Sampling is
    linear along the row and stops at the border. A missing candidate shows the colour of the
    source's first pixel: depth 0 is projected far beyond that corner, and border padding brings it
    back. Windows of its neighbours contain that colour too, which rightly costs edges of holes.

    Departure: a missing candidate cannot win by default; with `missing_may_win` it can, as in the
    published code, and then hides the disparity that another candidate has at that pixel.

    Raises:
        ValueError: the sizes differ, or are below 2x2.
    """
    _check_sizes(target.shape, source.shape, (*candidates.shape[1:], _CHANNELS))
    target_planes, source_planes = _planes(target), _planes(source)
    size = target.shape[:2]
    fused = Fused(
        np.zeros(size, np.int16), np.full(size, -1, np.int8), np.full(size, UNEXPLAINED, np.float32)
    )
    # One memory layout, so that one compilation serves every caller.
    candidates = np.ascontiguousarray(candidates)
    best = fused.disparity, fused.choice, fused.error
    _fuse(target_planes, source_planes, candidates, missing_may_win, *best)
    return fused


def identity_error(
    target: UInt8[np.ndarray, "h w 3"], source: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "h w"]:
    """pe(target, source): the error of leaving the source where it is [monodepth2].

    Raises:
        ValueError: the sizes differ, or are below 2x2.
    """
    _check_sizes(target.shape, source.shape)
    error = np.empty(target.shape[:2], np.float32)
    _identity_error(_planes(target), _planes(source), error)
    return error


def _check_sizes(*shapes: tuple[int, ...]) -> None:
    # Compiled loops do not look where they read and write.
    if len(set(shapes)) > 1 or min(shapes[0][:2]) < 2:
        raise ValueError(f"expected maps of one size, 2x2 or more, got shapes {shapes}")


def _planes(image: UInt8[np.ndarray, "h w 3"]) -> Int16[np.ndarray, "3 h w"]:
    planes = np.empty((_CHANNELS, *image.shape[:2]), np.int16)
    np.multiply(image.transpose(2, 0, 1), SIXTEENTHS, out=planes, dtype=np.int16)
    return planes


@compiled
@no_type_check
def _fuse(target, source, candidates, missing_may_win, disparity, choice, best):
    number, height, width = candidates.shape
    least = 0 if missing_may_win else 1
    # Of every candidate the rows of one window, in turn: the whole would not stay in the cache.
    warped = np.empty((number, _CHANNELS, _ROWS, width), np.int16)
    for n in range(number):
        _warp_row(source, candidates, n, 0, warped)
    room = _room(width)
    error = np.empty(width, np.float32)
    for y in range(height):
        above, below = _neighbours(y, height)
        _sum_target_row(target, above, y, below, room)
        for n in range(number):
            if y + 1 < height:
                _warp_row(source, candidates, n, y + 1, warped)
            error[:] = 0
            for c in range(_CHANNELS):
                a, b = warped[n, c], target[c]
                rows = a[above % _ROWS], a[y % _ROWS], a[below % _ROWS]
                _add_channel_error(rows, (b[above], b[y], b[below]), c, room, error)
            for x in range(width):
                if candidates[n, y, x] >= least and error[x] < best[y, x]:
                    disparity[y, x] = candidates[n, y, x]
                    choice[y, x] = n
                    best[y, x] = error[x]


@compiled
@no_type_check
def _identity_error(target, source, error):
    height, width = error.shape
    room = _room(width)
    error[:] = 0
    for y in range(height):
        above, below = _neighbours(y, height)
        _sum_target_row(target, above, y, below, room)
        for c in range(_CHANNELS):
            a, b = source[c], target[c]
            rows = a[above], a[y], a[below]
            _add_channel_error(rows, (b[above], b[y], b[below]), c, room, error[y])


@compiled
@no_type_check
def _warp_row(source, candidates, n, y, warped):
    width = source.shape[2]
    for x in range(width):
        disparity = candidates[n, y, x]
        if disparity > 0:
            place = max(SIXTEENTHS * x - disparity, 0)
            left, share = place // SIXTEENTHS, place % SIXTEENTHS
            right = min(left + 1, width - 1)
            for c in range(_CHANNELS):
                mixed = (SIXTEENTHS - share) * source[c, y, left] + share * source[c, y, right]
                warped[n, c, y % _ROWS, x] = mixed // SIXTEENTHS
        else:
            for c in range(_CHANNELS):
                warped[n, c, y % _ROWS, x] = source[c, 0, 0]


@compiled
@no_type_check
def _room(width):
    """Sums of the target's windows in one row and their squares, by channel; and three rows of
    sums per column, also of the reflected columns beyond both borders.
    """
    of_target = np.empty((2, _CHANNELS, width), np.int32)
    return of_target[0], of_target[1], np.empty((_ROWS, width + 2), np.int32)


@compiled
@no_type_check
def _sum_target_row(target, above, y, below, room):
    sums, squares, columns = room
    for c in range(_CHANNELS):
        plane = target[c]
        rows = plane[above], plane[y], plane[below]
        _sum_columns(rows, columns[0])
        _sum_column_products(rows, rows, columns[1])
        for x in range(sums.shape[1]):
            sums[c, x] = columns[0, x] + columns[0, x + 1] + columns[0, x + 2]
            squares[c, x] = columns[1, x] + columns[1, x + 1] + columns[1, x + 2]


@compiled
@no_type_check
def _add_channel_error(rows, target_rows, channel, room, error):
    target_sums, target_squares, columns = room
    _sum_columns(rows, columns[0])
    _sum_column_products(rows, rows, columns[1])
    _sum_column_products(rows, target_rows, columns[2])
    _add_row_error(
        rows[1],
        target_rows[1],
        columns[0],
        columns[1],
        columns[2],
        target_sums[channel],
        target_squares[channel],
        error,
    )


@compiled
@no_type_check
def _neighbours(y, height):
    """The rows above and below, reflected at the borders."""
    return (y - 1 if y > 0 else 1), (y + 1 if y < height - 1 else height - 2)


@compiled
@no_type_check
def _sum_columns(rows, sums):
    above, here, below = rows
    width = len(here)
    for x in range(width):
        sums[x + 1] = _int(above[x]) + _int(here[x]) + _int(below[x])
    sums[0], sums[width + 1] = sums[2], sums[width - 1]


@compiled
@no_type_check
def _sum_column_products(rows, others, sums):
    above, here, below = rows
    other_above, other_here, other_below = others
    width = len(here)
    for x in range(width):
        sums[x + 1] = (
            _int(above[x]) * _int(other_above[x])
            + _int(here[x]) * _int(other_here[x])
            + _int(below[x]) * _int(other_below[x])
        )
    sums[0], sums[width + 1] = sums[2], sums[width - 1]


@compiled
@no_type_check
def _add_row_error(a, b, sums, squares, products, target_sums, target_squares, error):
    """Adds one channel's share of pe(a, b); moments are in units of (window x white)^2."""
    for x in range(len(error)):
        sum_a, sum_b = sums[x] + sums[x + 1] + sums[x + 2], target_sums[x]
        square_a = squares[x] + squares[x + 1] + squares[x + 2]
        product = products[x] + products[x + 1] + products[x + 2]
        variance_a = _float(_int(_WINDOW) * _int(square_a) - _int(sum_a) * _int(sum_a))
        variance_b = _float(_int(_WINDOW) * target_squares[x] - sum_b * sum_b)
        covariance = _float(_int(_WINDOW) * _int(product) - _int(sum_a) * sum_b)
        mean_a, mean_b = _float(sum_a), _float(sum_b)
        ssim = (_float(2) * mean_a * mean_b + _LUMINANCE) * (_float(2) * covariance + _CONTRAST)
        ssim /= (mean_a * mean_a + mean_b * mean_b + _LUMINANCE) * (
            variance_a + variance_b + _CONTRAST
        )
        distance = _float(1) - ssim
        distance = distance if distance > 0 else _float(0)
        distance = distance if distance < 2 else _float(2)
        absolute = abs(_float(a[x]) - _float(b[x]))
        error[x] += _SSIM_SHARE * distance + _L1_SHARE * absolute
