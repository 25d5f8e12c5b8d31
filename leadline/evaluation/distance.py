"""Error as a function of the true distance."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

EDGES = np.array([0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 80, 100, 150, 200, 250, np.inf])
"""Metres; rooms use the first half, roads the second, LiDAR of a long range the last."""


@dataclass(frozen=True, slots=True)
class DistanceBin:
    """All scored pixels, of all images, whose truth lies in [near, far) metres."""

    near: float
    far: float | None
    """`None` where the last bin has no end."""
    pixels: int
    abs_rel: float
    """mean |p - g| / g"""
    bias: float
    """mean (p - g) / g: positive where predictions are too far"""


@dataclass(frozen=True)
class DistanceSums:
    """What the bins are made of, addable over images."""

    pixels: Float64[np.ndarray, "k"]
    absolute: Float64[np.ndarray, "k"]
    signed: Float64[np.ndarray, "k"]

    @classmethod
    def of(
        cls, prediction: Float64[np.ndarray, "p"], truth: Float64[np.ndarray, "p"]
    ) -> "DistanceSums":
        """The sums of one image's scored pixels."""
        relative = (prediction - truth) / truth
        index = np.searchsorted(EDGES, truth, side="right") - 1
        weights = (np.ones_like(relative), np.abs(relative), relative)
        return cls(*(np.bincount(index, w, minlength=len(EDGES) - 1) for w in weights))


def distance_bins(images: Iterable[DistanceSums]) -> tuple[DistanceBin, ...]:
    """The bins over all images, without those in which nothing lies."""
    pixels, absolute, signed = np.sum(
        [(image.pixels, image.absolute, image.signed) for image in images], axis=0
    )
    return tuple(
        DistanceBin(
            near=float(EDGES[k]),
            far=float(EDGES[k + 1]) if np.isfinite(EDGES[k + 1]) else None,
            pixels=int(pixels[k]),
            abs_rel=float(absolute[k] / pixels[k]),
            bias=float(signed[k] / pixels[k]),
        )
        for k in np.flatnonzero(pixels)
    )
