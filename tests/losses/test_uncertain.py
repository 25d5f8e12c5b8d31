"""An error that was expected costs its logarithm, and any other guess more."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of, without
from torch import Tensor

from leadline.losses.term import Objective, Weighted
from leadline.losses.uncertain import UncertainReprojection
from leadline.networks.depth import DepthNetwork
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import scene_of, training_step
from leadline.types import Batch, Scene

NEEDED = UncertainReprojection.needs


def scene(expected: dict[int, Tensor], batch: Batch | None = None) -> Scene:
    batch = plane_batch(size=(24, 40)) if batch is None else batch
    predictions = replace(
        predictions_of(plane_batch(size=(24, 40)), 13.0), photometric_uncertainty=expected
    )
    return scene_of(batch, predictions, Explainer(), NEEDED)


def flat(u: float) -> dict[int, Tensor]:
    return {s: torch.full((2, 2, 24 // 2**s, 40 // 2**s), u) for s in range(2)}


def test_against_a_slow_twin() -> None:
    generator = torch.Generator().manual_seed(0)
    expected = {0: torch.randn(2, 2, 24, 40, generator=generator)}
    seen = scene(expected)
    assert seen.errors.predicted is not None
    error, u = seen.errors.predicted[0].numpy(), expected[0].numpy()
    total = 0.0
    for b, y, x in np.ndindex(2, 24, 40):
        costs = [error[b, n, y, x] * math.exp(-u[b, n, y, x]) + u[b, n, y, x] for n in range(2)]
        total += sum(costs) / 2
    value = UncertainReprojection()(seen)
    assert value.count.tolist() == [2 * 24 * 40]
    assert value.sum.item() == pytest.approx(total, rel=1e-4)


def test_the_best_guess_is_the_logarithm_of_the_error() -> None:
    seen = scene(flat(0.0))
    assert seen.errors.predicted is not None
    right = {s: e.clamp(min=1e-4).log() for s, e in seen.errors.predicted.items()}
    full = {0: right[0]}
    best = UncertainReprojection()(scene(full)).mean()
    for other in (0.2, -0.2):
        assert UncertainReprojection()(scene({0: right[0] + other})).mean() > best
    assert best.item() == pytest.approx((1 + right[0]).mean().item(), abs=0.01)


def test_coarse_maps_are_brought_to_full_size() -> None:
    """A map that says the same everywhere says so at any size."""
    value = UncertainReprojection()(scene(flat(-1.0)))
    errors = scene(flat(-1.0)).errors.predicted
    assert errors is not None
    expected = [(errors[s] * math.e - 1).mean(1).sum().item() for s in range(2)]
    assert value.sum.tolist() == pytest.approx(expected, rel=1e-4)


def test_an_absent_source_costs_nothing() -> None:
    batch = without(plane_batch(size=(24, 40)), NEXT, index=1)
    doubtful = flat(-1.0)
    for maps in doubtful.values():
        maps[1, batch.sources.index(NEXT)] = 5.0
    some = UncertainReprojection()(scene(doubtful, batch)).sum
    none = UncertainReprojection()(scene(flat(-1.0), batch)).sum
    torch.testing.assert_close(some, none)


def test_one_map_for_each_source_is_asked_for() -> None:
    one = {0: torch.zeros(2, 1, 24, 40)}
    with pytest.raises(ValueError, match="for each of 2 sources, the network makes 1; set its"):
        UncertainReprojection()(scene(one))


def test_a_step_teaches_the_head() -> None:
    torch.manual_seed(0)
    network = DepthNetwork("resnet18", "none", uncertain_sources=2)
    assert network.makes == {"photometric_uncertainty"}
    predictor = DepthAndPose(network)
    objective = Objective({"pictures": Weighted(UncertainReprojection())})
    objective.check(predictor.makes | {"predicted"})
    batch = plane_batch(size=(64, 96))
    step = training_step(predictor, Explainer(), objective, batch)
    step.loss.backward()
    head = network.decoder.heads["photometric_uncertainty"]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
    plain = Objective({"pictures": Weighted(UncertainReprojection())})
    with pytest.raises(ValueError, match="give the depth network `uncertain_sources`"):
        plain.check(frozenset({"predicted"}))
