"""Honest guesses: the figures of what needs no picture, below which a network has learnt nothing.

Both are oracles: they are fitted to the very truth on which they are scored, for the least Abs Rel
over the pixels of all images together. What is printed is joined as the protocol joins figures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

from leadline.evaluation.alignment import UNALIGNED, Alignment, median_ratio
from leadline.evaluation.protocol import Protocol
from leadline.metrics import DepthMetrics, depth_metrics, least_abs_rel, log_bias

CONSTANT = "best constant"
ROW = "best value per row"


@dataclass(frozen=True)
class _ScoredTruth:
    depth: Float[np.ndarray, "p"]
    """Row after row."""
    counts: Int[np.ndarray, "h"]
    """Pixels in each row."""

    def rows_of(self, tallest: int) -> Int[np.ndarray, "h"]:
        """For each row the one of the tallest image that it is brought to."""
        height = len(self.counts)
        return np.arange(height) * tallest // height


@dataclass(frozen=True)
class _Guessed:
    metrics: DepthMetrics
    pixels: int
    log_bias: float


def honest_guesses(
    truths: Iterable[Float[np.ndarray, "_ _"]],
    protocol: Protocol,
    alignment: Alignment = UNALIGNED,
) -> Mapping[str, DepthMetrics]:
    """Figures of both guesses by the name that tables print, each truth read once.

    One is the one depth, the same for all pixels and images, of least Abs Rel. The other is the
    best depth for each image row: what the height of a camera over a road gives away without
    looking. Rows of images of several heights are brought to the tallest one.

    Raises:
        ValueError: no truth has a pixel to score.
    """
    scored = _scored(truths, protocol)
    return {
        CONSTANT: _constant(scored, protocol, alignment),
        ROW: _per_row(scored, protocol, alignment),
    }


def _scored(truths: Iterable[Float[np.ndarray, "_ _"]], protocol: Protocol) -> list[_ScoredTruth]:
    scored = []
    for truth in truths:
        mask = protocol.mask(truth)
        if mask.any():
            # Single precision halves the memory of a whole test set; files hold no more than that.
            scored.append(_ScoredTruth(truth[mask].astype(np.float32), mask.sum(1)))
    if not scored:
        raise ValueError(
            f"expected truth to score under the protocol {protocol.name!r}, got none in any image"
        )
    return scored


def _constant(scored: list[_ScoredTruth], protocol: Protocol, alignment: Alignment) -> DepthMetrics:
    best = least_abs_rel(np.concatenate([truth.depth for truth in scored]))
    return protocol.summary(
        _figures(np.full(truth.depth.shape, best), truth, protocol, alignment) for truth in scored
    )


def _per_row(scored: list[_ScoredTruth], protocol: Protocol, alignment: Alignment) -> DepthMetrics:
    tallest = max(len(truth.counts) for truth in scored)
    parts: list[list[Float[np.ndarray, "_"]]] = [[] for _ in range(tallest)]
    for truth in scored:
        rows = np.split(truth.depth, np.cumsum(truth.counts)[:-1])
        for row, depths in zip(truth.rows_of(tallest), rows, strict=True):
            parts[row].append(depths)
    best = np.array(
        [least_abs_rel(np.concatenate(each)) if any(map(len, each)) else 1.0 for each in parts]
    )
    guesses = (np.repeat(best[truth.rows_of(tallest)], truth.counts) for truth in scored)
    return protocol.summary(
        _figures(guess, truth, protocol, alignment)
        for guess, truth in zip(guesses, scored, strict=True)
    )


def _figures(
    guess: Float64[np.ndarray, "p"],
    truth: _ScoredTruth,
    protocol: Protocol,
    alignment: Alignment,
) -> _Guessed:
    depth = truth.depth.astype(np.float64)
    scale = alignment.scale(lambda: median_ratio(guess, depth))
    prediction = protocol.clamp(guess * scale)
    return _Guessed(depth_metrics(prediction, depth), len(depth), log_bias(prediction, depth))
