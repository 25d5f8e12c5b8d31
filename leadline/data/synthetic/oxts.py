"""The records of the inertial unit, 30 numbers per frame in KITTI's order, and time stamps."""

from datetime import datetime, timedelta

import numpy as np

from leadline.data.synthetic.rig import rotation
from leadline.data.synthetic.settings import DRIVES_PER_DATE, DrivePlan
from leadline.data.synthetic.trajectory import Trajectory, frame_time

EARTH_RADIUS = 6_378_137.0
ORIGIN = (49.0, 8.4, 110.0)
"""Latitude and longitude (degrees) and altitude of the world's (0, 0, 0)."""
GRAVITY = 9.81
QUALITY = (0.05, 0.02, 4, 8, 5, 5, 5)
"""Accuracy of position and velocity, then the states of the receiver: constants here."""
START_HOUR = 12
FORMAT = (
    "lat lon: degrees; the world is a plane in the Mercator projection scaled at its origin",
    "alt: metres",
    "roll pitch yaw: radians; body to world = Rz(yaw) Ry(pitch) Rx(roll), yaw 0 = east",
    "vn ve: velocity to the north and east, m/s",
    "vf vl vu: velocity forward, left and up, parallel to the earth's surface, m/s",
    "ax ay az: acceleration in the vehicle's axes with gravity, m/s^2",
    "af al au: acceleration forward, left and up with gravity, m/s^2",
    "wx wy wz: angular rate about the vehicle's axes, rad/s",
    "wf wl wu: angular rate about forward, left and up, rad/s",
    "pos_accuracy vel_accuracy navstat numsats posmode velmode orimode: constants",
)


def position_to_degrees(east: float, north: float) -> tuple[float, float]:
    """Latitude and longitude of a point of the world's plane."""
    latitude, longitude, _ = ORIGIN
    scale = np.cos(np.deg2rad(latitude)) * EARTH_RADIUS
    northing = np.log(np.tan(np.pi / 4 + np.deg2rad(latitude) / 2)) + north / scale
    return (
        float(np.rad2deg(2 * np.arctan(np.exp(northing)) - np.pi / 2)),
        float(longitude + np.rad2deg(east / scale)),
    )


def record(trajectory: Trajectory, time: float) -> str:
    """The line of one frame."""
    pose = trajectory.imu_to_world(time)
    turn = pose[:3, :3]
    roll, pitch, yaw = (
        np.arctan2(turn[2, 1], turn[2, 2]),
        -np.arcsin(turn[2, 0]),
        np.arctan2(turn[1, 0], turn[0, 0]),
    )
    level = rotation(0.0, 0.0, float(yaw))
    velocity = trajectory.velocity(time)
    felt = trajectory.acceleration(time) + np.array([0, 0, GRAVITY])
    rate = trajectory.angular_velocity(time)
    latitude, longitude = position_to_degrees(pose[0, 3], pose[1, 3])
    values = [
        latitude,
        longitude,
        pose[2, 3] + ORIGIN[2],
        roll,
        pitch,
        yaw,
        velocity[1],
        velocity[0],
        *(level.T @ velocity),
        *(turn.T @ felt),
        *(level.T @ felt),
        *rate,
        *(level.T @ turn @ rate),
        *QUALITY,
    ]
    return " ".join(f"{value:.14g}" for value in values)


def timestamps(plan: DrivePlan, frames: int) -> list[str]:
    """One line per frame, with the nanoseconds of KITTI's files."""
    hour = START_HOUR + plan.index % DRIVES_PER_DATE
    start = datetime.strptime(plan.date, "%Y_%m_%d") + timedelta(hours=hour)
    moments = [start + timedelta(seconds=frame_time(number)) for number in range(frames)]
    return [f"{moment:%Y-%m-%d %H:%M:%S.%f}000" for moment in moments]
