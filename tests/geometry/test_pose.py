"""Rigid motions, by property and against scipy."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from leadline.geometry.pose import (
    compose_poses,
    euler_to_matrix,
    invert_pose,
    matrix_to_rotvec,
    mirror_pose,
    pose_from_rotvec,
    roll_matrix,
    roll_pose,
    rotvec_to_matrix,
    stereo_pose,
)

seeds = st.integers(0, 2**31)
scales = st.sampled_from([1e-12, 1e-7, 1e-3, 0.5, 3.0])


def vectors(seed: int, scale: float, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64) * scale


def pose(seed: int) -> torch.Tensor:
    return pose_from_rotvec(vectors(seed, 1.0), vectors(seed + 1, 5.0))


@given(seeds, scales)
def test_rotvec_agrees_with_scipy(seed: int, scale: float) -> None:
    rotvec = vectors(seed, scale)
    expected = Rotation.from_rotvec(rotvec.numpy())
    matrix = rotvec_to_matrix(rotvec)
    np.testing.assert_allclose(matrix.numpy(), expected.as_matrix(), atol=1e-14)
    np.testing.assert_allclose(matrix_to_rotvec(matrix).numpy(), expected.as_rotvec(), atol=1e-7)


def test_half_turns_survive_the_round_trip() -> None:
    axes = torch.nn.functional.normalize(vectors(3, 1.0, count=50), dim=-1)
    rotvec = axes * (math.pi - 1e-6)
    torch.testing.assert_close(matrix_to_rotvec(rotvec_to_matrix(rotvec)), rotvec)


def test_rotation_has_a_finite_gradient_at_rest() -> None:
    rotvec = torch.zeros(1, 3, requires_grad=True)
    rotvec_to_matrix(rotvec)[0, 2, 1].backward()
    assert rotvec.grad is not None
    # d R_21 / d r_x = 1 at r = 0: the generator of a rotation about x.
    torch.testing.assert_close(rotvec.grad, torch.tensor([[1.0, 0.0, 0.0]]))


def test_rotation_gradient_matches_finite_differences() -> None:
    assert torch.autograd.gradcheck(rotvec_to_matrix, vectors(0, 0.5).requires_grad_())


@given(seeds)
def test_euler_angles_turn_about_x_then_y_then_z_of_the_moving_frame(seed: int) -> None:
    angles = vectors(seed, 0.7)
    expected = Rotation.from_euler("XYZ", angles.numpy()).as_matrix()
    np.testing.assert_allclose(euler_to_matrix(angles).numpy(), expected, atol=1e-12)


@given(seeds)
def test_inverse_and_composition(seed: int) -> None:
    a_to_b, b_to_c = pose(seed), pose(seed + 7)
    identity = torch.eye(4, dtype=torch.float64).expand(4, 4, 4)
    torch.testing.assert_close(compose_poses(a_to_b, invert_pose(a_to_b)), identity)
    point = torch.cat([vectors(seed + 9, 3.0), torch.ones(4, 1, dtype=torch.float64)], 1)[..., None]
    a_to_c = compose_poses(a_to_b, b_to_c)
    torch.testing.assert_close(a_to_c @ point, b_to_c @ (a_to_b @ point))
    torch.testing.assert_close(
        invert_pose(a_to_c), compose_poses(invert_pose(b_to_c), invert_pose(a_to_b))
    )


@given(seeds)
def test_a_mirrored_pose_moves_mirrored_points(seed: int) -> None:
    a_to_b = pose(seed)
    point = torch.cat([vectors(seed + 2, 3.0), torch.ones(4, 1, dtype=torch.float64)], 1)[..., None]
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(mirror_pose(a_to_b) @ mirror @ point, mirror @ a_to_b @ point)
    torch.testing.assert_close(mirror_pose(mirror_pose(a_to_b)), a_to_b)


def test_the_right_camera_sees_points_further_left() -> None:
    target_to_source = stereo_pose(0.54)
    point = torch.tensor([0.0, 0.0, 10.0, 1.0])
    assert (target_to_source @ point)[0] == -0.54


@given(seeds, st.floats(-3, 3))
def test_rolled_cameras_see_turned_points(seed: int, angle: float) -> None:
    turn = roll_matrix(angle)
    np.testing.assert_allclose(turn, Rotation.from_euler("z", angle).as_matrix(), atol=1e-14)
    points, motion = vectors(seed, 3.0).mT, pose(seed)
    moved = motion[:, :3, :3] @ points + motion[:, :3, 3:]
    rolled = roll_pose(motion, angle)
    again = rolled[:, :3, :3] @ turn @ points + rolled[:, :3, 3:]
    torch.testing.assert_close(again, turn @ moved)
    torch.testing.assert_close(roll_pose(rolled, -angle), motion)
