"""The travelled distance: least at the truth, blind to direction, silent where it knows nothing."""

from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of
from torch import Tensor

from leadline.losses.term import Objective, Weighted
from leadline.losses.velocity import Velocity
from leadline.offset import STEREO, Offset
from leadline.types import Batch, Errors, Predictions, Scene

BEFORE = Offset(time=-1)
STEP = (0.3**2 + 0.1**2) ** 0.5
"""Metres between the target and the next frame."""


def scene(batch: Batch, predictions: Predictions) -> Scene:
    maps = {0: torch.ones(len(batch), 1, *batch.size)}
    valid = torch.ones(len(batch), 1, *batch.size, dtype=torch.bool)
    return Scene(batch, predictions, Errors(maps, valid))


def travelling(distances: Tensor, sources: tuple[Offset, ...] = (NEXT,)) -> Scene:
    batch = plane_batch(len(distances), sources=sources)
    batch = replace(batch, distance={NEXT: distances})
    return scene(batch, predictions_of(batch, 10.0))


def test_least_at_the_truth_and_in_metres() -> None:
    value = Velocity()(travelling(torch.tensor([STEP, STEP + 1.0])))
    assert value.mean().item() == pytest.approx(1.0 / 2, rel=1e-5)
    assert Velocity()(travelling(torch.full((3,), STEP))).mean().item() < 1e-6


def test_what_is_not_known_does_not_count() -> None:
    value = Velocity()(travelling(torch.tensor([torch.nan, STEP + 1.0, torch.nan])))
    assert value.count.tolist() == [1]
    assert value.mean().item() == pytest.approx(1.0, rel=1e-5)
    nothing = Velocity()(travelling(torch.full((2,), torch.nan)))
    assert nothing.mean().item() == 0


def test_absent_sources_and_the_other_camera_do_not_count() -> None:
    found = travelling(torch.full((2,), 5.0), sources=(STEREO, NEXT))
    absent = replace(
        found.batch, available={**found.batch.available, NEXT: torch.tensor([True, False])}
    )
    assert Velocity()(replace(found, batch=absent)).count.tolist() == [1]
    none = replace(found.batch, distance={BEFORE: torch.ones(2)})
    assert Velocity()(replace(found, batch=none)).mean().item() == 0


def test_direction_does_not_matter_but_length_learns() -> None:
    found = travelling(torch.tensor([2.0]))
    pose = torch.eye(4)[None].clone()
    pose[0, :3, 3] = torch.tensor([0.0, 0.6, -0.8])
    pose.requires_grad_()
    predictions = replace(found.predictions, poses={NEXT: pose})
    loss = Velocity()(replace(found, predictions=predictions)).mean()
    loss.backward()
    assert pose.grad is not None
    # A longer step is better; along itself, and in no other direction.
    expected = torch.tensor([0.0, -0.6, 0.8])
    torch.testing.assert_close(pose.grad[0, :3, 3], expected)


def test_it_gives_the_scale_and_needs_distances() -> None:
    metric = Objective({"velocity": Weighted(Velocity(), 0.05)})
    assert metric.gives_scale
    assert not Objective({"velocity": Weighted(Velocity(), 0.0)}).gives_scale
    with pytest.raises(ValueError, match=r"objective.velocity needs distance: fewer than half"):
        metric.check(frozenset())
