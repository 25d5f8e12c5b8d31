"""What validation says of depth while training: figures, and the scale that metres lack."""

from dataclasses import replace

import pytest
import torch
from scenes import plane_batch, predictions_of

from leadline.training.module import rows_of, scored_pixels
from leadline.training.step import Step
from leadline.types import Batch, Errors, Scene


def step_on(batch: Batch, predicted: float) -> Step:
    maps = {0: torch.full((len(batch), 1, *batch.size), predicted)}
    errors = Errors(maps, torch.ones(len(batch), 1, *batch.size, dtype=torch.bool))
    return Step(torch.zeros(()), {}, Scene(batch, predictions_of(batch, predicted), errors))


def measured() -> Batch:
    """A plane at 8 m, measured in every other column of the first sample and nowhere else."""
    batch = plane_batch()
    truth = torch.zeros(2, 1, *batch.size)
    truth[0, :, :, ::2] = 8.0
    truth[0, :, 0, 0] = 500.0  # beyond what counts
    return replace(batch, depth=truth)


def test_the_scale_is_what_the_median_would_be_multiplied_by() -> None:
    batch = measured()
    (pixels,) = scored_pixels(batch, step_on(batch, 10.0))
    assert pixels.id == batch.ids[0]
    assert len(pixels.truth) == batch.size[0] * batch.size[1] // 2 - 1
    assert pixels.ratio == pytest.approx(0.8)


def test_metric_predictions_are_not_scaled() -> None:
    batch = measured()
    pixels = scored_pixels(batch, step_on(batch, 10.0))
    assert rows_of(pixels, metric=True)[batch.ids[0]].abs_rel == pytest.approx(0.25)
    assert rows_of(pixels, metric=False)[batch.ids[0]].abs_rel == pytest.approx(0, abs=1e-6)


def test_without_truth_there_is_nothing_to_say() -> None:
    batch = plane_batch()
    assert scored_pixels(batch, step_on(batch, 10.0)) == []
    assert rows_of([], metric=True) == {}
