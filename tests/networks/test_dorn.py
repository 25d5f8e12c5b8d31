"""DORN: bins, answers and their likelihood against slow twins; a dilated ResNet is the ResNet."""

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

from leadline.losses.ordinal import OrdinalLikelihood
from leadline.losses.term import Objective, Weighted
from leadline.networks.backbone import Backbone
from leadline.networks.dorn import DORN, counted, decoded, spacing_increasing
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import training_step
from leadline.types import Ordinal, Scene

SIZE = (4, 5)
BINS = 6


def test_bins_are_as_wide_as_they_are_far() -> None:
    edges = spacing_increasing(1.0, 80.0, 71)
    assert edges[[0, -1]].tolist() == pytest.approx([1.0, 80.0])
    torch.testing.assert_close(edges[1:] / edges[:-1], torch.full((71,), 80 ** (1 / 71)))
    # With the shift of the paper, that brings the least to 1.
    shifted = spacing_increasing(0.7, 10.2, 68, 0.3)
    for i in (0, 1, 30, 68):
        assert shifted[i].item() == pytest.approx(math.exp(i * math.log(10.5) / 68) - 0.3, rel=1e-5)


@given(st.integers(0, 2**31))
def test_depth_is_the_middle_of_the_bin_after_the_last_yes(seed: int) -> None:
    logits = torch.randn(2, BINS, *SIZE, generator=torch.Generator().manual_seed(seed))
    edges = spacing_increasing(1.0, 30.0, BINS)
    found = decoded(counted(logits), edges)
    for b, y, x in np.ndindex(2, *SIZE):
        yeses = min(sum(1 / (1 + math.exp(-v)) >= 0.5 for v in logits[b, :, y, x]), BINS - 1)
        assert found[b, 0, y, x].item() == pytest.approx(
            ((edges[yeses] + edges[yeses + 1]) / 2).item()
        )
    assert decoded(counted(torch.full((1, BINS, 1, 1), 9.0)), edges).item() < edges[-1]
    assert decoded(counted(torch.full((1, BINS, 1, 1), -9.0)), edges).item() > edges[0]


def test_between_whole_numbers_depth_goes_on_as_bins_do() -> None:
    """As wide as it is far, with the shift too: that of a half is the geometric middle."""
    edges = spacing_increasing(0.7, 10.2, 68, 0.3)
    whole = decoded(torch.arange(68.0)[None, None, None], edges, 0.3).flatten()
    torch.testing.assert_close(whole, (edges[:-1] + edges[1:]) / 2)
    half = decoded(torch.arange(67.0)[None, None, None] + 0.5, edges, 0.3).flatten() + 0.3
    torch.testing.assert_close(half, ((whole[:-1] + 0.3) * (whole[1:] + 0.3)).sqrt())


def test_wide_pictures_are_seen_in_overlapping_parts(tiny: Callable[[str], str]) -> None:
    """Once trained; each pixel is the mean over the parts that see it, of numbers of yeses."""
    torch.manual_seed(0)
    network = DORN(tiny("resnet"), "none", 1.0, 30.0, BINS, shift=0.5, parts=(64, 32)).eval()
    image = torch.rand(2, 3, 48, 145)
    answers: dict[int, list[Tensor]] = {x: [] for x in range(145)}
    counts: dict[int, list[Tensor]] = {x: [] for x in range(145)}
    for left in (0, 32, 64, 81):
        logits = network._logits(image[..., left : left + 64])
        for x in range(64):
            answers[left + x].append(logits[..., x])
            counts[left + x].append(counted(logits)[..., x])
    raw = network(image)
    assert raw.ordinal is not None
    expected = torch.stack([torch.stack(seen).mean(0) for seen in answers.values()], -1)
    torch.testing.assert_close(raw.ordinal.logits[0], expected)
    yeses = torch.stack([torch.stack(seen).mean(0) for seen in counts.values()], -1)
    assert (yeses != yeses.round()).any()
    torch.testing.assert_close(raw.depth[0], decoded(yeses, network.thresholds, 0.5))
    narrow = image[..., :64]
    assert torch.equal(network(narrow).ordinal.logits[0], network._logits(narrow))
    network.train()
    assert network(image).ordinal.logits[0].shape == (2, BINS, 48, 145)


def test_parts_that_leave_gaps_are_refused(tiny: Callable[[str], str]) -> None:
    for parts in ((64, 65), (64, 0)):
        with pytest.raises(ValueError, match="parts: expected a width and how far"):
            DORN(tiny("resnet"), "none", parts=parts)


def scene(logits: Tensor, truth: Tensor, edges: Tensor) -> Scene:
    batch = replace(plane_batch(size=SIZE), depth=truth)
    predictions = predictions_of(batch, 10.0)
    errors = Explainer()(batch, predictions, ())
    ordinal = Ordinal({0: logits}, edges.expand(2, -1))
    return Scene(batch, replace(predictions, ordinal=ordinal), errors)


