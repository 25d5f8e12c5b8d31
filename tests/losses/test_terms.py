"""Every term: least at the truth, blind where it should be, finite where nothing counts."""

from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of, without
from torch import Tensor

from leadline.losses.explainability import ExplainabilityPrior, MaskedReprojection
from leadline.losses.explanations import contest, over_sources
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.residuals import berhu, l1, log_l1
from leadline.losses.smoothness import Smoothness, edge_aware_smoothness
from leadline.losses.term import Objective, Term, Weighted
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import Explainer
from leadline.types import Batch, Errors, Predictions, Scene


def scene_at(depth: float | Tensor, batch: Batch | None = None) -> Scene:
    batch = batch or plane_batch()
    predictions = predictions_of(batch, depth)
    wanted = ["predicted", "identity"] + (["hint"] if batch.hint is not None else [])
    return Scene(batch, predictions, Explainer()(batch, predictions, wanted))  # type: ignore[arg-type]


def errors_of(predicted: list[float], identity: list[float], hint: float | None = None) -> Errors:
    """One pixel with given errors per source."""
    values = torch.tensor(predicted).reshape(1, -1, 1, 1)
    return Errors(
        depth={0: torch.ones(1, 1, 1, 1)},
        valid=torch.ones_like(values, dtype=torch.bool),
        predicted={0: values},
        identity=torch.tensor(identity).reshape(1, -1, 1, 1),
        hint=None if hint is None else torch.full((1, 1, 1, 1), hint),
        hint_valid=None if hint is None else torch.ones(1, 1, 1, 1, dtype=torch.bool),
    )


TERMS: dict[str, Term] = {
    "min": Reprojection(),
    "mean": Reprojection(reduction="mean", automask=False),
    "depth hints": Reprojection(average_over="kept", hint_competes=True),
    "soft": ProxySupervision(),
    "hard": ProxySupervision(believe="everywhere"),
    "hard l1": ProxySupervision(believe="everywhere", residual="l1"),
    "hard berhu": ProxySupervision(believe="everywhere", residual="berhu"),
}


@pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)
def test_least_at_the_truth(term: Term) -> None:
    at_truth = term(scene_at(10.0)).mean()
    for depth in (7.0, 9.0, 11.0, 15.0):
        assert at_truth < term(scene_at(depth)).mean()


@pytest.mark.parametrize("term", [*TERMS.values(), Smoothness()], ids=[*TERMS, "smoothness"])
def test_finite_with_nothing_to_look_at(term: Term) -> None:
    batch = plane_batch()
    for offset in batch.sources:
        for index in range(len(batch)):
            batch = without(batch, offset, index)
    depth = torch.full((2, 1, 24, 40), 5.0, requires_grad=True)
    predictions = predictions_of(plane_batch(), depth, scales=1)
    errors = Explainer()(batch, predictions, ["predicted", "identity", "hint"])
    value = term(Scene(batch, predictions, errors)).mean()
    value.backward()
    assert value.isfinite()
    assert depth.grad is not None
    assert depth.grad.isfinite().all()
    if not isinstance(term, Smoothness):
        assert value == 0


def test_a_missing_neighbour_changes_nothing_but_its_own_share() -> None:
    whole = plane_batch(count=1)
    alone = plane_batch(count=1, sources=(STEREO,))
    torch.testing.assert_close(
        Reprojection(automask=False)(scene_at(9.0, without(whole, NEXT, 0))).mean(),
        Reprojection(automask=False)(scene_at(9.0, alone)).mean(),
    )


def test_minimum_is_the_least_valid_source_and_mean_their_mean() -> None:
    errors = torch.tensor([0.3, 0.1, 0.2]).reshape(1, 3, 1, 1)
    valid = torch.tensor([True, False, True]).reshape(1, 3, 1, 1)
    assert over_sources(errors, valid, "min").error.item() == pytest.approx(0.2)
    assert over_sources(errors, valid, "mean").error.item() == pytest.approx(0.25)
    nothing = over_sources(errors, torch.zeros_like(valid), "min")
    assert not nothing.valid.any()
    assert nothing.error.item() == 0


