"""The hint term weighted by confidence, against loops over pixels."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from scenes import plane_batch, predictions_of
from torch import Tensor

from leadline.losses.explanations import contest
from leadline.losses.proxy import ProxySupervision
from leadline.losses.residuals import RESIDUALS
from leadline.losses.term import BELIEVED, Objective, Weighted
from leadline.synthesis.errors import Explainer
from leadline.types import LossValue, Scene

SIZE, SHAPE = (12, 20), (2, 1, 12, 20)
STYLES: dict[str, dict[str, Any]] = {
    "soft": {},
    "soft without identity": {"automask": False},
    "hard": {"believe": "everywhere"},
    "hard l1": {"believe": "everywhere", "residual": "l1"},
    "hard and uncertain": {"believe": "everywhere", "uncertainty": True},
}
SIXTEEN = torch.arange(16) / 15


def random_scene(seed: int = 0, scales: int = 2) -> tuple[Scene, dict[int, Tensor]]:
    """Wrong depths, hints that are right or wrong or missing, and every level of confidence; also
    the depths themselves, which gradients are taken of.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = plane_batch(size=SIZE)
    hint = 10 + 4 * torch.rand(SHAPE, generator=generator)
    hint[torch.rand(SHAPE, generator=generator) < 0.3] = 0
    confidence = SIXTEEN[torch.randint(16, SHAPE, generator=generator)].where(hint > 0, 0.0)
    batch = replace(batch, hint=hint, hint_confidence=confidence)
    predictions = predictions_of(batch, 14.0, scales)
    depth = {
        s: (d + torch.rand(d.shape, generator=generator)).requires_grad_()
        for s, d in predictions.depth[next(iter(predictions.depth))].items()
    }
    u = {s: torch.full_like(d, 0.3).detach() for s, d in depth.items()}
    predictions = replace(predictions, depth=dict.fromkeys(predictions.depth, depth), uncertainty=u)
    errors = Explainer()(batch, predictions, ["predicted", "identity", "hint"])
    return Scene(batch, predictions, errors), depth


def slow_loss(scene: Scene, weighted: bool, **style: Any) -> Tensor:
    """Mean over scales of sum c r / sum c, pixel by pixel; c = 1 without weights."""
    batch, errors, means = scene.batch, scene.errors, []
    assert batch.hint is not None
    assert batch.hint_confidence is not None
    for scale, depth in errors.depth.items():
        automask = style.get("automask", True)
        wins = contest(errors, scale, "min", identity=automask, hint=True).hint_wins
        total, count = torch.zeros(()), 0.0
        for place in torch.cartesian_prod(*(torch.arange(n) for n in SHAPE)).tolist():
            b, _, v, u = place
            if batch.hint[b, 0, v, u] == 0:
                continue
            if style.get("believe") != "everywhere" and not wins[b, 0, v, u]:
                continue
            c = float(batch.hint_confidence[b, 0, v, u]) if weighted else 1.0
            r = (depth[b, 0, v, u] - batch.hint[b, 0, v, u]).abs() / batch.unit
            if style.get("residual") != "l1":
                r = (1 + r).log()
            if style.get("uncertainty"):
                r = r * math.exp(-0.3) + 0.3
            total, count = total + c * r, count + c
        means.append(total / max(count, 1))
    return torch.stack(means).mean()


@pytest.mark.parametrize("weighting", ["none", "confidence"])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_as_in_loops_over_pixels_and_so_are_its_gradients(
    style: dict[str, Any], weighting: Any
) -> None:
    scene, depth = random_scene()
    ours = ProxySupervision(weighting=weighting, **style)(scene).mean()
    slow = slow_loss(scene, weighting == "confidence", **style)
    torch.testing.assert_close(ours, slow)
    gradients = [
        torch.autograd.grad(loss, list(depth.values()), retain_graph=True) for loss in (ours, slow)
    ]
    for one, other in zip(*gradients, strict=True):
        assert one.count_nonzero() > 0
        torch.testing.assert_close(one, other)


def parts(value: LossValue) -> list[Tensor]:
    return [value.sum, value.count, *value.maps.values()]


