"""Scores a folder of predictions against a folder of truth."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from leadline.evaluation.alignment import UNALIGNED, Alignment
from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.distance import DistanceSums, distance_bins
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.matched import MatchedPredictions
from leadline.evaluation.pixels import scored_pixels
from leadline.evaluation.predictions import PNG_PER_METRE, open_predictions, open_truth
from leadline.evaluation.protocol import Protocol, named_protocol
from leadline.evaluation.results import Evaluation, ImageScore
from leadline.metrics import depth_metrics

MOST_WORKERS = 8  # threads; beyond it the interpreter's lock is the limit


def score(
    predictions: DepthFolder,
    truth: DepthFolder,
    protocol: Protocol,
    alignment: Alignment = UNALIGNED,
    *,
    flipped: DepthFolder | None = None,
    metric: bool | None = None,
    model: str = "",
    workers: int | None = None,
) -> Evaluation:
    """One row of figures per truth, in the order of their ids, and what needs no picture beside.

    `flipped` holds the predictions for the mirrored pictures, still mirrored, to be blended in.
    `metric` and `model` are what the predictions say of themselves. The result does not depend on
    `workers`.

    Raises:
        ValueError: a truth has no prediction, a file is not a depth map, or nothing could be
            scored.
    """
    ids = truth.ids
    predicted = MatchedPredictions.of(ids, predictions, flipped)

    def score_one(image_id: str) -> tuple[ImageScore, DistanceSums] | None:
        depth = predicted.read(image_id)
        return _score_image(image_id, depth, truth.read(image_id), protocol, alignment)

    with ThreadPoolExecutor(workers or min(MOST_WORKERS, os.cpu_count() or 1)) as pool:
        results = dict(zip(ids, pool.map(score_one, ids), strict=True))
    scored = [result for result in results.values() if result is not None]
    if not scored:
        raise ValueError(
            f"expected truth to score in {truth.folder} under the protocol {protocol.name!r}, "
            f"got none in {len(ids)} images; is it in metres, and `divide` right?"
        )
    return Evaluation(
        model=model,
        metric=metric,
        protocol=protocol,
        alignment=alignment,
        flip=flipped is not None,
        rows=tuple(row for row, _ in scored),
        unscored=tuple(image_id for image_id, result in results.items() if result is None),
        guesses=honest_guesses((truth.read(image_id) for image_id in ids), protocol, alignment),
        by_distance=distance_bins(sums for _, sums in scored),
    )


def score_folders(
    predictions: Path,
    truth: Path,
    *,
    protocol: str = "eigen",
    alignment: str | float = "none",
    flipped: Path | None = None,
    divide: float | None = None,
    truth_divide: float = PNG_PER_METRE,
    workers: int | None = None,
) -> Evaluation:
    """`score` for two folders, everything by name.

    Raises:
        FileNotFoundError: a folder is not there or holds no depth map.
        ValueError: see `score`; or a name is unknown.
    """
    depths, manifest = open_predictions(predictions, divide)
    return score(
        depths,
        open_truth(truth, truth_divide),
        named_protocol(protocol),
        Alignment.parse(alignment),
        flipped=open_predictions(flipped, divide)[0] if flipped else None,
        metric=manifest.metric if manifest else None,
        model=manifest.model if manifest else predictions.resolve().name,
        workers=workers,
    )


def _score_image(
    image_id: str,
    prediction: Float64[np.ndarray, "_ _"],
    truth: Float64[np.ndarray, "h w"],
    protocol: Protocol,
    alignment: Alignment,
) -> tuple[ImageScore, DistanceSums] | None:
    try:
        pixels = scored_pixels(prediction, truth, protocol, alignment)
    except ValueError as error:
        raise ValueError(f"image {image_id!r}: {error}") from error
    if pixels is None:
        return None
    row = ImageScore(
        id=image_id,
        metrics=depth_metrics(pixels.prediction, pixels.truth),
        ratio=pixels.ratio,
        pixels=len(pixels.truth),
        missing=pixels.missing,
    )
    return row, DistanceSums.of(pixels.prediction, pixels.truth)
