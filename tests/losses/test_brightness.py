"""Learnt photometric calibration: it starts at nothing, takes exposure out, and finds it."""

from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of, without

from leadline.losses.brightness import BrightnessPrior
from leadline.losses.reprojection import Reprojection
from leadline.networks.brightness import BrightnessNetwork
from leadline.networks.depth import DepthModule, RawDepth
from leadline.offset import STEREO, TARGET, Offset
from leadline.synthesis.errors import Explainer
from leadline.synthesis.exposure import exposed_as_target
from leadline.synthesis.predict import DepthAndPose
from leadline.types import Batch, Scene

PAST = Offset(time=-1)


class ConstantDepth(DepthModule):
    def forward(self, image: torch.Tensor, intrinsics: torch.Tensor | None = None) -> RawDepth:
        return RawDepth({0: torch.full_like(image[:, :1], 2.0)})


def darker(batch: Batch, offset: Offset, gain: float, added: float) -> Batch:
    """The batch with one source exposed otherwise: target = gain * source + added."""
    images = dict(batch.images)
    images[offset] = (images[offset] - added) / gain
    return replace(batch, images=images, inputs=images)


def test_it_starts_at_nothing() -> None:
    batch = plane_batch(size=(32, 64))
    changes = DepthAndPose(ConstantDepth(), brightness=BrightnessNetwork())(batch).brightness
    for change in changes.values():
        torch.testing.assert_close(change, torch.tensor([[1.0, 0.0]]).expand(2, 2))


def test_what_is_known_of_the_exposure_is_taken_out() -> None:
    batch = plane_batch(size=(32, 64))
    changed = darker(batch, STEREO, gain=1.25, added=0.1)
    brightness = {
        STEREO: torch.tensor([[1.25, 0.1]]).expand(2, 2),
        NEXT: torch.tensor([[1.0, 0.0]]).expand(2, 2),
    }
    known = replace(predictions_of(batch, 10.0), brightness=brightness)
    restored = exposed_as_target(changed, brightness)
    for offset in batch.images:
        torch.testing.assert_close(restored.images[offset], batch.images[offset])
    wanted = ["predicted", "identity", "hint"]
    right = Explainer()(batch, predictions_of(batch, 10.0), wanted)  # type: ignore[arg-type]
    found = Explainer()(changed, known, wanted)  # type: ignore[arg-type]
    assert right.predicted is not None
    assert found.predicted is not None
    torch.testing.assert_close(found.predicted[0], right.predicted[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.identity, right.identity, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.hint, right.hint, atol=1e-3, rtol=0)


def test_a_later_source_is_turned_round() -> None:
    """Whichever comes first, the network is asked the same question."""

    class Told(BrightnessNetwork):
        def forward(self, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
            gain = later.mean((1, 2, 3)) / earlier.mean((1, 2, 3))
            return torch.stack([gain, torch.zeros_like(gain)], dim=1)

    batch = plane_batch(size=(32, 64))
    for offset in (NEXT, PAST):
        images = {TARGET: batch.images[TARGET], offset: 0.5 * batch.images[TARGET]}
        pair = replace(
            batch,
            images=images,
            inputs=images,
            available=dict.fromkeys(images, torch.ones(2, dtype=torch.bool)),
            known_poses={offset: torch.eye(4).expand(2, 4, 4)},
        )
        predictions = DepthAndPose(ConstantDepth(), brightness=Told())(pair)
        assert predictions.brightness is not None
        torch.testing.assert_close(
            predictions.brightness[offset], torch.tensor([[2.0, 0.0]]).expand(2, 2)
        )


def test_the_prior_counts_sources_that_are_there() -> None:
    batch = without(plane_batch(), NEXT, index=1)
    change = torch.tensor([[1.2, 0.1], [3.0, 2.0]])
    brightness = {STEREO: torch.tensor([[1.0, 0.0]] * 2), NEXT: change}
    predictions = replace(predictions_of(plane_batch(), 10.0), brightness=brightness)
    scene = Scene(batch, predictions, Explainer()(batch, predictions, []))
    value = BrightnessPrior()(scene)
    assert value.mean().item() == pytest.approx((0.04 + 0.01) / 3, rel=1e-5)


def test_exposure_is_found_by_descending_the_photometric_error() -> None:
    torch.manual_seed(0)
    batch = darker(plane_batch(size=(32, 64), sources=(STEREO,)), STEREO, gain=1.3, added=0.05)
    predictor = DepthAndPose(ConstantDepth(), brightness=BrightnessNetwork())
    terms = Reprojection(automask=False), BrightnessPrior()
    optimiser = torch.optim.Adam(predictor.parameters(), lr=1e-3)
    for _ in range(150):
        predictions = predictor(batch)
        errors = Explainer(ssim_weight=0.0)(batch, predictions, ["predicted"])
        scene = Scene(batch, predictions, errors)
        loss = terms[0](scene).mean() + 0.001 * terms[1](scene).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    gain, added = predictor(batch).brightness[STEREO][0].tolist()
    assert gain == pytest.approx(1.3, abs=0.1)
    assert added == pytest.approx(0.05, abs=0.05)
