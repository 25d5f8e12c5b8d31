"""The sensors on the car: where the cameras, the scanner and the inertial unit sit.

The chain is KITTI's: inertial unit -> scanner -> camera 0 -> rectified camera 0 -> camera 2 or 3,
each a rigid motion that the calibration files state. Axes: the inertial unit and the scanner look
along x with y to the left and z up; cameras look along z with x to the right and y down.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.settings import WorldSettings

FOCAL_SHARE = 0.58
"""Focal length over image width, about KITTI's 721.5 / 1242."""
LEFT_CAMERA, RIGHT_CAMERA = 2, 3
CAMERAS = (LEFT_CAMERA, RIGHT_CAMERA)
LEFT_OF_CAMERA_0 = 0.06
"""Metres by which camera 2 sits left of camera 0, as in KITTI."""
CENTRE_SHARE = (0.5, 0.47)
"""Where the principal point lies, over width and height: KITTI's is above the middle too."""
CENTRE_SPREAD = (0.02, 0.03)
"""Largest departure of a rig from that."""
MOUNT_PITCH = np.deg2rad(1.2)
MOUNT_ANGLE = np.deg2rad(0.4)
RECTIFYING_ANGLE = np.deg2rad(0.5)
IMU_TO_VELO_SHIFT = (-0.81, 0.32, -0.80)
VELO_TO_CAMERA_SHIFT = (0.0, -0.08, -0.27)
"""Metres, about KITTI's: the scanner sits 8 cm above and 27 cm behind camera 0."""
SCANNER_TO_CAMERA_AXES = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


def rotation(roll: float, pitch: float, yaw: float) -> Float[np.ndarray, "3 3"]:
    """Rz(yaw) Ry(pitch) Rx(roll), the order of the oxts angles."""
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    matrix: Float[np.ndarray, "3 3"] = about_z @ about_y @ about_x
    return matrix


def rigid(rotate: Float[np.ndarray, "3 3"], shift: tuple[float, ...]) -> Float[np.ndarray, "4 4"]:
    """A rigid motion x -> R x + t."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotate
    matrix[:3, 3] = shift
    return matrix


@dataclass(frozen=True)
class Rig:
    """The calibration of one date; poses are a_to_b, in metres."""

    size: tuple[int, int]
    intrinsics: Float[np.ndarray, "3 3"]
    """Pixels, centres at integers; the same for all rectified cameras."""
    baseline: float
    rectification: Float[np.ndarray, "3 3"]
    imu_to_velo: Float[np.ndarray, "4 4"]
    velo_to_camera0: Float[np.ndarray, "4 4"]

    def camera_x(self, camera: int) -> float:
        """Metres to the right of camera 0 at which a camera sits."""
        positions = {
            0: 0.0,
            1: self.baseline,
            LEFT_CAMERA: -LEFT_OF_CAMERA_0,
            RIGHT_CAMERA: self.baseline - LEFT_OF_CAMERA_0,
        }
        return positions[camera]

    def projection(self, camera: int) -> Float[np.ndarray, "3 4"]:
        """P_rect: rectified camera 0 coordinates to pixels of a camera."""
        shift = np.array([[-self.camera_x(camera)], [0.0], [0.0]])
        moved = np.concatenate([np.eye(3), shift], axis=1)
        matrix: Float[np.ndarray, "3 4"] = self.intrinsics @ moved
        return matrix

    def velo_to_camera(self, camera: int) -> Float[np.ndarray, "4 4"]:
        """Scanner coordinates to those of a rectified camera."""
        rectify = rigid(self.rectification, (-self.camera_x(camera), 0.0, 0.0))
        matrix: Float[np.ndarray, "4 4"] = rectify @ self.velo_to_camera0
        return matrix

    def camera_to_imu(self, camera: int) -> Float[np.ndarray, "4 4"]:
        """Rectified camera coordinates to those of the inertial unit."""
        return np.linalg.inv(self.velo_to_camera(camera) @ self.imu_to_velo)


def make_rig(settings: WorldSettings, random: np.random.Generator) -> Rig:
    """A rig mounted a little differently from others."""
    width, height = settings.size
    focal = FOCAL_SHARE * width
    spread = random.uniform(-1, 1, 2) * CENTRE_SPREAD
    cx = width * (CENTRE_SHARE[0] + spread[0]) - 0.5  # pixel centres at integers
    cy = height * (CENTRE_SHARE[1] + spread[1]) - 0.5
    rectification = rotation(*random.uniform(-RECTIFYING_ANGLE, RECTIFYING_ANGLE, 3))
    # What the rectified camera makes of the scanner's axes: a small turn, above all in pitch
    # (about the camera's x).
    mount = rotation(
        random.uniform(-MOUNT_PITCH, MOUNT_PITCH), *random.uniform(-MOUNT_ANGLE, MOUNT_ANGLE, 2)
    )
    velo_to_camera0 = rectification.T @ mount @ SCANNER_TO_CAMERA_AXES
    imu_to_velo = rotation(*random.uniform(-MOUNT_ANGLE, MOUNT_ANGLE, 3))
    return Rig(
        size=settings.size,
        intrinsics=np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]),
        baseline=settings.baseline,
        rectification=rectification,
        imu_to_velo=rigid(imu_to_velo, IMU_TO_VELO_SHIFT),
        velo_to_camera0=rigid(velo_to_camera0, VELO_TO_CAMERA_SHIFT),
    )
