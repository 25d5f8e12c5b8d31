"""Normal equations against a Jacobian that autograd makes, and the damped step they give."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leadline.geometry.feature_metric import (
    Residual,
    feature_residual,
    mean_absolute,
    with_gradient,
)
from leadline.geometry.landing import land
from leadline.geometry.normal_equations import (
    LEAST_DIAGONAL,
    LEAST_PARALLAX,
    NormalEquations,
    damped_step,
    normal_equations,
)
from leadline.geometry.pose import compose_poses, pose_from_rotvec, twist_to_pose
from leadline.geometry.ranges import unit_rays

SAMPLES, SOURCES, CHANNELS, POINTS, MAPS = 2, 3, 4, 12, 3
PAIRS = SAMPLES * SOURCES
K = torch.tensor([[9.0, 0.1, 5.0], [0.0, 8.0, 4.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
UNKNOWNS = 6 * SOURCES + MAPS


def drawn(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def waves(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth features of real pixels, (b, c, p), and their derivatives by u and v."""
    frequency = 0.3 * drawn(CHANNELS, 2, seed=11)
    phase = torch.einsum("ci,bip->bcp", frequency, pixels) + torch.arange(CHANNELS)[:, None]
    return phase.sin(), phase.cos()[:, :, None] * frequency[:, :, None]


class Problem:
    """Points seen by some sources, with features that are known everywhere."""

    def __init__(self, seed: int) -> None:
        pixels = torch.tensor([5.0, 4.0])[:, None] + 2 * drawn(SAMPLES, 2, POINTS, seed=seed)
        self.rays = unit_rays(pixels, K.expand(SAMPLES, 3, 3))
        self.initial = 3 + drawn(SAMPLES, POINTS, seed=seed + 1).abs()
        self.basis = drawn(SAMPLES, MAPS, POINTS, seed=seed + 2)
        turn, move = 0.1 * drawn(2, PAIRS, 3, seed=seed + 3)
        self.poses = pose_from_rotvec(turn, 3 * move)
        self.features = drawn(SAMPLES, CHANNELS, POINTS, seed=seed + 4)
        self.valid = drawn(PAIRS, POINTS, seed=seed + 5) > -1

    def residual(self, unknowns: Tensor) -> Residual:
        """After a step from here; the derivatives are not those of the features' samples."""
        twists = unknowns[:, : 6 * SOURCES].reshape(-1, 6)
        weights = unknowns[:, 6 * SOURCES :]
        ranges = self.initial + torch.einsum("bkp,bk->bp", self.basis, weights)
        landing = land(
            ranges.repeat_interleave(SOURCES, 0),
            self.rays.repeat_interleave(SOURCES, 0),
            compose_poses(self.poses, twist_to_pose(twists)),
            K.expand(PAIRS, 3, 3),
        )
        there, gradient = waves(landing.pixels)
        values = self.features.repeat_interleave(SOURCES, 0) - there
        valid = self.valid & landing.in_front
        return Residual(values * valid[:, None], gradient * valid[:, None, None], landing, valid)


@given(st.integers(0, 2**31))
def test_they_are_those_of_the_jacobian_that_autograd_makes(seed: int) -> None:
    problem = Problem(seed % 2**20)
    start = torch.zeros(SAMPLES, UNKNOWNS, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda x: problem.residual(x).values)(start)
    values = problem.residual(start).values
    found = normal_equations(problem.residual(start), SOURCES, problem.basis)
    motions = normal_equations(problem.residual(start), SOURCES)
    for b in range(SAMPLES):
        own = slice(b * SOURCES, (b + 1) * SOURCES)
        J = jacobian[own, :, :, b].reshape(-1, UNKNOWNS)
        r = values[own].flatten()
        torch.testing.assert_close(found.matrix[b], J.mT @ J)
        torch.testing.assert_close(found.right[b], -J.mT @ r)
        M = J[:, : 6 * SOURCES]
        torch.testing.assert_close(motions.matrix[b], M.mT @ M)
        torch.testing.assert_close(motions.right[b], -M.mT @ r)


def test_weights_are_damped_as_if_seen_from_the_side() -> None:
    problem = Problem(5)
    residual = problem.residual(torch.zeros(SAMPLES, UNKNOWNS, dtype=torch.float64))
    found = normal_equations(residual, SOURCES, problem.basis)
    diagonal = found.matrix.diagonal(dim1=-2, dim2=-1)
    by_point = torch.einsum(
        "bcip,bijp->bcjp", residual.gradient, residual.landing.by_twist[:, :, 3:]
    )
    aside = by_point.square().sum((1, 2)).unflatten(0, (SAMPLES, SOURCES)).sum(1)
    least = torch.einsum("bkp,bp->bk", problem.basis.square(), aside)
    torch.testing.assert_close(found.aside, LEAST_PARALLAX * least)
    # No point is seen better along its ray than in all directions together.
    assert (diagonal[:, 6 * SOURCES :] <= least).all()


