"""Rigid motions; a pose named a_to_b takes points from the frame of camera a to that of b."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def _cross_matrix(vector: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)


def rotvec_to_matrix(rotvec: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """Rotation about the axis r / |r| by |r| radians (Rodrigues).

    R = I + sinc(a) [r]x + (1 - cos a) / a^2 [r]x^2 with a = |r|.

    Departure: [monodepth2] divides the axis by |r| + 1e-7; the form with sinc has the exact limit
    and finite gradients at r = 0, which a pose network near its start needs.
    """
    angle = torch.sqrt(rotvec.square().sum(-1) + torch.finfo(rotvec.dtype).tiny)[..., None, None]
    # (1 - cos a) / a^2 = sinc(a / 2)^2 / 2 avoids the cancellation at small angles.
    half_sinc = torch.sinc(angle / (2 * torch.pi))
    cross = _cross_matrix(rotvec)
    identity = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return identity + torch.sinc(angle / torch.pi) * cross + half_sinc.square() / 2 * cross @ cross


def matrix_to_rotvec(rotation: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3"]:
    """The axis-angle vector of a rotation, of length within [0, pi].

    Goes through the unit quaternion, choosing for each rotation the largest of its four components
    as the divisor, so that half turns are as exact as small ones.
    """
    r = rotation
    trace = r.diagonal(dim1=-2, dim2=-1).sum(-1)
    x, y, z = r.diagonal(dim1=-2, dim2=-1).unbind(-1)
    # Row i holds the quaternion (w, x, y, z) times 4 times its own i-th component.
    candidates = torch.stack(
        [
            torch.stack([1 + trace, _skew(r, 2, 1), _skew(r, 0, 2), _skew(r, 1, 0)], -1),
            torch.stack([_skew(r, 2, 1), 1 + x - y - z, _sum(r, 0, 1), _sum(r, 0, 2)], -1),
            torch.stack([_skew(r, 0, 2), _sum(r, 0, 1), 1 - x + y - z, _sum(r, 1, 2)], -1),
            torch.stack([_skew(r, 1, 0), _sum(r, 0, 2), _sum(r, 1, 2), 1 - x - y + z], -1),
        ],
        dim=-2,
    )
    largest = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)
    quaternion = candidates[torch.arange(len(r), device=r.device), largest]
    quaternion = torch.nn.functional.normalize(quaternion, dim=-1)
    quaternion = torch.where(quaternion[:, :1] < 0, -quaternion, quaternion)
    vector = quaternion[:, 1:]
    sine = vector.norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[:, :1])
    # angle / sine tends to 2 as the rotation vanishes.
    safe = sine > torch.finfo(r.dtype).eps
    return vector * torch.where(safe, angle / torch.where(safe, sine, 1.0), 2.0)


def _skew(rotation: Float[Tensor, "b 3 3"], i: int, j: int) -> Float[Tensor, "b"]:
    return rotation[:, i, j] - rotation[:, j, i]


def _sum(rotation: Float[Tensor, "b 3 3"], i: int, j: int) -> Float[Tensor, "b"]:
    return rotation[:, i, j] + rotation[:, j, i]


def euler_to_matrix(angles: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """R = Rx Ry Rz for angles (x, y, z) in radians, the order of [sfmlearner] and [packnet]."""
    axes = torch.eye(3, dtype=angles.dtype, device=angles.device)
    x, y, z = (rotvec_to_matrix(angles[:, i : i + 1] * axes[i]) for i in range(3))
    return x @ y @ z


def pose_from_rotvec(
    rotvec: Float[Tensor, "b 3"], translation: Float[Tensor, "b 3"]
) -> Float[Tensor, "b 4 4"]:
    """The motion that rotates by `rotvec` and then moves by `translation`."""
    return pose_from_rotation(rotvec_to_matrix(rotvec), translation)


def pose_from_rotation(
    rotation: Float[Tensor, "b 3 3"], translation: Float[Tensor, "b 3"]
) -> Float[Tensor, "b 4 4"]:
    """The motion X -> R X + t as a 4x4 matrix."""
    top = torch.cat([rotation, translation[..., None]], dim=-1)
    zeros = torch.zeros_like(top[:, :1, :3])
    bottom = torch.cat([zeros, torch.ones_like(top[:, :1, 3:])], dim=-1)
    return torch.cat([top, bottom], dim=-2)


def twist_to_pose(twist: Float[Tensor, "b 6"]) -> Float[Tensor, "b 4 4"]:
    """The motion of a twist (r, v), rotation first: the exponential map of SE(3).

    R = exp([r]x) and t = V v with V = I + (1 - cos a) / a^2 [r]x + (a - sin a) / a^3 [r]x^2, a =
    |r|: a turn and a movement at the same time, where `pose_from_rotvec` does one after the other.
    """
    rotvec, velocity = twist.split(3, dim=-1)
    square = rotvec.square().sum(-1, keepdim=True)
    angle = torch.sqrt(square + torch.finfo(twist.dtype).tiny)
    first = torch.sinc(angle / (2 * torch.pi)).square() / 2
    once = torch.linalg.cross(rotvec, velocity)
    twice = torch.linalg.cross(rotvec, once)
    return pose_from_rotvec(rotvec, velocity + first * once + _cubic_sine(square) * twice)


def _cubic_sine(square: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
    """(a - sin a) / a^3 of a^2: below half a radian as a series, for there the difference
    cancels.
    """
    small = square < 0.25
    angle = torch.sqrt(square.where(~small, 1.0))
    series = torch.zeros_like(square)
    # 1/3! - a^2/5! + a^4/7! - ... up to a^12: exact in double precision.
    for k in reversed(range(7)):
        series = 1 / math.factorial(2 * k + 3) - square.where(small, 0.0) * series
    return torch.where(small, series, (angle - torch.sin(angle)) / angle**3)


def invert_pose(a_to_b: Float[Tensor, "b 4 4"]) -> Float[Tensor, "b 4 4"]:
    """b_to_a, by the transpose of the rotation: exact where a general inverse would round."""
    rotation = a_to_b[:, :3, :3].mT
    return pose_from_rotation(rotation, -(rotation @ a_to_b[:, :3, 3:])[..., 0])


def compose_poses(
    a_to_b: Float[Tensor, "b 4 4"], b_to_c: Float[Tensor, "b 4 4"]
) -> Float[Tensor, "b 4 4"]:
    """a_to_c: first a_to_b, then b_to_c."""
    return b_to_c @ a_to_b


def mirror_pose(a_to_b: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The same motion seen in a mirror that flips x: conjugation with diag(-1, 1, 1, 1)."""
    sign = a_to_b.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return a_to_b * sign[:, None] * sign


def roll_matrix(angle: float) -> Float[Tensor, "3 3"]:
    """Rz, the rotation by `angle` radians about the optical axis, x towards y: clockwise, as one
    looks at the picture. In double precision.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor(
        [[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64
    )


def roll_pose(a_to_b: Float[Tensor, "*b 4 4"], angle: float) -> Float[Tensor, "*b 4 4"]:
    """The same motion between two cameras in both of which points are turned by X' = Rz X, see
    `roll_matrix`: conjugation with Rz.
    """
    turn = torch.eye(4, dtype=torch.float64, device=a_to_b.device)
    turn[:3, :3] = roll_matrix(angle)
    return (turn @ a_to_b.double() @ turn.mT).to(a_to_b.dtype)


def stereo_pose(offset: float, *, dtype: torch.dtype = torch.float32) -> Float[Tensor, "4 4"]:
    """target_to_source of a rectified pair whose source camera stands `offset` metres to the right.

    A right source (positive offset) sees every point `offset` further to the left: t_x = -offset.
    """
    pose = torch.eye(4, dtype=dtype)
    pose[0, 3] = -offset
    return pose
