"""Supervision by true depth: formulas against slow twins, silent where nothing was measured."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scenes import plane_batch, predictions_of
from torch import Tensor

from leadline.losses.residuals import RESIDUALS
from leadline.losses.supervised import DepthResidual, ScaleInvariantLog, SILog
from leadline.losses.term import Objective, Term, Weighted
from leadline.offset import TARGET
from leadline.synthesis.errors import Explainer
from leadline.types import Scene

SIZE = (6, 8)
TERMS: dict[str, Callable[[], Term]] = {
    **{name: lambda name=name: DepthResidual(name) for name in RESIDUALS},  # type: ignore[misc]
    "scale-invariant": ScaleInvariantLog,
    "with slopes": lambda: ScaleInvariantLog(slopes=True),
    "SILog": SILog,
}


def scene(predicted: Tensor, truth: Tensor | None) -> Scene:
    batch = replace(plane_batch(size=SIZE), depth=truth)
    predictions = predictions_of(batch, 10.0)
    predictions = replace(predictions, depth={TARGET: {0: predicted}})
    return Scene(batch, predictions, Explainer()(batch, predictions, ()))


def depths(seed: int, missing: float = 0.4) -> tuple[Tensor, Tensor]:
    """A prediction, and truth with holes."""
    generator = torch.Generator().manual_seed(seed)
    predicted, truth = 1 + 20 * torch.rand(2, 2, 1, *SIZE, generator=generator)
    holes = torch.rand(2, 1, *SIZE, generator=generator) < missing
    return predicted, truth.masked_fill(holes, 0.0)


def log_errors(predicted: Tensor, truth: Tensor) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Of each image, pixel by pixel, NaN where nothing was measured."""
    rows = []
    for p, t in zip(predicted.double().numpy(), truth.double().numpy(), strict=True):
        rows.append(np.full(SIZE, np.nan))
        for y, x in np.argwhere(t[0] > 0):
            rows[-1][y, x] = math.log(p[0, y, x]) - math.log(t[0, y, x])
    return rows


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_scale_invariance_against_all_pairs(seed: int, invariance: float) -> None:
    """For full invariance the sum over pairs; in between a mixture with the mean square."""
    predicted, truth = depths(seed)
    found = ScaleInvariantLog(invariance)(scene(predicted, truth)).mean().item()
    expected = []
    for errors in log_errors(predicted, truth):
        e = errors[~np.isnan(errors)]
        pairs = sum((a - b) ** 2 for a in e for b in e) / (2 * len(e) ** 2)
        expected.append(invariance * pairs + (1 - invariance) * np.mean(e**2))
    assert found == pytest.approx(np.mean(expected), rel=1e-4, abs=1e-6)


@given(st.integers(0, 2**31))
def test_slopes_against_a_slow_twin(seed: int) -> None:
    predicted, truth = depths(seed)
    both = [ScaleInvariantLog(0.5, slopes)(scene(predicted, truth)) for slopes in (True, False)]
    found = both[0].mean().item() - both[1].mean().item()
    expected = []
    for errors in log_errors(predicted, truth):
        height, width = SIZE
        across = [errors[y, x + 1] - errors[y, x] for y in range(height) for x in range(width - 1)]
        down = [errors[y + 1, x] - errors[y, x] for y in range(height - 1) for x in range(width)]
        expected.append(np.nanmean(np.square(across)) + np.nanmean(np.square(down)))
    assert found == pytest.approx(np.mean(expected), rel=1e-3, abs=1e-5)


@given(st.integers(0, 2**31))
def test_silog_against_a_slow_twin(seed: int) -> None:
    predicted, truth = depths(seed)
    found = SILog()(scene(predicted, truth)).mean().item()
    expected = []
    for errors in log_errors(predicted, truth):
        e = errors[~np.isnan(errors)]
        expected.append(10 * math.sqrt(np.mean(e**2) - 0.85 * np.mean(e) ** 2))
    assert found == pytest.approx(np.mean(expected), rel=1e-4)


@given(st.integers(0, 2**31), st.sampled_from(sorted(RESIDUALS)))
def test_residuals_are_means_over_measured_pixels_in_network_units(seed: int, name: str) -> None:
    predicted, truth = depths(seed)
    unit, measured = plane_batch(size=SIZE).unit, truth > 0
    value = DepthResidual(name)(scene(predicted, truth))  # type: ignore[arg-type]
    off = [abs(e) for e in ((predicted - truth)[measured] / unit).double().tolist()]
    bend = 0.2 * max(off)
    formulas = {
        "l1": lambda e: e,
        "l2": lambda e: e * e,
        "log_l1": lambda e: math.log(1 + e),
        "berhu": lambda e: e if e <= bend else (e * e + bend * bend) / (2 * bend),
    }
    expected = np.mean([formulas[name](e) for e in off])
    assert value.mean().item() == pytest.approx(expected, rel=1e-4)
    assert value.count.tolist() == [measured.sum()]


