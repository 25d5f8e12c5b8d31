"""Vehicles: those parked along the road, those that come towards us, and the one ahead of us."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from leadline.data.synthetic.mesh import Mesh, joined
from leadline.data.synthetic.site import LEFT, RIGHT, Site
from leadline.data.synthetic.street import KERB_HEIGHT
from leadline.data.synthetic.vehicles import vehicle

PARKING_GAP = (0.7, 1.8)
KERB_DISTANCE = 0.98
"""From the kerb to the middle of a parked car."""
FREE_PLACE = 5.5
PARKED_TILT = 0.03
"""Radians by which parked cars stand askew."""
VERGE_SPACING = 12.0
PAVEMENT_PARKERS = 0.4
"""How much rarer cars are on a pavement than on the strips made for them."""
DRIVEWAY_SPACING = (14.0, 30.0)
DRIVEWAY_SHARE = 0.6
LEAD_GAP = (9.0, 20.0)
LEAD_SWAY = 0.25
"""Metres by which the gap to the vehicle ahead swings."""
SEEN_BEHIND, SEEN_AHEAD = 25.0, 170.0


@dataclass(frozen=True)
class MovingVehicle:
    """A vehicle and its way: s along the main road and d beside it, as functions of time."""

    mesh: Mesh
    instance: int
    s_at: Callable[[float], float]
    d: float
    facing: int
    """1 along the road, -1 against it."""


def _steadily(start: float, speed: float) -> Callable[[float], float]:
    return lambda time: start + speed * time


def park_vehicles(site: Site) -> None:
    """Fill the parking strips, the verges and the driveways."""
    for side, strip in ((LEFT, site.numbers.parking[0]), (RIGHT, site.numbers.parking[1])):
        if strip > 1.5:
            _parking_strip(site, side)
        else:
            _verge(site, side)
        if site.numbers.setback[1] > 4:
            _driveways(site, side)
    _side_road_cars(site)


def _parking_strip(site: Site, side: int) -> None:
    main, random = site.roads.main, site.random
    s = main.start
    while s < main.end - FREE_PLACE:
        if random.random() > site.numbers.parked_share:
            s += FREE_PLACE
            continue
        mesh, length = vehicle(site.scenery, False, random)
        middle = s + length / 2
        s += length + random.uniform(*PARKING_GAP)
        if not site.roads.junction(middle, side == LEFT, length / 2 + 1.5):
            _park(site, mesh, middle, side * (site.edge(side) - KERB_DISTANCE))


def _park(site: Site, mesh: Mesh, s: float, d: float, raised: float = 0.0) -> None:
    random = site.random
    point, heading = site.roads.main.at(np.array([s]), d + random.normal(0, 0.08))
    # On the left most cars look against our way, but not all.
    against = np.pi if (random.random() < (0.75 if d > 0 else 0.05)) else 0.0
    yaw = float(heading[0]) + against + random.normal(0, PARKED_TILT)
    resting = site.terrain.resting(float(point[0, 0]), float(point[0, 1]), yaw)
    resting[2, 3] += raised
    site.stand(mesh, resting)


def _verge(site: Site, side: int) -> None:
    main, random = site.roads.main, site.random
    has_pavement = site.numbers.pavement > 0
    share = site.numbers.parked_share * (PAVEMENT_PARKERS if has_pavement else 1)
    raised = KERB_HEIGHT if has_pavement else 0.0
    for s in np.arange(main.start + VERGE_SPACING, main.end - VERGE_SPACING, VERGE_SPACING):
        if random.random() < share:
            mesh, _ = vehicle(site.scenery, False, random)
            place = float(s) + random.uniform(-2, 2)
            if not site.roads.junction(place, side == LEFT, VERGE_SPACING / 2):
                _park(
                    site, mesh, place, side * (site.edge(side) + random.uniform(0.7, 1.3)), raised
                )


def _driveways(site: Site, side: int) -> None:
    """Cars that stand at right angles to the road, nose in or out."""
    main, random = site.roads.main, site.random
    s = main.start + random.uniform(*DRIVEWAY_SPACING)
    share = DRIVEWAY_SHARE * site.numbers.parked_share
    while s < main.end - 10:
        point = site.beside(s, side, site.numbers.pavement + random.uniform(2.6, 4.5))
        if random.random() < share and site.free(point, 2.5):
            mesh, _ = vehicle(site.scenery, False, random)
            yaw = site.outward(s, side) + (np.pi if random.random() < 0.5 else 0.0)
            site.stand(mesh, site.terrain.resting(float(point[0]), float(point[1]), yaw))
        s += random.uniform(*DRIVEWAY_SPACING)


def _side_road_cars(site: Site) -> None:
    random = site.random
    for road in site.roads.sides:
        for along in np.arange(max(site.roads.edge) + 8, road.length, 7.0):
            if random.random() < 0.6 * site.numbers.parked_share:
                side = random.choice([LEFT, RIGHT])
                point = road.at(float(along), side * (road.half_width - 0.7))
                mesh, _ = vehicle(site.scenery, False, random)
                resting = site.terrain.resting(float(point[0]), float(point[1]), road.heading)
                site.stand(mesh, resting)


def moving_vehicles(
    site: Site,
    ego_s_at: Callable[[float], float],
    duration: float,
    with_lead: bool,
    random: np.random.Generator,
) -> list[MovingVehicle]:
    """The vehicles in motion during a drive of `duration` seconds."""
    lane = site.numbers.lane
    fleet = []
    if with_lead:
        mesh, length = vehicle(site.scenery, True, random)
        gap = random.uniform(*LEAD_GAP) + length / 2
        phase = random.uniform(0, 2 * np.pi)
        fleet.append(
            MovingVehicle(
                mesh,
                site.scenery.instance(),
                lambda t: ego_s_at(t) + gap + LEAD_SWAY * float(np.sin(0.5 * t + phase)),
                -lane / 2 + random.uniform(-0.15, 0.15),
                facing=1,
            )
        )
    speed = random.uniform(*site.numbers.speed)
    start = random.uniform(*site.numbers.traffic_gap)
    while start < site.roads.main.end + speed * duration:
        mesh, _ = vehicle(site.scenery, True, random)
        fleet.append(
            MovingVehicle(
                mesh,
                site.scenery.instance(),
                _steadily(start, -speed),
                lane / 2 + random.uniform(-0.2, 0.2),
                facing=-1,
            )
        )
        start += random.uniform(*site.numbers.traffic_gap)
    return fleet


def vehicles_at(
    time: float, fleet: list[MovingVehicle], site: Site, ego_s: float
) -> tuple[Mesh, Int[np.ndarray, "p"]]:
    """The moving vehicles near the ego at a time, and the object number of each triangle."""
    main = site.roads.main
    meshes, instances = [], []
    for car in fleet:
        s = car.s_at(time)
        near = ego_s - SEEN_BEHIND < s < ego_s + SEEN_AHEAD
        if near and main.start + 2 < s < main.end - 2:
            mesh = car.mesh.moved(_pose(car, s, site))
            meshes.append(mesh)
            instances.append(np.full(len(mesh.surface), car.instance, np.int32))
    return joined(meshes), np.concatenate([np.zeros(0, np.int32), *instances])


def _pose(car: MovingVehicle, s: float, site: Site) -> Float[np.ndarray, "4 4"]:
    point, heading = site.roads.main.at(np.array([s]), car.d)
    yaw = float(heading[0]) + (0 if car.facing > 0 else np.pi)
    return site.terrain.resting(float(point[0, 0]), float(point[0, 1]), yaw)
