"""The land along the road, lot by lot: houses, blank walls, gardens, fences, woods behind.

Measures without a name are metres, shares without a name are odds, both chosen by eye.
"""

from collections.abc import Callable

import numpy as np

from leadline.data.synthetic.buildings import House, blank_wall, house
from leadline.data.synthetic.mesh import Mesh
from leadline.data.synthetic.scenery import Scenery
from leadline.data.synthetic.site import LEFT, RIGHT, Site
from leadline.data.synthetic.thin import (
    bar_fence,
    guard_rail,
    rail_fence,
    slat_fence,
    wire_fence,
)
from leadline.data.synthetic.vegetation import ROUGH, hedge

PANEL = 4.0
"""Length of a piece of fence: short enough to follow curves and slopes."""
HOUSE_DEPTH = (7.0, 11.0)
STOREY_HEIGHT = (2.7, 3.4)
BLANK_LENGTH_SHARE = (0.6, 0.95)
BLANK_HEIGHT = (2.2, 6.0)
HEDGE_HEIGHT = (0.8, 1.8)
WOODS_DISTANCE = (22.0, 110.0)
WOODS_SPACING = 7.0
Long = Callable[[float, Scenery, np.random.Generator], Mesh]
FENCES: tuple[Long, ...] = (slat_fence, rail_fence, wire_fence, bar_fence)


def build_lots(site: Site) -> None:
    """All the land on both sides of the main road, along the side roads, and behind."""
    for side in (LEFT, RIGHT):
        _line_with_lots(site, side)
        _roadside_trees(site, side)
        _woods(site, side)
    _line_side_roads(site)
    _close_the_end(site)


def _line_with_lots(site: Site, side: int) -> None:
    main, numbers, random = site.roads.main, site.numbers, site.random
    s = main.start
    while s < main.end - max(numbers.lot_width):
        width = random.uniform(*numbers.lot_width)
        middle = s + width / 2
        s += width
        if site.roads.junction(middle, side == LEFT, width / 2):
            continue
        draw = random.random()
        if draw < numbers.built_share:
            _built_lot(site, side, middle, width)
        elif draw < numbers.built_share + numbers.blank_share:
            _blank_lot(site, side, middle, width)
        _garden(site, side, middle, width)
        if random.random() < numbers.enclosed_share:
            _enclosure(site, side, middle, width)


def _built_lot(site: Site, side: int, s: float, width: float) -> None:
    numbers, random = site.numbers, site.random
    dense = numbers.setback[0] < 1
    measures = House(
        width=width - (random.uniform(0, 1.5) if dense else random.uniform(2, 5)),
        depth=random.uniform(*HOUSE_DEPTH),
        storeys=int(random.integers(numbers.storeys[0], numbers.storeys[1] + 1)),
        storey_height=random.uniform(*STOREY_HEIGHT),
        pitched=random.random() < 0.75,
    )
    # Most houses stand near the front line, a few far behind it.
    near, far = numbers.setback
    front = numbers.pavement + near + (far - near) * random.random() ** 2
    point, yaw = site.beside(s, side, front), site.outward(s, side)
    yaw += 0 if dense else random.normal(0, 0.12)
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    across = np.array([-ahead[1], ahead[0]]) * measures.width / 2
    corners = [
        point + across,
        point - across,
        point + across + ahead * measures.depth,
        point - across + ahead * measures.depth,
    ]
    if all(site.free(corner, 0.8) for corner in corners):
        site.stand(house(measures, site.scenery, random), site.upright(point, yaw))


def _blank_lot(site: Site, side: int, s: float, width: float) -> None:
    random = site.random
    length = width * random.uniform(*BLANK_LENGTH_SHARE)
    point = site.beside(s, side, site.numbers.pavement + random.uniform(0.3, 4.0))
    if site.free(point, length / 4):
        wall = blank_wall(length, random.uniform(*BLANK_HEIGHT), site.scenery, random)
        site.stand(wall, site.upright(point, site.outward(s, side)))


def _garden(site: Site, side: int, s: float, width: float) -> None:
    """Trees and bushes on a lot, and now and then a hedge across it."""
    numbers, random = site.numbers, site.random
    for _ in range(random.poisson(numbers.garden_trees)):
        offset = numbers.pavement + random.uniform(0.8, 14)
        point = site.beside(s + random.uniform(-0.5, 0.5) * width, side, offset)
        if not site.free(point, 0.8):
            continue
        if random.random() < 0.45:
            mesh = site.nursery.tree(random.uniform(*numbers.tree_height), random)
        else:
            mesh = site.nursery.bush(random.uniform(0.4, 1.3), random)
        site.stand(mesh, site.upright(point, 0.0))
    if random.random() < 0.3:
        _boundary(site, side, s + width / 2)