@pytest.mark.parametrize(
    ("predicted", "identity", "hint", "winner"),
    [
        ([0.3, 0.1], [0.2, 0.4], 0.15, "prediction"),
        ([0.3, 0.4], [0.2, 0.4], 0.25, "identity"),
        ([0.3, 0.4], [0.2, 0.4], 0.15, "hint"),
        ([0.3, 0.4], [0.5, 0.4], 0.25, "hint"),
        ([0.2, 0.4], [0.2, 0.4], 0.20, "prediction"),
        ([0.3, 0.4], [0.2, 0.4], None, "identity"),
    ],
)
def test_the_best_explanation_wins(
    predicted: list[float], identity: list[float], hint: float | None, winner: str
) -> None:
    result = contest(errors_of(predicted, identity, hint), 0, "min", identity=True, hint=True)
    assert result.identity_wins.item() == (winner == "identity")
    assert result.hint_wins.item() == (winner == "hint")


def test_monodepth2_keeps_masked_pixels_in_the_mean_and_depth_hints_does_not() -> None:
    pixel = [errors_of([0.3], [0.2]), errors_of([0.1], [0.2])]
    both = Errors(
        depth={0: torch.ones(1, 1, 1, 2)},
        valid=torch.ones(1, 1, 1, 2, dtype=torch.bool),
        predicted={0: torch.cat([e.predicted[0] for e in pixel if e.predicted], dim=3)},
        identity=torch.full((1, 1, 1, 2), 0.2),
    )
    batch = plane_batch(count=1, size=(2, 2))
    scene = Scene(batch, predictions_of(batch, 1.0, scales=1), both)
    assert Reprojection()(scene).mean().item() == pytest.approx((0.2 + 0.1) / 2)
    assert Reprojection(average_over="kept")(scene).mean().item() == pytest.approx(0.1)


def test_the_hint_keeps_a_pixel_that_identity_would_mask() -> None:
    errors = errors_of([0.3], [0.2], hint=0.1)
    batch = plane_batch(count=1, size=(2, 2))
    scene = Scene(batch, predictions_of(batch, 1.0, scales=1), errors)
    alone = Reprojection(average_over="kept")(scene)
    beside = Reprojection(average_over="kept", hint_competes=True)(scene)
    assert alone.count.item() == 0
    assert beside.mean().item() == pytest.approx(0.3)


def test_soft_supervision_looks_only_where_the_hint_wins() -> None:
    # At the truth the hint cannot win but by rounding; far from it, it wins nearly everywhere.
    batch = plane_batch()
    assert ProxySupervision()(scene_at(10.0)).count[0] < 0.05 * 2 * 24 * 40
    assert ProxySupervision(automask=False)(scene_at(14.0)).count[0] > 0.8 * 2 * 24 * 40
    assert batch.hint is not None
    wrong = replace(batch, hint=batch.hint * 1.5)
    assert ProxySupervision()(scene_at(10.0, wrong)).count[0] < 0.05 * 2 * 24 * 40


def test_residuals_are_measured_in_network_units() -> None:
    scene = scene_at(12.0)
    value = ProxySupervision(believe="everywhere")(scene).mean()
    # unit = baseline / 0.1 = 5 m: |12 - 10| m is 0.4 units.
    torch.testing.assert_close(value, torch.tensor(0.4).log1p())


