"""Maps with holes brought to another size: no value is ever made up between two others."""

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from leadline.data.velodyne import nearest_per_pixel

DENSE = 0.5
"""Share of the pixels that have a depth: a projected sweep has 0.04, a filled map nearly all."""


def is_dense(depth: Float32[np.ndarray, "_ _"]) -> bool:
    """Whether a map, as it was measured, is one of surfaces, rather than of single measurements.

    To be asked at the native size: smaller, a sweep may fill half of the pixels, too.
    """
    return bool(np.count_nonzero(depth) > DENSE * depth.size)


def resize_depth(
    depth: Float32[np.ndarray, "_ _"], size: tuple[int, int], dense: bool
) -> Float32[np.ndarray, "h w"]:
    """Measured depth at `size` (h, w), 0 = none: scattered, so that no measurement is lost and none
    counts twice. But of `dense` depth that shrinks the pixel under each centre: the nearest of
    several pixels of one surface is nearer than the surface, and edges would grow.
    """
    shrinks = all(new <= old for new, old in zip(size, depth.shape, strict=True))
    return resize_nearest(depth, size) if dense and shrinks else scatter_depth(depth, size)


def scatter_depth(
    depth: Float32[np.ndarray, "_ _"], size: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """Each measured pixel moved to the pixel of `size` (h, w) that covers its centre, the nearest
    winning where several meet; 0 = none.
    """
    old_height, old_width = depth.shape
    v, u = np.nonzero(depth > 0)
    columns = ((u + 0.5) * (size[1] / old_width)).astype(np.int64)
    rows = ((v + 0.5) * (size[0] / old_height)).astype(np.int64)
    return nearest_per_pixel(np.stack([columns, rows], axis=1), depth[v, u], size)


def resize_nearest(
    values: Shaped[np.ndarray, "_ _"], size: tuple[int, int]
) -> Shaped[np.ndarray, "h w"]:
    """At each pixel of `size` (h, w) the value of the old pixel under its centre."""
    rows = _old_indices(values.shape[0], size[0])
    columns = _old_indices(values.shape[1], size[1])
    # Rows, then columns: four times as fast as both at once.
    picked: Shaped[np.ndarray, "h w"] = values[rows].take(columns, axis=1)
    return picked


def _old_indices(old: int, new: int) -> Int64[np.ndarray, "_"]:
    return ((np.arange(new) + 0.5) * (old / new)).astype(np.int64)
