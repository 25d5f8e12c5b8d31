"""The layer of bundle adjustment: it finds the motion and the depth of a painted plane."""

from dataclasses import replace

import pytest
import torch
from feature_planes import STRIDES, errors, motions, plane_levels, plane_ranges
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.pose import compose_poses, twist_to_pose
from leadline.networks.bundle_adjustment import (
    LEAST_DAMPING,
    Adjusted,
    BundleAdjustment,
    LearnedDamping,
    Level,
    RangeMaps,
)

CHANNELS = 16
SAMPLES = 4
DEGREES, LENGTH = 2.0, 0.1
"""How far from the target sources stand; the plane is at 1."""


def layer(**settings: object) -> BundleAdjustment:
    torch.manual_seed(0)
    return BundleAdjustment(CHANNELS, len(STRIDES), **settings)  # type: ignore[arg-type]


def single(levels: list[Level], ranges: RangeMaps) -> tuple[list[Level], RangeMaps]:
    """The same in single precision."""
    exact = [Level(*(x.float() for x in vars(level).values())) for level in levels]
    return exact, RangeMaps(*(x.float() for x in vars(ranges).values()))


def shifted(ranges: RangeMaps, weights: Tensor) -> RangeMaps:
    """Ranges that are wrong by what the basis, so weighted, mends."""
    wrong = torch.einsum("bkhw,bk->bhw", ranges.basis, weights)[:, None]
    return replace(ranges, initial=ranges.initial - wrong)


def far(poses: Tensor, truth: Tensor, degrees: float, length: float) -> bool:
    turned, moved = errors(poses, truth)
    return bool((turned > degrees).any() or (moved > length).any())


@pytest.mark.parametrize("joint_levels", [0, 3])
def test_from_no_motion_to_the_true_one(joint_levels: int) -> None:
    truth = motions(DEGREES, LENGTH, SAMPLES, seed=1)[:, None]
    levels, ranges = single(plane_levels(truth, CHANNELS), plane_ranges(SAMPLES))
    poses, weights = layer(joint_levels=joint_levels)(levels, ranges)
    # A fortieth of the way; what is left is the error of bilinear sampling.
    assert not far(poses, truth.float(), 0.12, 0.0025)
    assert weights.abs().max() < 0.02
    assert bool(weights.any()) == (joint_levels > 0)


def test_from_a_pose_that_is_off_to_the_true_one() -> None:
    truth = motions(6.0, 0.3, SAMPLES, seed=4)
    turn, move = torch.randn(2, SAMPLES, 3, generator=torch.Generator().manual_seed(7)).double()
    turn, move = (functional.normalize(x, dim=-1) for x in (turn, move))
    off = torch.cat([turn * DEGREES * torch.pi / 180, move * 0.1 * 0.3], dim=1)
    start = compose_poses(truth, twist_to_pose(off))[:, None]
    levels = plane_levels(truth[:, None], CHANNELS)
    poses, _ = layer(joint_levels=0).double()(levels, plane_ranges(SAMPLES), start)
    assert not far(poses, truth[:, None], 0.12, 0.0025)
    still, _ = layer(joint_levels=0).double()(levels, plane_ranges(SAMPLES), truth[:, None])
    assert not far(still, truth[:, None], 0.12, 0.0025)


@pytest.mark.parametrize("sources", [1, 4])
def test_weights_of_the_basis_are_found_with_the_motions(sources: int) -> None:
    truth = motions(DEGREES, LENGTH, 2 * sources, seed=2).unflatten(0, (2, sources))
    weights = 0.05 * torch.tensor([[1.0, -1.2, 0.4, 0.8], [-0.5, 0.7, 1.1, -0.9]]).double()
    ranges = plane_ranges(2)
    wrong = shifted(ranges, weights)
    poses, found = layer(iterations=8).double()(plane_levels(truth, CHANNELS), wrong)
    assert (found - weights).norm(dim=1).max() < 0.15 * weights.norm(dim=1).min()
    assert not far(poses, truth, 0.15, 0.004)
    before = (wrong.initial - ranges.initial).abs().mean()
    after = (wrong.adjusted(found) - ranges.initial).abs().mean()
    assert after < 0.15 * before