@given(st.integers(0, 2**31))
def test_likelihood_against_a_slow_twin(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, BINS, *SIZE, generator=generator)
    truth = 40 * torch.rand(2, 1, *SIZE, generator=generator)
    truth = truth.where(torch.rand(truth.shape, generator=generator) < 0.7, 0.0)
    edges = spacing_increasing(1.0, 30.0, BINS)
    value = OrdinalLikelihood()(scene(logits, truth, edges))
    total, count = 0.0, 0
    for b, y, x in np.ndindex(2, *SIZE):
        depth = truth[b, 0, y, x].item()
        if depth == 0:
            continue
        count += 1
        for k in range(BINS):
            yes = 1 / (1 + math.exp(-logits[b, k, y, x].item()))
            total -= math.log(yes if depth >= edges[k + 1] else 1 - yes)
    assert value.count.tolist() == [count]
    assert value.sum.item() == pytest.approx(total, rel=1e-4)


def test_right_answers_cost_nothing_and_decode_to_their_bin() -> None:
    edges = spacing_increasing(1.0, 30.0, BINS)
    truth = torch.linspace(1.2, 29.0, 40).reshape(2, 1, *SIZE)
    logits = 40 * ((truth >= edges[1:, None, None]).float() - 0.5)
    assert OrdinalLikelihood()(scene(logits, truth, edges)).mean().item() < 1e-4
    off = (decoded(counted(logits), edges) - truth).abs()
    assert (off / truth).max() < (edges[1] / edges[0] - 1) / 2 + 1e-3
    worse = OrdinalLikelihood()(scene(logits.roll(1, 0), truth, edges))
    assert worse.mean() > 10
    bare = scene(logits, truth, edges)
    with pytest.raises(ValueError, match="no ordinal answers"):
        OrdinalLikelihood()(replace(bare, predictions=replace(bare.predictions, ordinal=None)))


@pytest.mark.parametrize("family", ["resnet", "bottleneck"])
def test_a_dilated_resnet_sees_what_it_saw_at_every_pixel(
    family: str, tiny: Callable[[str], str]
) -> None:
    plain, dilated = (Backbone(tiny(family), "none").eval() for _ in range(2))
    dilated.load_state_dict(plain.state_dict())
    dilated.dilate()
    assert dilated.strides == (2, 4, 8, 8, 8)
    image = torch.rand(1, 3, 64, 128)
    before, after = plain(image), dilated(image)
    for old, new, stride in zip(before, after, (1, 1, 1, 2, 4), strict=True):
        torch.testing.assert_close(new[..., ::stride, ::stride], old)
    assert after[-1].shape[-2:] == (8, 16)


def test_other_backbones_cannot_be_dilated(tiny: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="expected a ResNet, whose layers may reach farther"):
        DORN(tiny("swinv2"), "none")
    for wrong in ({"bins": 0}, {"minimum_depth": 0.5, "shift": -0.5}):
        with pytest.raises(ValueError, match="one bin or more and a least depth above 0"):
            DORN(tiny("resnet"), "none", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(64, 96), (50, 71)])
def test_answers_are_as_large_as_the_image(
    size: tuple[int, int], tiny: Callable[[str], str]
) -> None:
    network = DORN(tiny("resnet"), "none", 1.0, 30.0, BINS).eval()
    raw = network(torch.rand(2, 3, *size))
    assert raw.ordinal is not None
    assert raw.ordinal.logits[0].shape == (2, BINS, *size)
    assert raw.depth[0].shape == (2, 1, *size)
    assert (raw.depth[0] > 1).all()
    assert (raw.depth[0] < 30).all()


def test_a_step_teaches_every_parameter(tiny: Callable[[str], str]) -> None:
    torch.manual_seed(0)
    predictor = DepthAndPose(DORN(tiny("resnet"), "none", 0.2, 10.0, BINS, dropout=0.0))
    objective = Objective({"ordinal": Weighted(OrdinalLikelihood())})
    objective.check(predictor.makes | {"depth"})
    batch = plane_batch(size=(64, 96))
    batch = replace(batch, depth=torch.rand(2, 1, 64, 96) * 30)
    losses = []
    optimiser = torch.optim.Adam(predictor.parameters(), lr=1e-3)
    for _ in range(6):
        step = training_step(predictor, Explainer(), objective, batch)
        optimiser.zero_grad()
        step.loss.backward()
        losses.append(step.loss.item())
        for name, parameter in predictor.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        optimiser.step()
    assert losses[-1] < losses[0]
    ordinal = step.scene.predictions.ordinal
    assert ordinal is not None
    torch.testing.assert_close(ordinal.thresholds[0, -1].item(), 10.0 * batch.unit)