def test_a_common_factor_is_forgiven_as_far_as_it_should_be() -> None:
    _, truth = depths(0)
    twice = scene((2 * truth).where(truth > 0, 1.0), truth)
    assert ScaleInvariantLog(1.0)(twice).mean().item() == pytest.approx(0, abs=1e-5)
    half = ScaleInvariantLog(0.5)(twice).mean().item()
    assert half == pytest.approx(math.log(2) ** 2 / 2, rel=1e-4)
    assert SILog()(twice).mean().item() == pytest.approx(10 * math.log(2) * 0.15**0.5, rel=1e-3)


@pytest.mark.parametrize("name", TERMS)
def test_the_gradient_is_that_of_the_formula(name: str) -> None:
    predicted, truth = (x.double() for x in depths(3))
    # The largest error is the threshold of the reverse Huber, which is not differentiated.
    truth[0, 0, 0, 0] = 1.0
    batch = replace(plane_batch(size=SIZE), depth=truth)

    def loss(depth: Tensor) -> Tensor:
        fixed = torch.zeros_like(depth, dtype=torch.bool)
        fixed[0, 0, 0, 0] = True
        depth = depth.where(~fixed, 90.0)
        errors = replace(Explainer()(batch, predictions_of(batch, 10.0), ()), depth={0: depth})
        predictions = replace(predictions_of(batch, 10.0), depth={TARGET: {0: depth}})
        return TERMS[name]()(Scene(batch, predictions, errors)).sum.sum()

    assert torch.autograd.gradcheck(loss, (predicted.requires_grad_(),))


@pytest.mark.parametrize("name", TERMS)
def test_what_was_not_measured_neither_counts_nor_learns(name: str) -> None:
    term = TERMS[name]()
    predicted, truth = depths(1)
    truth[1] = 0
    predicted.requires_grad_()
    value = term(scene(predicted, truth))
    value.mean().backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    assert not predicted.grad[truth == 0].any()
    twice = predicted.detach()[[0, 0]], truth[[0, 0]]
    alone = term(scene(*twice))
    torch.testing.assert_close(value.mean(), alone.mean())
    assert alone.count.item() == 2 * value.count.item() > 0
    nothing = term(scene(predicted, torch.zeros_like(truth))).mean()
    nothing.backward()
    assert nothing.item() == 0
    assert predicted.grad.isfinite().all()


@pytest.mark.parametrize("name", TERMS)
def test_a_perfect_prediction_costs_next_to_nothing_and_its_gradient_is_finite(name: str) -> None:
    _, truth = depths(2, missing=0.0)
    predicted = truth.clone().requires_grad_()
    value = TERMS[name]()(scene(predicted, truth)).mean()
    value.backward()
    assert value.item() < 1e-4
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_masks_and_near_truth_do_not_count() -> None:
    predicted, truth = depths(4)
    found = scene(predicted, truth)
    masked = replace(found, batch=replace(found.batch, loss_mask=torch.zeros(2, 1, *SIZE) > 0))
    for name in TERMS:
        assert TERMS[name]()(masked).count.tolist() == [0]
    far = truth.where(truth > 5, 0.0)
    for term in (ScaleInvariantLog, SILog):
        near_dropped = term(nearest=5.0)(scene(predicted, truth)).mean()
        torch.testing.assert_close(near_dropped, term()(scene(predicted, far)).mean())


def test_what_gives_metres_and_what_is_refused() -> None:
    for term in (SILog(), ScaleInvariantLog(0.0), DepthResidual("l1")):
        assert Objective({"depth": Weighted(term)}).gives_scale
    assert not Objective({"depth": Weighted(ScaleInvariantLog(1.0))}).gives_scale
    for wrong in (SILog, ScaleInvariantLog):
        with pytest.raises(ValueError, match=r"invariance: expected a share from 0 to 1, got 1\.5"):
            wrong(1.5)
    predicted, _ = depths(0)
    for name in TERMS:
        with pytest.raises(ValueError, match="the batch has none"):
            TERMS[name]()(scene(predicted, None))
        small = scene(predicted, torch.ones(2, 1, *SIZE))
        small = replace(small, batch=replace(small.batch, depth=torch.ones(2, 1, 3, 4)))
        with pytest.raises(ValueError, match="expected the size of the images"):
            TERMS[name]()(small)
