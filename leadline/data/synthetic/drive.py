"""One drive, built from its seed: land, road, scenery, traffic, light, and the way we go."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from leadline.data.synthetic.lidar import scan
from leadline.data.synthetic.light import make_light
from leadline.data.synthetic.lots import build_lots
from leadline.data.synthetic.noise import Noise
from leadline.data.synthetic.paint_ground import GroundPainter, ground_colours
from leadline.data.synthetic.painting import PLAIN_TEXTURE
from leadline.data.synthetic.raycast import Raycaster
from leadline.data.synthetic.render import Look, View, depth_picture, render
from leadline.data.synthetic.rig import CAMERAS, LEFT_CAMERA, Rig, make_rig
from leadline.data.synthetic.road import lay_roads
from leadline.data.synthetic.scenery import Scenery
from leadline.data.synthetic.seeds import Purpose, stream
from leadline.data.synthetic.sensor import Sensor, exposure_for, make_sensors
from leadline.data.synthetic.settings import DrivePlan, WorldSettings
from leadline.data.synthetic.site import Site
from leadline.data.synthetic.start import STARTS, hard_start
from leadline.data.synthetic.street import build_street
from leadline.data.synthetic.styles import numbers_of_drive
from leadline.data.synthetic.terrain import Terrain
from leadline.data.synthetic.traffic import (
    MovingVehicle,
    moving_vehicles,
    park_vehicles,
    vehicles_at,
)
from leadline.data.synthetic.trajectory import Halt, Trajectory, frame_time, largest_travel
from leadline.data.synthetic.vegetation import Nursery

ROAD_BEHIND = 40.0
ROAD_AHEAD = 180.0
GLANCE_SIZE = (80, 24)
GLANCES = 5


@dataclass(frozen=True)
class Frame:
    """One moment of a drive as its sensors record it, left camera first."""

    pictures: tuple[UInt8[np.ndarray, "h w 3"], ...]
    views: tuple[View, ...]
    points: Float[np.ndarray, "p 4"] | None


@dataclass(frozen=True)
class Motion:
    """The way of the sensors through the world."""

    rig: Rig
    trajectory: Trajectory

    def camera_to_world(self, camera: int, frame: int) -> Float[np.ndarray, "4 4"]:
        """The pose of a rectified camera."""
        pose = self.trajectory.imu_to_world(frame_time(frame))
        matrix: Float[np.ndarray, "4 4"] = pose @ self.rig.camera_to_imu(camera)
        return matrix


@dataclass(frozen=True)
class Drive:
    """A drive ready to be rendered, any frame in any order."""

    settings: WorldSettings
    plan: DrivePlan
    motion: Motion
    caster: Raycaster
    look: Look
    site: Site
    fleet: list[MovingVehicle]
    sensors: tuple[Sensor, Sensor]

    def frame(self, number: int) -> Frame:
        """What the sensors record at one frame."""
        time = frame_time(number)
        caster = _moment(self.caster, self.fleet, self.site, self.motion, time)
        rig, settings = self.motion.rig, self.settings
        views, pictures = [], []
        for sensor, camera in zip(self.sensors, CAMERAS, strict=True):
            view = render(
                caster,
                self.look,
                self.motion.camera_to_world(camera, number),
                rig.intrinsics,
                rig.size,
                settings.supersampling,
            )
            counters = (self.plan.index, number, camera)
            grain = stream(settings.seed, Purpose.SENSOR_NOISE, *counters)
            views.append(view)
            pictures.append(sensor.develop(view.light, time, grain))
        points = None
        if settings.velodyne:
            imu_to_world = self.motion.trajectory.imu_to_world(time)
            velo_to_world = imu_to_world @ np.linalg.inv(rig.imu_to_velo)
            jitter = stream(settings.seed, Purpose.LIDAR_NOISE, self.plan.index, number)
            points = scan(caster, self.look.surfaces, velo_to_world, jitter)
        return Frame(tuple(pictures), tuple(views), points)


def make_drive(settings: WorldSettings, plan: DrivePlan) -> Drive:
    """Build everything of a drive; a few seconds."""

    def random(purpose: Purpose) -> np.random.Generator:
        return stream(settings.seed, purpose, plan.index)

    numbers = numbers_of_drive(plan.style, random(Purpose.STYLE))
    end = ROAD_AHEAD + STARTS[-1] + largest_travel(numbers, settings.frames)
    roads = lay_roads(numbers, -ROAD_BEHIND, end, random(Purpose.ROAD))
    terrain = Terrain(roads, numbers, random(Purpose.TERRAIN))
    scenery, growth = Scenery(), random(Purpose.SCENERY)
    site = Site(numbers, roads, terrain, scenery, Nursery(scenery, growth), growth)
    build_street(site)
    build_lots(site)
    park_vehicles(site)
    caster = Raycaster(*site.scenery.still_objects())

    rig = make_rig(settings, stream(settings.seed, Purpose.RIG, settings.rig_of(plan.index)))

    def motion_from(start: float) -> Motion:
        halt = None if plan.standing is None else Halt(*map(frame_time, plan.standing))
        way = Trajectory(roads, terrain, numbers, random(Purpose.MOTION), start, halt)
        return Motion(rig, way)

    motion = motion_from(
        hard_start(lambda start: _glances(caster, motion_from(start), settings.frames))
    )
    fleet = moving_vehicles(
        site,
        motion.trajectory.s_at,
        frame_time(settings.frames),
        plan.lead_vehicle,
        random(Purpose.TRAFFIC),
    )
    texture = random(Purpose.TEXTURE)
    noise = Noise(texture)
    painter = GroundPainter(roads, numbers, ground_colours(numbers, texture), noise)
    contrast = PLAIN_TEXTURE if settings.plain else 1.0
    look = Look(site.scenery.arrays(), painter, make_light(random(Purpose.LIGHT)), noise, contrast)
    gain = _metered(_moment(caster, fleet, site, motion, 0.0), look, motion)
    exposure = random(Purpose.EXPOSURE)
    sensors = make_sensors(gain, settings.perfect_sensor, exposure, settings.exposure_drift)
    return Drive(settings, plan, motion, caster, look, site, fleet, sensors)


def _moment(
    caster: Raycaster, fleet: list[MovingVehicle], site: Site, motion: Motion, time: float
) -> Raycaster:
    """The world at a time, with the moving vehicles where they are."""
    return caster.with_moving(*vehicles_at(time, fleet, site, motion.trajectory.s_at(time)))


def _small_camera(rig: Rig) -> Float[np.ndarray, "3 3"]:
    """The rig's intrinsics for pictures of `GLANCE_SIZE`; centres scale by (c + 0.5) k - 0.5."""
    scale = np.array(GLANCE_SIZE) / rig.size
    intrinsics = rig.intrinsics.copy()
    intrinsics[:2] *= scale[:, None]
    intrinsics[:2, 2] += 0.5 * scale - 0.5
    return intrinsics


def _glances(caster: Raycaster, motion: Motion, frames: int) -> Float[np.ndarray, "n h w"]:
    """Small depth pictures of a few frames of the still world."""
    numbers = np.unique(np.linspace(0, frames - 1, GLANCES).round().astype(int))
    intrinsics = _small_camera(motion.rig)
    return np.stack(
        [
            depth_picture(
                caster, motion.camera_to_world(LEFT_CAMERA, int(n)), intrinsics, GLANCE_SIZE
            )
            for n in numbers
        ]
    )


def _metered(caster: Raycaster, look: Look, motion: Motion) -> float:
    """The exposure for a drive, from a small picture of its first frame."""
    pose = motion.camera_to_world(LEFT_CAMERA, 0)
    view = render(caster, look, pose, _small_camera(motion.rig), GLANCE_SIZE, 1)
    return exposure_for(view.light)
