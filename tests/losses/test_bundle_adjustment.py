"""Supervision by true poses and depth: least at the truth, silent where it knows nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scenes import NEXT, plane_batch, predictions_of, without
from scipy.spatial.transform import Rotation
from torch import Tensor

from leadline.geometry.pose import compose_poses, pose_from_rotvec
from leadline.losses.bundle_adjustment import (
    FlowConsistency,
    PoseRotation,
    PoseTranslation,
)
from leadline.losses.term import Objective, Term, Weighted
from leadline.synthesis.errors import Explainer
from leadline.types import Batch, Scene

TERMS = (PoseRotation, PoseTranslation, FlowConsistency)
DEPTH = 10.0


def truth(depth: float = DEPTH) -> Batch:
    batch = plane_batch()
    return replace(batch, depth=torch.full((2, 1, *batch.size), depth))


def scene(batch: Batch, depth: float = DEPTH, change: Tensor | None = None) -> Scene:
    """Predictions that are the truth but for a depth, and a motion after each of the poses."""
    predictions = predictions_of(batch, depth)
    if change is not None:
        poses = {o: compose_poses(p, change) for o, p in predictions.poses.items()}
        predictions = replace(predictions, poses=poses)
    return Scene(batch, predictions, Explainer()(batch, predictions, ()))


def motion(turn: list[float], move: list[float]) -> Tensor:
    return pose_from_rotvec(torch.tensor([turn]), torch.tensor([move])).expand(2, 4, 4)


@pytest.mark.parametrize("term", TERMS)
def test_nothing_is_wrong_at_the_truth(term: Callable[[], Term]) -> None:
    assert term()(scene(truth())).mean().item() < 1e-4
    off = scene(truth(), 12.0, motion([0.02, 0.01, -0.03], [0.1, 0.2, -0.1]))
    assert term()(off).mean().item() > 1e-4


@given(st.integers(0, 2**31), st.sampled_from([1e-3, 0.1, 1.0, 3.0]))
def test_rotation_is_the_cosine_distance_of_quaternions(seed: int, angle: float) -> None:
    axis = torch.randn(3, generator=torch.Generator().manual_seed(seed)).tolist()
    turn = angle * np.array(axis) / np.linalg.norm(axis)
    value = PoseRotation()(scene(truth(), change=motion(turn.tolist(), [1.0, 2.0, 3.0])))
    expected = 1 - abs(Rotation.from_rotvec(turn).as_quat()[3])
    assert value.mean().item() == pytest.approx(expected, rel=2e-3, abs=1e-7)


def test_rotation_has_a_finite_gradient_at_the_truth_and_at_half_a_turn() -> None:
    for turn in ([0.0, 0.0, 0.0], [0.0, torch.pi, 0.0]):
        change = motion(turn, [0.0, 0.0, 0.0]).clone().requires_grad_()
        PoseRotation()(scene(truth(), change=change)).mean().backward()
        assert change.grad is not None
        assert change.grad.isfinite().all()


def test_translation_is_in_network_units() -> None:
    value = PoseTranslation()(scene(truth(), change=motion([0.0] * 3, [1.0, -2.0, 0.5])))
    assert value.mean().item() == pytest.approx(3.5 / truth().unit, rel=1e-5)
    assert value.count.tolist() == [4]


def test_flow_of_a_step_aside_is_a_shift_by_known_pixels() -> None:
    batch = truth()
    focal = 0.9 * 40
    value = FlowConsistency()(scene(batch, change=motion([0.0] * 3, [0.2, 0.0, 0.0])))
    assert value.mean().item() == pytest.approx(focal * 0.2 / DEPTH, rel=1e-4)
    # Depth alone moves pixels along the way between the cameras: 0.5 m, and 0.3 and 0.1 m.
    moved = FlowConsistency()(scene(batch, depth=20.0))
    along = focal * (1 / DEPTH - 1 / 20)
    stereo, following = 24 * (40 - 2), (24 - 0) * (40 - 1)
    mean = (stereo * 0.5 + following * 0.4) / (stereo + following) * along
    assert moved.mean().item() == pytest.approx(mean, rel=0.02)


def test_flow_does_not_see_scale() -> None:
    batch = truth()
    poses = {o: p.clone() for o, p in batch.known_poses.items()}
    for pose in poses.values():
        pose[:, :3, 3] *= 3
    found = scene(batch, depth=3 * DEPTH)
    larger = replace(found, predictions=replace(found.predictions, poses=poses))
    assert FlowConsistency()(larger).mean().item() < 1e-4
    assert not Objective({"flow": Weighted(FlowConsistency())}).gives_scale


def test_flow_counts_what_truly_is_in_view_and_measured() -> None:
    batch = truth()
    assert batch.depth is not None
    everything = FlowConsistency()(scene(batch)).count[0].item()
    half = batch.depth.clone()
    half[:, :, :, ::2] = 0
    assert FlowConsistency()(scene(replace(batch, depth=half))).count[0].item() < 0.6 * everything
    hidden = replace(batch, loss_mask=torch.zeros(2, 1, *batch.size, dtype=torch.bool))
    assert FlowConsistency()(scene(hidden)).count.tolist() == [0, 0]
    # No pixel of the target is seen by a camera that looks the other way.
    around = {o: motion([0.0, torch.pi, 0.0], [0.0] * 3) for o in batch.known_poses}
    turned = scene(replace(batch, known_poses=around))
    assert FlowConsistency()(turned).count.tolist() == [0, 0]


def test_flow_is_bounded_where_a_source_is_thought_to_stand_on_the_point() -> None:
    change = motion([0.0] * 3, [0.0, 0.0, -DEPTH]).clone().requires_grad_()
    value = FlowConsistency()(scene(truth(), change=change)).mean()
    value.backward()
    assert value.item() <= sum(truth().size)
    assert change.grad is not None
    assert change.grad.isfinite().all()


@pytest.mark.parametrize("term", TERMS)
def test_poses_that_are_not_known_do_not_count(term: Callable[[], Term]) -> None:
    batch = truth()
    change = motion([0.02, 0.0, 0.0], [0.1, 0.2, 0.0])
    whole = term()(scene(batch, change=change))
    poses = {o: p.clone() for o, p in batch.known_poses.items()}
    poses[NEXT][0] = torch.nan
    found = scene(batch, change=change)
    for less in (replace(batch, known_poses=poses), without(batch, NEXT, 0)):
        value = term()(replace(found, batch=less, errors=scene(less).errors))
        assert value.mean().isfinite()
        assert 0.7 < (value.count / whole.count).mean() < 0.8
    nothing = replace(batch, known_poses={})
    value = term()(replace(found, batch=nothing))
    assert not value.count.any()
    assert value.mean().item() == 0


def test_unknown_poses_leave_gradients_finite() -> None:
    batch = without(truth(), NEXT, 0)
    change = motion([0.02, 0.0, 0.0], [0.1, 0.2, 0.0]).clone().requires_grad_()
    found = scene(truth(), change=change)
    errors = scene(truth()).errors
    for term in TERMS:
        term()(replace(found, batch=batch, errors=errors)).mean().backward(retain_graph=True)
    assert change.grad is not None
    assert change.grad.isfinite().all()
    assert change.grad.any()


def test_what_is_missing_is_named() -> None:
    found = scene(plane_batch())
    with pytest.raises(ValueError, match="the batch has none"):
        FlowConsistency()(found)
    small = replace(found, batch=replace(found.batch, depth=torch.ones(2, 1, 4, 4)))
    with pytest.raises(ValueError, match="expected the size of the images"):
        FlowConsistency()(small)
    blind = replace(found, batch=replace(truth(), intrinsics=None))
    with pytest.raises(ValueError, match="flow needs intrinsics"):
        FlowConsistency()(blind)


def test_a_term_says_what_it_needs_and_whether_it_gives_metres() -> None:
    metric = Objective({"translation": Weighted(PoseTranslation())})
    assert metric.gives_scale
    assert not Objective({"rotation": Weighted(PoseRotation())}).gives_scale
    assert Objective({"flow": Weighted(FlowConsistency())}).needed() == {"true_poses", "depth"}
    with pytest.raises(ValueError, match=r"objective.translation needs true_poses"):
        metric.check(frozenset())
    metric.check(frozenset({"true_poses"}))