def test_uncertainty_is_paid_for() -> None:
    scene = scene_at(12.0)
    u = {s: torch.full((2, 1, 24 // 2**s, 40 // 2**s), 0.7) for s in (0, 1)}
    scene = replace(scene, predictions=replace(scene.predictions, uncertainty=u))
    value = ProxySupervision(believe="everywhere", uncertainty=True)(scene).mean()
    expected = torch.tensor(0.4).log1p() * torch.tensor(-0.7).exp() + 0.7
    torch.testing.assert_close(value, expected)


def test_residuals_against_the_words_of_their_papers() -> None:
    truth, prediction = torch.zeros(1, 1, 1, 5), torch.tensor([0.0, 0.1, -0.5, 1.0, 9.0])
    valid = torch.tensor([True, True, True, True, False]).reshape(1, 1, 1, 5)
    prediction = prediction.reshape(1, 1, 1, 5)
    expected = torch.tensor([0, 0.1, (0.25 + 0.04) / 0.4, (1 + 0.04) / 0.4])
    torch.testing.assert_close(berhu(prediction, truth, valid).flatten()[:4], expected)
    torch.testing.assert_close(l1(prediction, truth, valid), prediction.abs())
    torch.testing.assert_close(log_l1(prediction, truth, valid), (1 + prediction.abs()).log())


def test_berhu_of_a_perfect_prediction_is_finite() -> None:
    truth = torch.ones(1, 1, 2, 2)
    prediction = truth.clone().requires_grad_()
    berhu(prediction, truth, torch.ones_like(truth, dtype=torch.bool)).sum().backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


def slow_smoothness(inverse_depth: Tensor, image: Tensor) -> float:
    height, width = inverse_depth.shape
    d = inverse_depth / (inverse_depth.mean() + 1e-7)
    along_x = [
        abs(d[y, x + 1] - d[y, x]) * torch.exp(-(image[:, y, x + 1] - image[:, y, x]).abs().mean())
        for y in range(height)
        for x in range(width - 1)
    ]
    along_y = [
        abs(d[y + 1, x] - d[y, x]) * torch.exp(-(image[:, y + 1, x] - image[:, y, x]).abs().mean())
        for y in range(height - 1)
        for x in range(width)
    ]
    return float(sum(along_x) / len(along_x) + sum(along_y) / len(along_y))


def test_smoothness_against_a_slow_twin() -> None:
    torch.manual_seed(0)
    inverse_depth, image = torch.rand(2, 1, 5, 6), torch.rand(2, 3, 5, 6)
    ours = edge_aware_smoothness(inverse_depth, image)
    for i in range(2):
        assert ours[i].item() == pytest.approx(slow_smoothness(inverse_depth[i, 0], image[i]))


def test_smoothness_ignores_scale_and_falls_off_with_the_pyramid() -> None:
    torch.manual_seed(0)
    inverse_depth, image = torch.rand(1, 1, 8, 9) + 0.1, torch.rand(1, 3, 8, 9)
    torch.testing.assert_close(
        edge_aware_smoothness(inverse_depth * 7, image), edge_aware_smoothness(inverse_depth, image)
    )
    batch = plane_batch(count=1)
    small = torch.rand(1, 1, 6, 10) + 1
    predictions = Predictions(depth={TARGET: {2: small}})
    image = batch.images[TARGET]
    value = Smoothness()(Scene(batch, predictions, scene_at(1.0).errors))
    expected = edge_aware_smoothness(1 / small, torch.nn.functional.avg_pool2d(image, 4)) / 4
    assert value.mean().item() == pytest.approx(expected.item())


def test_smoothness_at_full_size_is_of_what_the_explainer_enlarged() -> None:
    torch.manual_seed(0)
    batch = plane_batch(count=1)
    coarse = torch.rand(1, 1, 12, 20) + 1
    predictions = replace(predictions_of(batch, 1.0), depth={TARGET: {1: coarse}})
    errors = Explainer(enlarging="nearest")(batch, predictions, ())
    value = Smoothness(at="full")(Scene(batch, predictions, errors))
    enlarged = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = edge_aware_smoothness(1 / enlarged, batch.images[TARGET]) / 2
    assert value.mean().item() == pytest.approx(expected.item())


def with_explainability(scene: Scene, logit: float) -> Scene:
    logits = {s: torch.full((2, 2, 24 // 2**s, 40 // 2**s), logit) for s in (0, 1)}
    return replace(scene, predictions=replace(scene.predictions, explainability=logits))


def test_a_predictive_mask_scales_the_error_and_pays_for_doubt() -> None:
    scene = scene_at(12.0)
    plain = Reprojection(reduction="mean", automask=False)(scene).mean()
    sure, unsure = with_explainability(scene, 20.0), with_explainability(scene, 0.0)
    torch.testing.assert_close(MaskedReprojection()(sure).mean(), plain)
    torch.testing.assert_close(MaskedReprojection()(unsure).mean(), plain / 2)
    prior = ExplainabilityPrior()
    assert prior(sure).mean() < 1e-6
    torch.testing.assert_close(prior(unsure).mean(), torch.tensor(2.0).log())


def test_masked_errors_are_reduced_like_any_other() -> None:
    scene = scene_at(12.0)
    plain = Reprojection(reduction="min", automask=False)(scene).mean()
    halved = MaskedReprojection(reduction="min")(with_explainability(scene, 0.0)).mean()
    torch.testing.assert_close(halved, plain / 2)


def test_absent_sources_have_no_mask_to_pay_for() -> None:
    scene = with_explainability(scene_at(12.0, without(plane_batch(), STEREO, 0)), 0.0)
    value = ExplainabilityPrior()(scene)
    whole = ExplainabilityPrior()(with_explainability(scene_at(12.0), 0.0))
    assert (value.count < whole.count).all()
    torch.testing.assert_close(value.mean(), torch.tensor(2.0).log())
    assert MaskedReprojection(reduction="min")(scene).mean().isfinite()


def test_a_mask_for_another_number_of_sources_is_refused() -> None:
    scene = with_explainability(scene_at(12.0, plane_batch(sources=(STEREO,))), 0.0)
    with pytest.raises(ValueError, match="one map for each of 1 sources"):
        MaskedReprojection()(scene)


def test_the_objective_weighs_starts_and_prints_its_terms() -> None:
    objective = Objective(
        {
            "reprojection": Weighted(Reprojection()),
            "hint": Weighted(ProxySupervision(), weight=0.5, start_step=10, end_step=20),
        }
    )
    scene = scene_at(12.0)
    early, parts = objective(scene, step=9)
    assert set(parts) == {"reprojection"}
    total, parts = objective(scene, step=10)
    torch.testing.assert_close(early, parts["reprojection"].mean())
    torch.testing.assert_close(total, parts["reprojection"].mean() + 0.5 * parts["hint"].mean())
    assert "0.5 x hint = ProxySupervision(" in str(objective)
    assert "from step 10 until step 20" in str(objective)
    assert set(objective(scene, step=19)[1]) == {"reprojection", "hint"}
    assert set(objective(scene, step=20)[1]) == {"reprojection"}


def test_the_objective_refuses_what_nobody_makes() -> None:
    objective = Objective({"hint": Weighted(ProxySupervision(uncertainty=True))})
    assert objective.needed() == {"hint", "proxy", "predicted", "identity", "uncertainty"}
    with pytest.raises(ValueError, match=r"objective\.hint needs hint: make hints"):
        objective.check(frozenset({"proxy", "predicted", "identity", "uncertainty"}))
    objective.check(objective.needed())
    with pytest.raises(ValueError, match="got none in step 0"):
        Objective({"late": Weighted(Reprojection(), start_step=5)})
    early = Weighted(Reprojection(), end_step=5)
    with pytest.raises(ValueError, match="got none in step 5"):
        Objective({"early": early, "late": Weighted(Reprojection(), start_step=6)})
    Objective({"early": early, "late": Weighted(Reprojection(), start_step=5)})
    with pytest.raises(ValueError, match="at least one named term"):
        Objective({})