def test_depth_is_adjusted_at_the_finest_levels() -> None:
    truth = motions(DEGREES, LENGTH, SAMPLES, seed=15)[:, None]
    levels, ranges = plane_levels(truth, CHANNELS), plane_ranges(SAMPLES)
    whole = layer(joint_levels=1, iterations=2).double()
    coarse = BundleAdjustment(CHANNELS, levels=2, iterations=2, joint_levels=0).double()
    fine = BundleAdjustment(CHANNELS, levels=1, iterations=2).double()
    coarse.dampings, fine.dampings = whole.dampings[:2], whole.dampings[2:]
    halfway = coarse(levels[:2], ranges)
    assert not halfway.weights.any()
    expected = fine(levels[2:], ranges, halfway.poses)
    torch.testing.assert_close(whole(levels, ranges), expected)
    assert expected.weights.any()


def test_before_anything_moved_depth_cannot_be_seen() -> None:
    truth = motions(DEGREES, LENGTH, SAMPLES, seed=3)[:, None]
    levels, ranges = single(plane_levels(truth, CHANNELS), plane_ranges(SAMPLES))
    first = BundleAdjustment(CHANNELS, levels=1, iterations=1)
    poses, weights = first(levels[:1], ranges)
    assert not weights.any()
    assert far(poses, torch.eye(4), 0.01, 0.001)


def test_features_at_random_do_not_throw_depth_away() -> None:
    # Two pictures that have nothing in common: what is damped least, depth, must stay in sight.
    levels, ranges = single(
        plane_levels(motions(1.0, 0.02, SAMPLES, seed=5)[:, None], CHANNELS), plane_ranges(SAMPLES)
    )
    noise = torch.Generator().manual_seed(0)
    levels = [
        replace(level, sources=3 * torch.randn(level.sources.shape, generator=noise))
        for level in levels
    ]
    _, weights = layer()(levels, ranges)
    adjusted = ranges.adjusted(weights)
    assert (adjusted > 0).float().mean() > 0.9


def test_each_sample_is_as_if_alone_and_sources_may_change_places() -> None:
    truth = motions(DEGREES, LENGTH, 6, seed=6).unflatten(0, (2, 3))
    levels, ranges = plane_levels(truth, CHANNELS), plane_ranges(2)
    one = layer(iterations=2).double()
    together = one(levels, ranges)
    for b in range(2):
        own = slice(b, b + 1)
        alone = one(
            [Level(*(x[own] for x in vars(level).values())) for level in levels],
            RangeMaps(*(x[own] for x in vars(ranges).values())),
        )
        torch.testing.assert_close(alone, Adjusted(*(x[own] for x in together)))
    order = [2, 0, 1]
    mixed = one(
        [
            replace(
                level,
                sources=level.sources[:, order],
                source_intrinsics=level.source_intrinsics[:, order],
            )
            for level in levels
        ],
        ranges,
    )
    torch.testing.assert_close(mixed.poses, together.poses[:, order])
    torch.testing.assert_close(mixed.weights, together.weights)


