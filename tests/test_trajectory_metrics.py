"""The numbers of a path against slow twins, and against what they must not notice."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from leadline.metrics.trajectory import (
    CameraPath,
    aligned,
    drift,
    path_error,
    snippet_errors,
    step_errors,
    way,
)

SEEDS = st.integers(0, 2**31)


def random_path(seed: int, count: int = 12, step: float = 1.0, turn: float = 0.1) -> CameraPath:
    """A camera that drives forward and turns a little."""
    random = np.random.default_rng(seed)
    path = [np.eye(4)]
    for _ in range(count - 1):
        motion = np.eye(4)
        motion[:3, :3] = Rotation.from_rotvec(turn * random.normal(size=3)).as_matrix()
        motion[:3, 3] = [0, 0, step] + 0.1 * step * random.normal(size=3)
        path.append(path[-1] @ motion)
    return np.stack(path)


def disturbed(path: CameraPath, seed: int, turn: float = 0.02, shift: float = 0.05) -> CameraPath:
    """The same way with each step a little wrong."""
    random = np.random.default_rng(seed + 1)
    found = [path[0]]
    for before, after in pairwise(path):
        motion = np.linalg.inv(before) @ after
        motion[:3, :3] @= Rotation.from_rotvec(turn * random.normal(size=3)).as_matrix()
        motion[:3, 3] += shift * random.normal(size=3)
        found.append(found[-1] @ motion)
    return np.stack(found)


def placed(path: CameraPath, seed: int, scale: float = 1.0) -> CameraPath:
    """The path in another world, and of another scale."""
    random = np.random.default_rng(seed)
    world = np.eye(4)
    world[:3, :3] = Rotation.random(rng=random).as_matrix()
    world[:3, 3] = 100 * random.normal(size=3)
    moved = path.copy()
    moved[:, :3, 3] *= scale
    return world @ moved


@given(SEEDS, st.integers(2, 8))
def test_snippets_against_a_slow_twin(seed: int, count: int) -> None:
    truth = random_path(seed, count)
    path = placed(disturbed(truth, seed), seed, 0.3)
    errors = snippet_errors(truth, path)
    assert len(errors) == count - 1
    for i, error in enumerate(errors):
        true, found = [], []
        for j in range(i, min(i + 5, count)):
            true.append((np.linalg.inv(truth[i]) @ truth[j])[:3, 3])
            found.append((np.linalg.inv(path[i]) @ path[j])[:3, 3])
        best = minimize(
            lambda s, found=found, true=true: sum(
                float(((s[0] * p - g) ** 2).sum()) for p, g in zip(found, true, strict=True)
            ),
            [1.0],
        )
        assert error == pytest.approx(math.sqrt(best.fun) / len(true), rel=1e-5, abs=1e-9)


@given(SEEDS)
def test_alignment_is_the_best_there_is(seed: int) -> None:
    """No other similarity, found by search, brings the paths nearer to each other."""
    truth = random_path(seed)
    path = placed(disturbed(truth, seed), seed, 0.4)
    found = aligned(truth, path)
    at_first = np.concatenate(
        [
            Rotation.from_matrix(found.rotation).as_rotvec(),
            found.translation,
            [math.log(found.scale)],
        ]
    )

    def error(values: np.ndarray) -> float:
        turned = path[:, :3, 3] @ Rotation.from_rotvec(values[:3]).as_matrix().T
        return float(((math.exp(values[6]) * turned + values[3:6] - truth[:, :3, 3]) ** 2).sum())

    squared = len(truth) * path_error(truth, path) ** 2
    assert error(at_first) == pytest.approx(squared, rel=1e-6)
    random = np.random.default_rng(seed)
    for size in (1e-3, 1e-2, 0.1):
        assert error(at_first + size * random.normal(size=7)) >= squared
    turned, _ = Rotation.align_vectors(
        truth[:, :3, 3] - truth[:, :3, 3].mean(0), path[:, :3, 3] - path[:, :3, 3].mean(0)
    )
    np.testing.assert_allclose(found.rotation, turned.as_matrix(), atol=1e-6)


@given(SEEDS)
def test_a_world_and_a_scale_of_its_own_cost_nothing(seed: int) -> None:
    truth = random_path(seed)
    path = placed(truth, seed, 0.2)
    assert path_error(truth, path) < 1e-9
    assert path_error(truth, placed(truth, seed), "rigid") < 1e-9
    assert path_error(truth, placed(truth, seed), "none") < 1e-9
    assert path_error(truth, path, "rigid") > 1
    assert path_error(truth, path, "none") > 1
    assert snippet_errors(truth, path).max() < 1e-9
    moved = aligned(truth, path).moved(path)
    np.testing.assert_allclose(moved, truth, atol=1e-9)
    steps = step_errors(truth, path, scale=5.0)
    assert steps.metres < 1e-9
    assert steps.degrees < 1e-6
    assert step_errors(truth, path).metres > 0.5


def test_a_path_is_never_laid_on_its_mirror_image() -> None:
    truth = random_path(0)
    mirrored = truth.copy()
    mirrored[:, 0, 3] *= -1
    assert np.linalg.det(aligned(truth, mirrored).rotation) == pytest.approx(1)


@given(SEEDS)
def test_steps_against_a_slow_twin(seed: int) -> None:
    truth = random_path(seed)
    path = placed(disturbed(truth, seed), seed, 0.5)
    metres, radians = [], []
    for i in range(len(truth) - 1):
        true = np.linalg.inv(truth[i]) @ truth[i + 1]
        found = np.linalg.inv(path[i]) @ path[i + 1]
        found[:3, 3] *= 2
        metres.append(np.linalg.norm(true[:3, :3].T @ (found[:3, 3] - true[:3, 3])))
        radians.append(Rotation.from_matrix(true[:3, :3].T @ found[:3, :3]).magnitude())
    found_errors = step_errors(truth, path, 2.0)
    assert found_errors.metres == pytest.approx(np.sqrt(np.mean(np.square(metres))))
    assert found_errors.degrees == pytest.approx(np.degrees(np.sqrt(np.mean(np.square(radians)))))


@given(SEEDS)
def test_drift_against_a_slow_twin(seed: int) -> None:
    truth = random_path(seed, 40, step=10.0, turn=0.02)
    path = placed(disturbed(truth, seed, 0.01, 0.2), seed)
    found = drift(truth, path)
    assert found is not None
    gone = [0.0]
    for before, after in pairwise(truth):
        gone.append(gone[-1] + float(np.linalg.norm(after[:3, 3] - before[:3, 3])))
    metres, radians = [], []
    for first in range(0, 40, 10):
        for length in (100, 200, 300, 400, 500, 600, 700, 800):
            last = next((k for k in range(first, 40) if gone[k] > gone[first] + length), None)
            if last is None:
                continue
            true = np.linalg.inv(truth[first]) @ truth[last]
            seen = np.linalg.inv(path[first]) @ path[last]
            off = np.linalg.inv(seen) @ true
            metres.append(np.linalg.norm(off[:3, 3]) / length)
            radians.append(Rotation.from_matrix(off[:3, :3]).magnitude() / length)
    assert found.stretches == len(metres)
    assert found.t_rel == pytest.approx(100 * np.mean(metres))
    assert found.r_rel == pytest.approx(100 * np.degrees(np.mean(radians)))
    np.testing.assert_allclose(way(truth), gone)


def test_a_known_drift() -> None:
    """A path that is a tenth too long, straight ahead, drifts by ten percent and does not turn."""
    truth = np.tile(np.eye(4), (60, 1, 1))
    truth[:, 2, 3] = 5.0 * np.arange(60)
    path = truth.copy()
    path[:, 2, 3] *= 1.1
    found = drift(truth, path)
    assert found is not None
    # A stretch ends with the first frame beyond its length.
    assert found.t_rel == pytest.approx(10, rel=0.06)
    assert found.r_rel == 0
    assert drift(truth, path, scale=1 / 1.1).t_rel == pytest.approx(0, abs=1e-9)  # type: ignore[union-attr]
    assert drift(truth[:10], path[:10]) is None


def test_a_camera_that_stands_has_no_scale() -> None:
    truth = random_path(0)
    still = np.tile(np.eye(4), (len(truth), 1, 1))
    assert aligned(truth, still).scale == 1
    assert np.isfinite(snippet_errors(truth, still)).all()


def test_paths_of_other_lengths_are_refused() -> None:
    truth = random_path(0)
    for path in (truth[:-1], truth[:0]):
        with pytest.raises(ValueError, match="expected two of the same length"):
            path_error(truth, path)
    with pytest.raises(ValueError, match="got 1 and 1 frames"):
        snippet_errors(truth[:1], truth[:1])
