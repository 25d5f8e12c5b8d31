"""Scores a folder of predictions against a folder of truth."""

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from leadline.evaluation.alignment import UNALIGNED, Alignment
from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.distance import DistanceSums, distance_bins
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.names import match_ids
from leadline.evaluation.pixels import scored_pixels
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.protocol import Protocol, named_protocol
from leadline.evaluation.results import Evaluation, ImageScore
from leadline.evaluation.truth import name_truth
from leadline.metrics import depth_metrics, log_bias

MOST_WORKERS = 8  # threads; beyond it the interpreter's lock is the limit


def score(
    predictions: DepthFolder,
    truth: DepthFolder,
    protocol: Protocol,
    alignment: Alignment = UNALIGNED,
    *,
    only: Collection[str] | None = None,
    metric: bool | None = None,
    flip: bool | None = None,
    model: str = "",
    workers: int | None = None,
) -> Evaluation:
    """One row of figures per truth, in the order of their ids, and what needs no picture beside.

    `only` names the truths that count, where the folder holds more. `metric`, `flip` and `model`
    are what the predictions say of themselves. The result does not depend on `workers`.

    Raises:
        ValueError: a truth has no prediction, a file is not a depth map, or nothing could be
            scored.
    """
    ids = [image_id for image_id in truth.ids if only is None or image_id in only]
    prediction_of = match_ids(ids, predictions.files, "a prediction")

    def score_one(image_id: str) -> tuple[ImageScore, DistanceSums] | None:
        depth = predictions.read(prediction_of[image_id])
        return _score_image(
            image_id, depth, truth.read(image_id), protocol, alignment, predictions.farthest
        )

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
        truth=name_truth(truth.folder, ids, protocol),
        alignment=alignment,
        flip=flip,
        rows=tuple(row for row, _ in scored),
        unscored=tuple(image_id for image_id, result in results.items() if result is None),
        guesses=honest_guesses((truth.read(image_id) for image_id in ids), protocol, alignment),
        by_distance=distance_bins(sums for _, sums in scored),
        farthest=predictions.farthest,
    )


def score_folders(
    predictions: Path,
    truth: Path,
    *,
    protocol: str = "eigen",
    alignment: str | float = "none",
    divide: float | None = None,
    truth_divide: float | None = None,
    only: Collection[str] | None = None,
    workers: int | None = None,
) -> Evaluation:
    """`score` for two folders, everything by name.

    Raises:
        FileNotFoundError: a folder is not there or holds no depth map.
        ValueError: see `score`; or a name is unknown.
    """
    depths, settings = open_predictions(predictions, divide)
    return score(
        depths,
        open_truth(truth, truth_divide),
        named_protocol(protocol),
        Alignment.parse(alignment),
        only=only,
        metric=settings.metric if settings else None,
        flip=settings.flip if settings else None,
        model=settings.name if settings else predictions.resolve().name,
        workers=workers,
    )


def _score_image(
    image_id: str,
    prediction: Float64[np.ndarray, "_ _"],
    truth: Float64[np.ndarray, "h w"],
    protocol: Protocol,
    alignment: Alignment,
    farthest: float | None,
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
        ratio=pixels.ratio(),
        pixels=len(pixels.truth),
        missing=pixels.missing,
        beyond=0 if farthest is None else int(np.isclose(pixels.unaligned, farthest).sum()),
        log_bias=log_bias(pixels.prediction, pixels.truth),
    )
    return row, DistanceSums.of(pixels.prediction, pixels.truth)