def test_an_absent_source_changes_nothing() -> None:
    truth = motions(DEGREES, LENGTH, 4, seed=8).unflatten(0, (2, 2))
    levels, ranges = plane_levels(truth, CHANNELS), plane_ranges(2)
    one = layer(iterations=2).double()
    there = torch.tensor([[True, False], [True, True]])
    black = [replace(level, sources=level.sources.clone()) for level in levels]
    for level in black:
        level.sources[0, 1] = 0
    found = one(black, ranges, available=there)
    alone = one(
        [
            Level(
                level.target[:1],
                level.sources[:1, :1],
                level.target_intrinsics[:1],
                level.source_intrinsics[:1, :1],
            )
            for level in levels
        ],
        RangeMaps(*(x[:1] for x in vars(ranges).values())),
    )
    torch.testing.assert_close(found.poses[:1, :1], alone.poses)
    torch.testing.assert_close(found.weights[:1], alone.weights)
    assert torch.equal(found.poses[0, 1], torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("reason", ["absent", "behind", "no range"])
def test_without_a_point_nothing_moves_and_gradients_are_finite(reason: str) -> None:
    start = motions(DEGREES, LENGTH, SAMPLES, seed=9)[:, None].float()
    levels, ranges = single(plane_levels(start.double(), CHANNELS), plane_ranges(SAMPLES))
    available = None
    if reason == "absent":
        available = torch.zeros(SAMPLES, 1, dtype=torch.bool)
    elif reason == "behind":
        start[..., 2, 3] = -5
    else:
        ranges = replace(ranges, initial=-ranges.initial)
    inputs = [ranges.initial.clone().requires_grad_(), ranges.basis.clone().requires_grad_()]
    ranges = replace(ranges, initial=inputs[0], basis=inputs[1])
    inputs += [level.sources.requires_grad_() for level in levels]
    one = layer(iterations=2)
    poses, weights = one(levels, ranges, start, available)
    assert torch.equal(poses, start)
    assert not weights.any()
    (poses.sum() + ranges.adjusted(weights).sum()).backward()
    for x in (*inputs, *one.parameters()):
        assert x.grad is not None
        assert x.grad.isfinite().all()


def test_gradients_reach_features_depth_and_damping() -> None:
    truth = motions(DEGREES, LENGTH, 2, seed=10)[:, None]
    levels, ranges = single(plane_levels(truth, CHANNELS), plane_ranges(2))
    inputs = [ranges.initial.clone().requires_grad_(), ranges.basis.clone().requires_grad_()]
    ranges = replace(ranges, initial=inputs[0], basis=inputs[1])
    for level in levels:
        inputs += [level.target.requires_grad_(), level.sources.requires_grad_()]
    one = layer(iterations=2)
    poses, weights = one(levels, ranges)
    (errors(poses, truth.float())[1].sum() + weights.square().sum()).backward()
    for x in (*inputs, *one.parameters()):
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert x.grad.any()


def test_the_gradient_of_the_layer_is_that_of_finite_differences() -> None:
    truth = motions(DEGREES, LENGTH, 1, seed=11)[:, None]
    levels, ranges = plane_levels(truth, channels=3), plane_ranges(1, maps=2)
    one = BundleAdjustment(3, levels=1, iterations=2).double()
    level = levels[0]

    def poses_and_weights(target: Tensor, sources: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        maps = replace(ranges, initial=ranges.initial * scale)
        return one([replace(level, target=target, sources=sources)], maps)

    scale = torch.tensor(1.1, dtype=torch.float64, requires_grad=True)
    inputs = (level.target.requires_grad_(), level.sources.requires_grad_(), scale)
    # One direction at random for each input: all of them would take minutes.
    assert torch.autograd.gradcheck(poses_and_weights, inputs, eps=1e-6, fast_mode=True)


def test_under_autocast_it_stays_exact() -> None:
    truth = motions(DEGREES, LENGTH, 1, seed=12)[:, None]
    levels, ranges = single(plane_levels(truth, CHANNELS), plane_ranges(1))
    rounded = [
        replace(level, target=level.target.bfloat16(), sources=level.sources.bfloat16())
        for level in levels
    ]
    same = [
        replace(level, target=level.target.float(), sources=level.sources.float())
        for level in rounded
    ]
    one = layer(iterations=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        poses, weights = one(rounded, ranges)
    expected = one(same, ranges)
    assert poses.dtype == weights.dtype == torch.float32
    torch.testing.assert_close(poses, expected.poses)
    torch.testing.assert_close(weights, expected.weights)


def test_damping_is_the_length_of_the_residual_to_a_learned_power() -> None:
    torch.manual_seed(0)
    damping = LearnedDamping(8)
    widths = [
        (m.in_features, m.out_features) for m in damping.exponent if hasattr(m, "in_features")
    ]
    assert widths == [(8, 16), (16, 32), (32, 16), (16, 8), (8, 1)]
    residual = torch.rand(3, 8)
    power = 2 + damping.exponent(residual)[:, 0]
    assert ((power > 1) & (power < 3)).all()
    torch.testing.assert_close(damping(residual), residual.square().sum(1).sqrt() ** power)
    nothing = torch.zeros(2, 8, requires_grad=True)
    least = damping(nothing)
    assert torch.equal(least, torch.full((2,), LEAST_DAMPING))
    least.sum().backward()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


def test_more_damping_of_depth_means_shorter_steps_of_it() -> None:
    truth = motions(DEGREES, LENGTH, 1, seed=13)[:, None]
    levels = plane_levels(truth, CHANNELS)
    ranges = shifted(plane_ranges(1), torch.full((1, 4), 0.05, dtype=torch.float64))
    lengths = []
    for factor in (1.0, 10.0, 1000.0):
        one = layer(iterations=2, joint_damping=factor).double()
        lengths.append(one(levels, ranges).weights.norm().item())
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 0.1 * lengths[0]


class Constant(nn.Module):
    """A damping that does not vanish with the residual."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, residual: Tensor) -> Tensor:
        return residual.new_full((len(residual),), self.strength)


@pytest.mark.parametrize(
    ("strength", "noise", "degrees"), [(0.3, 0.0, 0.1), (1.0, 0.0, 0.15), (1.0, 0.5, 0.7)]
)
def test_damping_that_stays_does_not_stop_the_turn(
    strength: float, noise: float, degrees: float
) -> None:
    """Features agree but for noise, so that damping has a floor. Turning and moving aside change
    the picture nearly alike; damped one by one the difference between them would never be found.
    """
    generator = torch.Generator().manual_seed(0)
    truth = motions(DEGREES, LENGTH, 8, seed=3)[:, None]
    levels = [
        replace(
            level,
            sources=level.sources
            + noise * torch.randn(level.sources.shape, generator=generator).double(),
        )
        for level in plane_levels(truth, CHANNELS)
    ]
    one = layer(joint_levels=0).double()
    one.dampings = nn.ModuleList(Constant(strength) for _ in STRIDES)
    turned, _ = errors(one(levels, plane_ranges(8)).poses, truth)
    assert turned.mean() < degrees


def test_depth_on_another_grid_is_read_where_features_look() -> None:
    truth = motions(DEGREES, LENGTH, SAMPLES, seed=14)[:, None]
    fine = plane_ranges(SAMPLES)
    # More to the left and above: the same rays, other pixels.
    more = {"pad": (2, 0, 1, 0), "mode": "replicate"}
    moved = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    wider = RangeMaps(
        functional.pad(fine.initial, **more),  # type: ignore[arg-type]
        functional.pad(fine.basis, **more),  # type: ignore[arg-type]
        fine.intrinsics + moved,
    )
    levels = plane_levels(truth, CHANNELS)[:2]
    one = BundleAdjustment(CHANNELS, levels=2, iterations=2).double()
    torch.testing.assert_close(one(levels, wider), one(levels, fine))


def test_settings_that_cannot_be_are_refused() -> None:
    for settings in ({"iterations": 0}, {"joint_levels": 4}, {"joint_levels": -1}):
        with pytest.raises(ValueError, match="expected one level and one iteration"):
            layer(**settings)
    with pytest.raises(ValueError, match="expected one level"):
        BundleAdjustment(CHANNELS, levels=0)
