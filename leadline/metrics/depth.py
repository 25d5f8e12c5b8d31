"""The published numbers of a depth map, per image.

The formulas are numpy on purpose: they accumulate in float64, which not every accelerator has, and
take the median as the published figures did (torch returns the lower of the two middle values).
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

ACCURACY_STEP = 1.25  # the base of the three accuracies, [eigen2014]
PERCENT = 100
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class DepthMetrics:
    """Nine figures of one image, or their mean; g = truth and p = prediction in metres.

    Departure: `sq_rel` divides by g and not by g², as every table since [eigen2014] has done; the
    KITTI server divides by g².
    """

    abs_rel: float
    """mean |g - p| / g"""
    sq_rel: float
    """mean (g - p)² / g, metres"""
    rmse: float
    """sqrt mean (g - p)², metres"""
    rmse_log: float
    """sqrt mean (ln g - ln p)²"""
    a1: float
    """share of pixels with max(g / p, p / g) < 1.25"""
    a2: float
    """the same below 1.25²"""
    a3: float
    """the same below 1.25³"""
    silog: float
    """100 std(ln p - ln g): zero when only the scale is wrong"""
    log10: float
    """mean |log10 g - log10 p|"""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The figures in the order in which tables print them."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_row(cls, row: Iterable[float]) -> "DepthMetrics":
        """The inverse of `as_row`."""
        return cls(*(float(value) for value in row))

    def as_row(self) -> tuple[float, ...]:
        """The figures in the order of `names`."""
        return astuple(self)


def depth_metrics(
    prediction: Float[np.ndarray, "p"], truth: Float[np.ndarray, "p"]
) -> DepthMetrics:
    """Every figure of [eigen2014], with SILog and log10, of the scored pixels of one image.

    Both are depths in metres of the same pixels, already masked, aligned and clamped by a protocol.

    Raises:
        ValueError: no pixel, or a depth that is not positive and finite.
    """
    p, g = _checked_pair(prediction, truth)
    log_ratio = np.log(p) - np.log(g)
    ratio = np.maximum(g / p, p / g)
    accuracies = (np.mean(ratio < ACCURACY_STEP**power) for power in (1, 2, 3))
    return DepthMetrics.from_row(
        (
            np.mean(np.abs(g - p) / g),
            np.mean((g - p) ** 2 / g),
            np.sqrt(np.mean((g - p) ** 2)),
            np.sqrt(np.mean(log_ratio**2)),
            *accuracies,
            PERCENT * np.std(log_ratio),
            np.mean(np.abs(log_ratio)) / np.log(10),
        )
    )


def region_abs_rel(
    prediction: Float[np.ndarray, "_ _"],
    truth: Float[np.ndarray, "_ _"],
    region: Bool[np.ndarray, "_ _"],
) -> float:
    """Abs Rel over the pixels of `region` that have a truth: of poles, of edges, of a hidden band.

    Raises:
        ValueError: the shapes differ, no pixel of the region has a truth, or its depth is not
            positive.
    """
    if not prediction.shape == truth.shape == region.shape:
        raise ValueError(
            f"expected prediction, truth and region of one shape, got {prediction.shape}, "
            f"{truth.shape} and {region.shape}; resize the prediction to the truth first"
        )
    scored = region & (truth > 0)
    p, g = _checked_pair(prediction[scored], truth[scored])
    return float(np.mean(np.abs(g - p) / g))


def mean_metrics(rows: Iterable[DepthMetrics]) -> DepthMetrics:
    """The mean over images, each image counting once however many pixels it has.

    Raises:
        ValueError: there are no rows.
    """
    table = np.array([row.as_row() for row in rows], dtype=np.float64)
    if len(table) == 0:
        raise ValueError("expected the figures of at least one image, got none")
    return DepthMetrics.from_row(table.mean(axis=0))


@runtime_checkable
class OfImage(Protocol):
    """The figures of one image, and what of it is needed to pool them with those of others."""

    @property
    def metrics(self) -> DepthMetrics:
        """Over its scored pixels."""

    @property
    def pixels(self) -> int:
        """How many they are."""

    @property
    def log_bias(self) -> float:
        """Over them mean (ln p - ln g)."""


def log_bias(prediction: Float[np.ndarray, "p"], truth: Float[np.ndarray, "p"]) -> float:
    """Mean (ln p - ln g) of the scored pixels of one image: by which factor all of it is too far.

    Raises:
        ValueError: as `depth_metrics`.
    """
    p, g = _checked_pair(prediction, truth)
    return float(np.mean(np.log(p) - np.log(g)))


def pooled_metrics(images: Iterable[OfImage]) -> DepthMetrics:
    """The figures over the pixels of all images together, as if they were one image: every pixel
    counts once, so that an image counts the more the more of it is scored [fcrn].

    Raises:
        ValueError: there are no images.
    """
    rows = list(images)
    if not rows:
        raise ValueError("expected the figures of at least one image, got none")
    share = np.array([row.pixels for row in rows], dtype=np.float64)
    share /= share.sum()
    table = np.array([row.metrics.as_row() for row in rows], dtype=np.float64)
    names = DepthMetrics.names()
    roots = [names.index("rmse"), names.index("rmse_log")]
    table[:, roots] **= 2
    pooled = share @ table
    bias = share @ np.array([row.log_bias for row in rows], dtype=np.float64)
    spread = max(pooled[names.index("rmse_log")] - bias**2, 0.0)
    pooled[names.index("silog")] = PERCENT * np.sqrt(spread)
    pooled[roots] **= 0.5
    return DepthMetrics.from_row(pooled)


def _checked_pair(
    prediction: Float[np.ndarray, "p"], truth: Float[np.ndarray, "p"]
) -> tuple[np.ndarray, np.ndarray]:
    if prediction.size == 0 or prediction.shape != truth.shape:
        raise ValueError(
            "expected the same pixels of prediction and truth, at least one, "
            f"got {prediction.shape} and {truth.shape}"
        )
    for name, depth in (("prediction", prediction), ("truth", truth)):
        if not (np.isfinite(depth).all() and (depth > 0).all()):
            raise ValueError(
                f"expected a {name} of positive, finite metres at every scored pixel, got values "
                f"from {depth.min():g} to {depth.max():g}; mask or clamp it with a protocol first"
            )
    return prediction.astype(np.float64), truth.astype(np.float64)


def least_abs_rel(truth: Float[np.ndarray, "p"]) -> float:
    """The constant c of least mean |c - t| / t over true depths t: their median weighted by 1 / t.

    >>> least_abs_rel(np.array([10.0, 10.0, 40.0]))
    10.0
    """
    # In blocks: the pixels of a whole test set are many, and their weights are twice as long.
    ordered = np.sort(truth)
    blocks = [ordered[start : start + _BLOCK] for start in range(0, len(ordered), _BLOCK)]
    sums = np.cumsum([(1 / block.astype(np.float64)).sum() for block in blocks])
    found = int(np.searchsorted(sums, sums[-1] / 2))
    before = sums[found - 1] if found else 0.0
    weight = before + np.cumsum(1 / blocks[found].astype(np.float64))
    place = min(int(np.searchsorted(weight, sums[-1] / 2)), len(weight) - 1)
    return float(blocks[found][place])
