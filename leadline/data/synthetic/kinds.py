"""What the pixels of a synthetic world show: the legend of the `kinds` pictures."""

from enum import IntEnum


class Kind(IntEnum):
    """The kind of thing at a pixel's centre; the value is the grey level in `kinds/`."""

    SKY = 0
    ROAD = 1
    PAVEMENT = 2
    TERRAIN = 3
    BUILDING = 4
    TEXTURELESS_WALL = 5
    VEHICLE = 6
    MOVING_VEHICLE = 7
    POLE = 8
    SIGN = 9
    FENCE = 10
    TRUNK = 11
    FOLIAGE = 12


def legend() -> dict[str, int]:
    """Names and values as `world.json` lists them."""
    return {kind.name.lower(): int(kind) for kind in Kind}
