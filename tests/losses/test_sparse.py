"""Sparse inverse depth: least at the truth, blind where nothing was measured."""

from dataclasses import replace

import pytest
import torch
from scenes import plane_batch, predictions_of

from leadline.losses.sparse import SparseInverseDepth
from leadline.offset import STEREO
from leadline.types import Errors, Scene


def scene(predicted: float, truth: torch.Tensor | None) -> Scene:
    batch = replace(plane_batch(sources=(STEREO,)), depth=truth)
    return Scene(batch, predictions_of(batch, predicted), Errors({}, torch.ones(2, 1, 24, 40) > 0))


def measured(depth: float) -> torch.Tensor:
    """Every third column, with one frame that was not measured at all."""
    truth = torch.zeros(2, 1, 24, 40)
    truth[0, :, :, ::3] = depth
    return truth


def test_the_mean_over_what_was_measured_at_every_scale() -> None:
    value = SparseInverseDepth()(scene(10.0, measured(5.0)))
    unit = plane_batch().unit
    assert value.count.tolist() == [24 * 14] * 2
    assert value.mean().item() == pytest.approx(unit * (1 / 5 - 1 / 10), rel=1e-5)
    assert SparseInverseDepth()(scene(5.0, measured(5.0))).mean().item() < 1e-6


def test_nothing_measured_is_nothing_to_learn_from() -> None:
    assert SparseInverseDepth()(scene(5.0, torch.zeros(2, 1, 24, 40))).mean().item() == 0
    with pytest.raises(ValueError, match="the batch has none"):
        SparseInverseDepth()(scene(5.0, None))
    with pytest.raises(ValueError, match="expected the size of the images"):
        SparseInverseDepth()(scene(5.0, torch.ones(2, 1, 12, 20)))


def test_unmeasured_pixels_have_no_gradient() -> None:
    found = scene(10.0, measured(5.0))
    depth = found.predictions.depth[next(iter(found.predictions.depth))][0].requires_grad_()
    SparseInverseDepth()(found).sum.sum().backward()
    assert depth.grad is not None
    assert (depth.grad[0, :, :, ::3] != 0).all()
    assert not depth.grad[0, :, :, 1::3].any()
    assert not depth.grad[1].any()


def test_pixels_of_a_coarse_scale_are_repeated_and_not_blended() -> None:
    found = scene(10.0, measured(5.0))
    depths = next(iter(found.predictions.depth.values()))
    depths[1][:, :, :, 10:] = 5.0
    value = SparseInverseDepth()(found)
    # Right of the middle all is right: a column between both would be neither.
    wrong = plane_batch().unit * (1 / 5 - 1 / 10)
    assert value.sum[1].item() == pytest.approx(wrong * 24 * 7, rel=1e-5)
