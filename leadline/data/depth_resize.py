"""A predicted depth map at another size, in each of the ways in which published figures do it."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64

from leadline.data.sparse import resize_nearest

Resize = Literal["inverse_depth", "depth", "depth_aligned_corners", "nearest"]
"""Bilinear in inverse depth, with half-pixel centres: what OpenCV's resize of a network's output
does, and with it every published figure of the classic protocol. Bilinear in depth, with half-pixel
centres [fcrn], or with the centres of the corner pixels kept in place [packnet]. Or the pixel under
the new one's centre."""
RESIZE_NEAREST = 1e-6  # metres; keeps the inverse of a missing prediction (0) finite


def resized_depth(
    prediction: Float[np.ndarray, "_ _"],
    height: int,
    width: int,
    resize: Resize = "inverse_depth",
) -> Float64[np.ndarray, "h w"]:
    """A predicted depth at another size; nothing is smoothed before shrinking.

    Beside a missing pixel (0) nothing is interpolated: there the nearest pixel is taken, present or
    missing.
    """
    depth = prediction.astype(np.float64)
    if depth.shape == (height, width):
        return depth
    if resize == "nearest":
        return resize_nearest(depth, (height, width))
    if resize == "depth_aligned_corners":
        return _with_corners_in_place(depth, height, width)
    if resize == "depth":
        # Depth has no mean with an infinitely far pixel, as it has none with a missing one.
        holes = (depth == 0) | np.isinf(depth)
        between = _bilinear(np.where(holes, 0, depth), height, width)
        return _beside(holes, depth, between)
    return _as_inverse_depth(depth, height, width)


def _as_inverse_depth(
    depth: Float64[np.ndarray, "_ _"], height: int, width: int
) -> Float64[np.ndarray, "h w"]:
    inverse_depth = 1 / np.maximum(depth, RESIZE_NEAREST)
    resized = _bilinear(inverse_depth, height, width)
    # An infinitely far pixel has the inverse depth 0, and is infinitely far again.
    with np.errstate(divide="ignore"):
        between = 1 / resized
    return _beside(depth == 0, depth, between)


def _beside(
    missing: Bool[np.ndarray, "_ _"],
    depth: Float64[np.ndarray, "_ _"],
    between: Float64[np.ndarray, "h w"],
) -> Float64[np.ndarray, "h w"]:
    """What is between, but beside a missing pixel the nearest one."""
    height, width = between.shape
    if not missing.any():
        return between
    beside_missing = _bilinear(missing.astype(np.float64), height, width) > 0
    return np.where(beside_missing, resize_nearest(depth, (height, width)), between)


def _bilinear(
    values: Float64[np.ndarray, "_ _"], height: int, width: int
) -> Float64[np.ndarray, "h w"]:
    resized = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float64)


def _with_corners_in_place(
    depth: Float64[np.ndarray, "_ _"], height: int, width: int
) -> Float64[np.ndarray, "h w"]:
    rows, columns = _places(depth.shape[0], height), _places(depth.shape[1], width)
    # Depth has no mean with an infinitely far pixel either.
    holes = (depth == 0) | np.isinf(depth)
    between = _between(np.where(holes, 0, depth), rows, columns)
    if not holes.any():
        return between
    beside_hole = _between(holes.astype(np.float64), rows, columns) > 0
    nearest = depth[np.ix_(np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64))]
    return np.where(beside_hole, nearest, between)


def _places(old: int, new: int) -> Float64[np.ndarray, "_"]:
    """Where the new centres lie among the old: first on first, last on last."""
    return np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)


def _between(
    values: Float64[np.ndarray, "_ _"],
    rows: Float64[np.ndarray, "h"],
    columns: Float64[np.ndarray, "w"],
) -> Float64[np.ndarray, "h w"]:
    for axis, places in enumerate((rows, columns)):
        before = places.astype(np.int64)
        after = np.minimum(before + 1, values.shape[axis] - 1)
        share = np.expand_dims(places - before, 1 - axis)
        values = values.take(before, axis) * (1 - share) + values.take(after, axis) * share
    return values