@given(st.integers(0, 2**31), st.sampled_from([1e-4, 0.3, 50.0]))
def test_the_step_solves_the_damped_equations(seed: int, damping: float) -> None:
    problem = Problem(seed % 2**20)
    residual = problem.residual(torch.zeros(SAMPLES, UNKNOWNS, dtype=torch.float64))
    equations = normal_equations(residual, SOURCES, problem.basis)
    strengths = damping * torch.tensor([1.0, 3.0], dtype=torch.float64)
    step = damped_step(equations, strengths, of_weights=2.0)
    for b, strength in enumerate(strengths):
        torch.testing.assert_close(
            step[b], slow_step(equations, b, float(strength), 2.0), rtol=1e-6, atol=1e-9
        )


def slow_step(equations: NormalEquations, b: int, damping: float, of_weights: float) -> Tensor:
    """Unknowns in which no movement is pulled by a turn, one source after the other."""
    M, right = equations.matrix[b], equations.right[b]
    change = torch.eye(len(M), dtype=M.dtype)
    for k in range(equations.sources):
        r, v = slice(6 * k, 6 * k + 3), slice(6 * k + 3, 6 * k + 6)
        least = LEAST_DIAGONAL * (1 + M[v, v].trace() / 3)
        change[v, r] = -torch.linalg.inv(M[v, v] + least * torch.eye(3, dtype=M.dtype)) @ M[v, r]
    apart = change.mT @ M @ change
    held = apart.diagonal().clone()
    own = 6 * equations.sources
    held[own:] = of_weights * (held[own:] + equations.aside[b])
    whole = apart + damping * torch.diag(held + LEAST_DIAGONAL)
    return change @ torch.linalg.solve(whole, change.mT @ right)


def test_without_damping_it_is_the_step_of_gauss_and_newton() -> None:
    problem = Problem(7)
    residual = problem.residual(torch.zeros(SAMPLES, UNKNOWNS, dtype=torch.float64))
    equations = normal_equations(residual, SOURCES)
    step = damped_step(equations, torch.full((SAMPLES,), 1e-12, dtype=torch.float64))
    found = (equations.matrix @ step[..., None])[..., 0]
    torch.testing.assert_close(found, equations.right, rtol=1e-6, atol=1e-8)


def test_where_nothing_is_known_nothing_moves() -> None:
    matrix = torch.zeros(2, 8, 8, requires_grad=True)
    right = torch.zeros(2, 8, requires_grad=True)
    equations = NormalEquations(matrix, right, torch.zeros(2, 2), sources=1)
    step = damped_step(equations, torch.full((2,), 1e-4))
    assert not step.any()
    step.sum().backward()
    assert matrix.grad is not None
    assert matrix.grad.isfinite().all()


def test_equations_of_any_size_are_solved_in_single_precision() -> None:
    # Rounded sums of a matrix without full rank: least eigenvalues below 0 by some 1e-7.
    jacobian = drawn(1, 5, 40, seed=1).float() * 10 ** torch.linspace(-6, 6, 40)
    matrix = jacobian.mT @ jacobian
    right = (jacobian.mT @ torch.ones(1, 5, 1))[..., 0]
    equations = NormalEquations(matrix, right, torch.zeros(1, 34), sources=1)
    step = damped_step(equations, torch.full((1,), 1e-4))
    left = (jacobian @ step[..., None])[..., 0]
    # Only entries that nothing hinders reach 1; none flies off.
    assert (left - 1).abs().max() < 0.1


@pytest.mark.parametrize("joint", [False, True])
def test_the_whole_step_has_the_gradient_of_finite_differences(joint: bool) -> None:
    size, maps = (5, 6), 2
    features = drawn(1, 2, 6, seed=1)
    source = drawn(2, 2, *size, seed=2)
    pixels = torch.tensor([[[1.3, 2.2, 3.1, 2.7, 3.6, 1.8], [1.4, 2.3, 1.2, 3.1, 2.6, 2.9]]])
    camera = torch.tensor([[5.0, 0, 2.5], [0, 5.0, 2], [0, 0, 1]], dtype=torch.float64)
    rays = unit_rays(pixels.double(), camera[None])
    initial = 2 + drawn(1, 6, seed=3).abs()
    basis = drawn(1, maps, 6, seed=4)
    poses = pose_from_rotvec(0.02 * drawn(2, 3, seed=5), 0.1 * drawn(2, 3, seed=6))

    def step(
        features: Tensor, source: Tensor, initial: Tensor, basis: Tensor, poses: Tensor
    ) -> Tensor:
        residual = feature_residual(
            features.repeat_interleave(2, 0),
            with_gradient(source),
            initial.repeat_interleave(2, 0),
            rays.repeat_interleave(2, 0),
            poses,
            camera.expand(2, 3, 3),
        )
        strength = torch.linalg.vector_norm(mean_absolute(residual, 2), dim=1)
        return damped_step(normal_equations(residual, 2, basis if joint else None), strength)

    inputs = [x.requires_grad_() for x in (features, source, initial, basis, poses)]
    if not joint:
        inputs[3] = basis.detach()
    assert torch.autograd.gradcheck(step, tuple(inputs), eps=1e-7, atol=1e-4)