@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("believe", ["hint_wins", "everywhere"])
def test_without_weighting_nothing_changes_bit_for_bit(believe: Any, residual: Any) -> None:
    """Against sums over believed pixels and their plain number."""
    scene, depth = random_scene()
    errors, unit, hint = scene.errors, scene.batch.unit, scene.batch.hint
    assert hint is not None
    assert errors.hint_valid is not None
    sums, counts = [], []
    for scale, full in errors.depth.items():
        believed = errors.hint_valid
        if believe == "hint_wins":
            believed = contest(errors, scale, "min", identity=True, hint=True).hint_wins
        value = RESIDUALS[residual](full / unit, hint / unit, errors.hint_valid)
        sums.append(value.where(believed, 0.0).sum())
        counts.append(believed.sum())
    published = LossValue(torch.stack(sums), torch.stack(counts).float())
    ours = ProxySupervision(believe, residual)(scene)
    assert torch.equal(ours.sum, published.sum)
    assert torch.equal(ours.count, published.count)
    both = [
        torch.autograd.grad(value.mean(), list(depth.values()), retain_graph=True)
        for value in (ours, published)
    ]
    assert all(torch.equal(one, other) for one, other in zip(*both, strict=True))
    # Confidence that nobody asked for is not looked at.
    bare = replace(scene, batch=replace(scene.batch, hint_confidence=None))
    again = ProxySupervision(believe, residual)(bare)
    assert all(
        torch.equal(one, other) for one, other in zip(parts(ours), parts(again), strict=True)
    )


@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("believe", ["hint_wins", "everywhere"])
def test_full_confidence_is_none_and_any_other_constant_too(believe: Any, residual: Any) -> None:
    scene, _ = random_scene()
    plain = ProxySupervision(believe, residual)(scene)
    hint = scene.batch.hint
    assert hint is not None
    for constant in (1.0, 0.4):
        confidence = torch.full_like(hint, constant).where(hint > 0, 0.0)
        batch = replace(scene.batch, hint_confidence=confidence)
        value = ProxySupervision(believe, residual, weighting="confidence")(
            replace(scene, batch=batch)
        )
        torch.testing.assert_close(value.mean(), plain.mean())
        torch.testing.assert_close(value.count, constant * plain.count)


@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("believe", ["hint_wins", "everywhere"])
def test_a_hint_without_confidence_neither_teaches_nor_counts(believe: Any, residual: Any) -> None:
    """As if it were not there, however far it is off."""
    scene, depth = random_scene()
    confidence, hint = scene.batch.hint_confidence, scene.batch.hint
    assert confidence is not None
    assert hint is not None
    assert scene.errors.hint_valid is not None
    doubted = confidence == 0
    far = replace(scene.batch, hint=hint.where(~doubted | (hint == 0), 1e30))
    errors = replace(scene.errors, hint_valid=scene.errors.hint_valid & ~doubted)
    term = ProxySupervision(believe, residual, weighting="confidence")
    values = [term(replace(scene, batch=far)), term(replace(scene, errors=errors))]
    assert values[0].mean().isfinite()
    assert all(torch.equal(one, other) for one, other in zip(*map(parts, values), strict=True))
    torch.autograd.backward(values[0].mean(), inputs=list(depth.values()))
    assert depth[0].grad is not None
    assert (depth[0].grad[doubted] == 0).all()


def test_nothing_trusted_teaches_nothing_and_is_finite() -> None:
    scene, depth = random_scene()
    batch = replace(scene.batch, hint_confidence=torch.zeros(SHAPE))
    value = ProxySupervision(weighting="confidence")(replace(scene, batch=batch))
    value.mean().backward()
    assert value.mean() == 0
    assert (value.count == 0).all()
    assert depth[0].grad is not None
    assert (depth[0].grad == 0).all()


def test_weights_get_no_gradient() -> None:
    scene, depth = random_scene()
    assert scene.batch.hint_confidence is not None
    confidence = scene.batch.hint_confidence.clone().requires_grad_()
    batch = replace(scene.batch, hint_confidence=confidence)
    value = ProxySupervision(weighting="confidence")(replace(scene, batch=batch))
    value.mean().backward()
    assert confidence.grad is None
    assert depth[0].grad is not None
    assert not value.count.requires_grad
    assert not any(shown.requires_grad for shown in value.maps.values())


def test_the_map_of_what_teaches_holds_the_weights() -> None:
    scene, _ = random_scene()
    value = ProxySupervision("everywhere", weighting="confidence")(scene)
    assert scene.batch.hint_confidence is not None
    torch.testing.assert_close(value.maps[f"{BELIEVED}_0"], scene.batch.hint_confidence)
    assert value.count[0] == pytest.approx(float(scene.batch.hint_confidence.sum()))


def test_a_batch_without_confidence_is_one_clear_line() -> None:
    scene, _ = random_scene()
    term = ProxySupervision(weighting="confidence")
    bare = replace(scene, batch=replace(scene.batch, hint_confidence=None))
    with pytest.raises(
        ValueError, match=r"weights hints by confidence, but .*\(`leadline hints`\)"
    ):
        term(bare)
    objective = Objective({"hint": Weighted(term)})
    assert "weighting=confidence" in str(objective)
    assert "confidence" in objective.needed()
    with pytest.raises(ValueError, match=r"objective\.hint needs confidence: .*hint_confidence"):
        objective.check(objective.needed() - {"confidence"})
    assert "confidence" not in ProxySupervision().needed()
