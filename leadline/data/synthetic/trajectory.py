"""How the ego vehicle moves: along its lane at a varying speed, nodding on its springs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.rig import rotation
from leadline.data.synthetic.road import Roads
from leadline.data.synthetic.settings import BRAKING_FRAMES, FRAMES_PER_SECOND
from leadline.data.synthetic.styles import StyleNumbers
from leadline.data.synthetic.terrain import Terrain

IMU_HEIGHT = (0.75, 1.10)
"""Metres above the ground; cameras sit some 0.72 m higher."""
RIDE_PITCH = np.deg2rad(1.0)
SPEED_SWAY = 0.15
SPEED_PERIOD = (4.0, 12.0)
LANE_SWAY = 0.2
LANE_PERIOD = (5.0, 11.0)
BOUNCE_PERIODS = (0.45, 0.9)
"""Seconds: the springs of a car swing at one to two per second."""
PITCH_BOUNCE = np.deg2rad(0.30)
ROLL_BOUNCE = np.deg2rad(0.25)
HEAVE = 0.02
DIFFERENCE = 1e-3
"""Seconds between the poses whose difference quotient is the velocity."""


def frame_time(frame: int) -> float:
    """Seconds since the first frame of the drive."""
    return frame / FRAMES_PER_SECOND


def largest_travel(numbers: StyleNumbers, frames: int) -> float:
    """Metres that a drive of so many frames can cover."""
    return numbers.speed[1] * (1 + SPEED_SWAY) * frame_time(frames) + LANE_SWAY


@dataclass(frozen=True)
class Swing:
    """amount * sin(2 pi t / period + phase)."""

    amount: float
    period: float
    phase: float

    def at(self, time: float) -> float:
        """The value at a time in seconds."""
        return float(self.amount * np.sin(2 * np.pi * time / self.period + self.phase))


@dataclass(frozen=True)
class Halt:
    """A time at which the ego stands, from `begin` to `end` seconds, braking before and speeding up
    after it at a steady rate.
    """

    begin: float
    end: float

    def driven(self, time: float) -> float:
        """Seconds that a car without the halt would have needed for what is driven until `time`."""
        braking = frame_time(BRAKING_FRAMES)
        if time <= self.begin - braking:
            return time
        if time < self.begin:
            return time - (time - (self.begin - braking)) ** 2 / (2 * braking)
        if time <= self.end:
            return self.begin - braking / 2
        if time <= self.end + braking:
            return self.begin - braking / 2 + (time - self.end) ** 2 / (2 * braking)
        return time - (self.end - self.begin) - braking


def _swing(amount: float, periods: tuple[float, float], random: np.random.Generator) -> Swing:
    return Swing(amount, random.uniform(*periods), random.uniform(0, 2 * np.pi))


class Trajectory:
    """The pose of the inertial unit, body x forward, y left, z up, as a function of time alone.

    During a `halt` nothing of it moves, the springs included.
    """

    def __init__(
        self,
        roads: Roads,
        terrain: Terrain,
        numbers: StyleNumbers,
        random: np.random.Generator,
        start: float = 0.0,
        halt: Halt | None = None,
    ) -> None:
        self._roads, self._terrain, self._start = roads, terrain, start
        self._halt = halt
        self._speed = random.uniform(*numbers.speed)
        self._lane_middle = -numbers.lane / 2
        period = random.uniform(*SPEED_PERIOD)
        # The swing of s whose derivative swings by SPEED_SWAY times the speed.
        sway = SPEED_SWAY * self._speed * period / (2 * np.pi)
        self._ahead = Swing(sway, period, random.uniform(0, 2 * np.pi))
        self._aside = _swing(LANE_SWAY, LANE_PERIOD, random)
        self._nod = _swing(PITCH_BOUNCE, BOUNCE_PERIODS, random)
        self._lean = _swing(ROLL_BOUNCE, BOUNCE_PERIODS, random)
        self._heave = _swing(HEAVE, BOUNCE_PERIODS, random)
        self._ride_height = random.uniform(*IMU_HEIGHT)
        self._ride_pitch = random.uniform(-RIDE_PITCH, RIDE_PITCH)

    def s_at(self, time: float) -> float:
        """Metres along the main road; `start` at time 0."""
        driven = self._driven(time)
        return self._start + self._speed * driven + self._ahead.at(driven) - self._ahead.at(0.0)

    def imu_to_world(self, time: float) -> Float[np.ndarray, "4 4"]:
        """The pose at a time in seconds; the world is east, north, up."""
        driven = self._driven(time)
        point, heading = self._roads.main.at(
            np.array([self.s_at(time)]), self._lane_middle + self._aside.at(driven)
        )
        ground = self._terrain.resting(float(point[0, 0]), float(point[0, 1]), float(heading[0]))
        springs = np.eye(4)
        pitch = self._ride_pitch + self._nod.at(driven)
        springs[:3, :3] = rotation(self._lean.at(driven), pitch, 0.0)
        springs[2, 3] = self._ride_height + self._heave.at(driven)
        return ground @ springs

    def velocity(self, time: float) -> Float[np.ndarray, "3"]:
        """Metres per second in the world."""
        after = self.imu_to_world(time + DIFFERENCE / 2)[:3, 3]
        before = self.imu_to_world(time - DIFFERENCE / 2)[:3, 3]
        velocity: Float[np.ndarray, "3"] = (after - before) / DIFFERENCE
        return velocity

    def acceleration(self, time: float) -> Float[np.ndarray, "3"]:
        """Metres per second squared in the world, without gravity."""
        step = 20 * DIFFERENCE
        change: Float[np.ndarray, "3"] = self.velocity(time + step / 2) - self.velocity(
            time - step / 2
        )
        return change / step

    def angular_velocity(self, time: float) -> Float[np.ndarray, "3"]:
        """Radians per second in the body's own axes."""
        before = self.imu_to_world(time - DIFFERENCE / 2)[:3, :3]
        turn = before.T @ self.imu_to_world(time + DIFFERENCE / 2)[:3, :3]
        skew = (turn - turn.T) / (2 * DIFFERENCE)
        return np.array([skew[2, 1], skew[0, 2], skew[1, 0]])

    def _driven(self, time: float) -> float:
        return time if self._halt is None else self._halt.driven(time)