def _boundary(site: Site, side: int, s: float) -> None:
    """A fence or hedge that leads away from the road."""
    random = site.random
    panel = _some_fence(site)
    for offset in site.numbers.pavement + 0.6 + PANEL * (0.5 + np.arange(random.integers(1, 5))):
        point = site.beside(s, side, float(offset))
        yaw = site.outward(s, side) + np.pi / 2
        if site.free(point, PANEL / 2):
            site.stand(panel, site.along_slope(point, yaw, PANEL))


def _enclosure(site: Site, side: int, s: float, width: float) -> None:
    """A fence, hedge or rail along the front of a lot, with a gate left open."""
    numbers, random = site.numbers, site.random
    offset = (numbers.pavement if numbers.pavement > 0 else 1.5) + random.uniform(0.15, 1.2)
    panel = _some_fence(site)
    gate = random.uniform(-0.5, 0.5) * width
    for y in np.arange(-width / 2 + PANEL / 2, width / 2, PANEL):
        place = s + float(y)
        point = site.beside(place, side, offset)
        if abs(y - gate) > PANEL / 2 and site.free(point, 0.4):
            matrix = site.along_slope(point, site.outward(place, side), PANEL)
            site.stand(panel, matrix)


def _some_fence(site: Site) -> Mesh:
    """A panel of fence or hedge, to be stood in a row."""
    random = site.random
    draw = random.random()
    height = random.uniform(*HEDGE_HEIGHT)
    style = FENCES[random.integers(len(FENCES))]
    if draw < 0.15 and site.numbers.pavement == 0:
        style = guard_rail

    if draw > 0.7:
        return hedge(PANEL, height, site.scenery, random)
    return style(PANEL, site.scenery, random)


def _roadside_trees(site: Site, side: int) -> None:
    numbers, random, main = site.numbers, site.random, site.roads.main
    s = main.start + random.uniform(*numbers.tree_spacing)
    while s < main.end:
        offset = random.uniform(0.5, 0.8) if numbers.pavement > 0 else random.uniform(1.6, 6)
        point = site.beside(s, side, offset)
        if random.random() < 0.7 and site.free(point, 0.4):
            mesh = site.nursery.tree(random.uniform(*numbers.tree_height), random)
            site.stand(mesh, site.upright(point, random.uniform(0, 2 * np.pi)))
        s += random.uniform(*numbers.tree_spacing)


def _woods(site: Site, side: int) -> None:
    """Scattered trees behind the lots, so that gaps look out on something."""
    main, random = site.roads.main, site.random
    for s in np.arange(main.start, main.end, WOODS_SPACING):
        point = site.beside(float(s), side, random.uniform(*WOODS_DISTANCE))
        if site.free(point, 8.0):
            mesh = site.nursery.tree(random.uniform(5, 12), random, ROUGH)
            site.stand(mesh, site.upright(point, random.uniform(0, 2 * np.pi)))


def _line_side_roads(site: Site) -> None:
    """Trees, bushes and houses along the side roads, and something at their ends."""
    random = site.random
    for road in site.roads.sides:
        first = max(site.roads.edge) + 14
        for along in np.arange(first, road.length, 9.0):
            for side in (LEFT, RIGHT):
                draw = random.random()
                d = side * (road.half_width + random.uniform(1.5, 5))
                point = road.at(float(along), d)
                if draw < 0.35:
                    mesh = site.nursery.tree(
                        random.uniform(*site.numbers.tree_height), random, ROUGH
                    )
                elif draw < 0.6:
                    mesh = site.nursery.bush(random.uniform(0.5, 1.4), random)
                elif draw < 0.8 and site.numbers.built_share > 0.5:
                    size = House(8.0, 8.0, int(random.integers(1, 4)), 3.0, True)
                    mesh = house(size, site.scenery, random)
                    point = road.at(float(along), side * (road.half_width + 4))
                else:
                    continue
                if site.free(point, 1.2):
                    site.stand(mesh, site.upright(point, road.heading + side * np.pi / 2))
        end = road.at(road.length + 4, 0.0)
        if site.free(end, 3.0):
            size = House(12.0, 8.0, 2, 3.0, True)
            site.stand(house(size, site.scenery, random), site.upright(end, road.heading))


def _close_the_end(site: Site) -> None:
    """A wood across the end of the main road."""
    main, random = site.roads.main, site.random
    heading = main.heading[-1]
    ahead = np.array([np.cos(heading), np.sin(heading)])
    for d in np.arange(-40, 40, 4.0):
        point = (
            main.points[-1] + ahead * random.uniform(6, 25) + d * np.array([-ahead[1], ahead[0]])
        )
        mesh = site.nursery.tree(random.uniform(7, 13), random, ROUGH)
        site.stand(mesh, site.upright(point, 0.0))
