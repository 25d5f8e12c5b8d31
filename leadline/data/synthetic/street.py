"""What belongs to the street itself: ground, kerbs, pavements, lamps, signs, bollards.

Measures without a name are metres, chosen by eye.
"""

import numpy as np

from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.mesh import Mesh, loft
from leadline.data.synthetic.scenery import Material, Surface
from leadline.data.synthetic.site import LEFT, RIGHT, Site
from leadline.data.synthetic.thin import bollard, lamp_post, road_sign, telegraph_pole

KERB_HEIGHT = 0.13
KERB_DEPTH = 0.5
"""Metres that kerbs and pavements reach below their top, so that no gap opens on a slope."""
KERB_COLOUR = (0.36, 0.36, 0.35)
PAVEMENT_COLOURS = ((0.30, 0.29, 0.27), (0.24, 0.24, 0.25), (0.33, 0.26, 0.22))
STRIP_STEP = 1.0
JUNCTION_MARGIN = 0.6


def build_street(site: Site) -> None:
    """Ground, kerbs, pavements and the posts along the road."""
    ground = site.scenery.surface(Surface(Material.GROUND, Kind.TERRAIN, (0.2, 0.2, 0.2)))
    site.scenery.add(site.terrain.mesh(ground))
    for side in (LEFT, RIGHT):
        if site.numbers.pavement > 0:
            _pavements(site, side)
        _lamps(site, side)
        _signs(site, side)
        _bollards(site, side)


def _pavements(site: Site, side: int) -> None:
    """Strips between the junctions of one side."""
    random = site.random
    tile = random.uniform(0.3, 0.6)
    paving = site.scenery.surface(
        Surface(
            Material.PAVING,
            Kind.PAVEMENT,
            PAVEMENT_COLOURS[random.integers(len(PAVEMENT_COLOURS))],
            numbers=(tile,),
        )
    )
    kerb = site.scenery.surface(
        Surface(Material.KERB, Kind.PAVEMENT, KERB_COLOUR, numbers=(random.uniform(0.8, 1.2),))
    )
    main = site.roads.main
    stations = np.arange(main.start + 1, main.end - 1, STRIP_STEP)
    open_here = np.array(
        [not site.roads.junction(float(s), side == LEFT, JUNCTION_MARGIN) for s in stations]
    )
    breaks = np.flatnonzero(np.diff(open_here.astype(int))) + 1
    for run in np.split(np.arange(len(stations)), breaks):
        if len(run) > 1 and open_here[run[0]]:
            site.scenery.add(_strip(site, side, stations[run], paving, kerb))


def _strip(site: Site, side: int, stations: np.ndarray, paving: int, kerb: int) -> Mesh:
    """A raised strip: kerb face, kerb stone, paving and back edge, lofted along the road."""
    profile = np.array(
        [
            (0.0, -KERB_DEPTH),
            (0.0, KERB_HEIGHT),
            (0.15, KERB_HEIGHT),
            (site.numbers.pavement, KERB_HEIGHT + 0.03),
            (site.numbers.pavement, -KERB_DEPTH),
        ]
    )
    if side == RIGHT:
        profile = profile[::-1]
    rings = np.empty((len(stations), len(profile), 3))
    for column, (offset, rise) in enumerate(profile):
        d = side * (site.edge(side) + offset)
        points, _ = site.roads.main.at(stations, d)
        kerb_line, _ = site.roads.main.at(stations, side * site.edge(side))
        level = site.terrain.height(kerb_line if offset < 1 else points)
        rings[:, column] = np.concatenate([points, (level + rise)[:, None]], axis=1)
    faces = [kerb, kerb, paving, paving]
    if side == RIGHT:
        faces = faces[::-1]
    names = np.tile(np.array(faces, np.int32), (len(stations) - 1, 1))
    return loft(rings, names, closed=False)


def _stations(site: Site, spacing: tuple[float, float]) -> list[float]:
    """Places along the road, drawn one after the other."""
    main, random = site.roads.main, site.random
    places = []
    s = main.start + random.uniform(0, spacing[1])
    while s < main.end - 1:
        places.append(float(s))
        s += random.uniform(*spacing)
    return places


def _post_offset(site: Site) -> float:
    """Posts stand on the pavement near the kerb, or on the verge."""
    return 0.45 if site.numbers.pavement > 0 else 1.2


def _lamps(site: Site, side: int) -> None:
    has_lamps = site.numbers.pavement > 0
    for s in _stations(site, site.numbers.lamp_spacing):
        point = site.beside(s, side, _post_offset(site) + (0 if has_lamps else 1.5))
        if not site.free(point, 0.3):
            continue
        inward = site.outward(s, side) + np.pi
        mesh = (lamp_post if has_lamps else telegraph_pole)(site.scenery, site.random)
        site.stand(mesh, site.upright(point, inward if has_lamps else inward + np.pi / 2))


def _signs(site: Site, side: int) -> None:
    for s in _stations(site, site.numbers.sign_spacing):
        point = site.beside(s, side, _post_offset(site) + site.random.uniform(0, 0.4))
        if site.free(point, 0.3):
            travel = site.outward(s, side) - side * np.pi / 2 + (np.pi if side == LEFT else 0)
            turn = site.random.uniform(-0.15, 0.15)
            site.stand(road_sign(site.scenery, site.random), site.upright(point, travel + turn))


def _bollards(site: Site, side: int) -> None:
    """Short rows of them, here and there."""
    for start in _stations(site, (25.0, 80.0)):
        for s in start + np.arange(site.random.integers(3, 9)) * site.random.uniform(1.4, 3.0):
            if s >= site.roads.main.end:
                break
            point = site.beside(float(s), side, _post_offset(site) - 0.1)
            if site.free(point, 0.2):
                site.stand(bollard(site.scenery, site.random), site.upright(point, 0.0))
