"""Painters of what people build: facades, walls, roofs, paving, wood, metal, cars, signs.

Factors without a name are contrasts, chosen by eye.
"""

import numpy as np
from jaxtyping import Float

from leadline.data.synthetic.noise import Noise, band, doublings, stripes, visible_share
from leadline.data.synthetic.painting import FINE, Spots, cell_tone, grainy, mixed, tinted

Albedo = Float[np.ndarray, "p 3"]
MORTAR = np.array([0.40, 0.38, 0.34], np.float32)
MORTAR_SHARE = 0.14
SILL = 0.9
FRAME = 0.09
MULLION = 0.05
PANE_DARK = np.array([0.030, 0.036, 0.045], np.float32)
PANE_SKY = np.array([0.20, 0.24, 0.30], np.float32)
CURTAIN = np.array([0.42, 0.40, 0.36], np.float32)
STREAKS = doublings(0.4, 6.4)


def _courses(spots: Spots, noise: Noise, height: np.ndarray, width: np.ndarray) -> Albedo:
    """Brickwork with joints; plain render where the course height is 0."""
    render = tinted(spots.colour, grainy(spots, noise, 0.11 * spots.texture))
    laid = height > 0
    if not laid.any():
        return render
    height, width = np.where(laid, height, 1), np.where(laid, width, 1)
    tone = 1 + 0.35 * spots.texture * cell_tone(spots, noise, width, height)
    shifted = spots.u / width + 0.5 * (np.floor(spots.v / height) % 2)
    joints = np.maximum(
        stripes(spots.v, height, MORTAR_SHARE * height, spots.footprint),
        stripes(shifted, 1.0, MORTAR_SHARE / 3, spots.footprint / width),
    )
    mortar = np.broadcast_to(MORTAR, render.shape)
    bricks = mixed(tinted(render, tone), mortar, joints * spots.texture)
    return np.where(laid[:, None], bricks, render)


def wall(spots: Spots, noise: Noise) -> Albedo:
    """A wall without openings. numbers: course height, brick width (0 = render)."""
    bricks = _courses(spots, noise, spots.numbers[:, 0], spots.numbers[:, 1])
    return tinted(bricks, _streaks(spots, noise))


def _streaks(spots: Spots, noise: Noise) -> Float[np.ndarray, "p"]:
    """Rain marks: noise drawn out downwards."""
    waves = noise.octaves(spots.u, spots.v * 0.2, spots.footprint, STREAKS)
    return 1 + 0.10 * spots.texture * waves


def facade(spots: Spots, noise: Noise) -> Albedo:
    """A wall with rows of windows and a plinth.

    numbers: storey height, window spacing, window width, window height, course height, wall top.
    """
    storey, spacing, width, height, course, top = spots.numbers[:, :6].T
    f = spots.footprint
    colour = tinted(_courses(spots, noise, course, 3 * course), _streaks(spots, noise))
    colour = mixed(colour, 0.45 * spots.colour, band(spots.v, -100.0, 0.45, f))
    colour = mixed(colour, 0.7 * colour, stripes(spots.v, storey, 0.12, f))

    # Windows sit in the middle of cells of one storey by one spacing; none above the top.
    x, y = spots.u + spacing / 2, spots.v
    column, row = np.floor(x / spacing), np.floor(y / storey)
    inside = (row >= 0) & ((row + 1) * storey <= top + 0.01)
    left, low = (spacing - width) / 2, np.minimum(SILL, storey - height - 0.3)

    def opening(margin: float) -> np.ndarray:
        across = stripes(x - left + margin, spacing, width + 2 * margin, f)
        upward = stripes(y - low + margin, storey, height + 2 * margin, f)
        return np.where(inside, across * upward, 0)

    colour = mixed(colour, spots.accent, opening(FRAME))
    tone = noise.cell(column.astype(np.int64), row.astype(np.int64) + 7)
    tone = tone * visible_share(np.minimum(spacing, storey), f)
    pane = _panes((y - row * storey - low) / height, tone)
    colour = mixed(colour, pane, opening(0.0))
    bars = stripes(x - spacing / 2 + MULLION / 2, spacing, MULLION, f) * opening(0.0)
    return mixed(colour, spots.accent, bars)


def _panes(height: np.ndarray, tone: np.ndarray) -> Albedo:
    """Glass of one window: dark below, sky above, curtains in some."""
    bright = np.clip(height, 0, 1) * np.clip(0.5 + 0.5 * tone, 0, 1)
    glass = PANE_DARK + (PANE_SKY - PANE_DARK) * bright[:, None]
    curtain = np.clip((tone - 0.35) * 4, 0, 0.8) * (height > 0.35)
    return mixed(glass, np.broadcast_to(CURTAIN, glass.shape), curtain)


def plain(spots: Spots, noise: Noise) -> Albedo:
    """One flat colour."""
    return spots.colour


def roof(spots: Spots, noise: Noise) -> Albedo:
    """Rows of tiles. numbers: height of a row."""
    row = spots.numbers[:, 0]
    tone = 1 + 0.3 * spots.texture * cell_tone(spots, noise, 0.8 * row, row)
    shade = 1 - 0.45 * spots.texture * stripes(spots.v, row, 0.2 * row, spots.footprint)
    return tinted(spots.colour, tone * shade * grainy(spots, noise, 0.12 * spots.texture))


def paving(spots: Spots, noise: Noise) -> Albedo:
    """Slabs with dark joints. numbers: side of a slab."""
    side = spots.numbers[:, 0]
    tone = 1 + 0.22 * spots.texture * cell_tone(spots, noise, side, side)
    shifted = spots.u + 0.5 * side * (np.floor(spots.v / side) % 2)
    joints = np.maximum(
        stripes(spots.v, side, 0.02, spots.footprint),
        stripes(shifted, side, 0.02, spots.footprint),
    )
    tone = tone * (1 - 0.6 * spots.texture * joints)
    return tinted(spots.colour, tone * grainy(spots, noise, 0.13 * spots.texture))


def kerb(spots: Spots, noise: Noise) -> Albedo:
    """Long stones, butted. numbers: length of a stone."""
    joint = stripes(spots.v, spots.numbers[:, 0], 0.025, spots.footprint)
    tone = 1 - 0.6 * spots.texture * joint
    return tinted(spots.colour, tone * grainy(spots, noise, 0.14 * spots.texture))


def wood(spots: Spots, noise: Noise) -> Albedo:
    """Boards: grain drawn out along v."""
    grain = noise.octaves(spots.u * 4, spots.v * 0.5, spots.footprint * 2, FINE)
    return tinted(spots.colour, np.clip(1 + 0.16 * grain, 0.3, 2))


def metal(spots: Spots, noise: Noise) -> Albedo:
    """Painted or galvanised steel: a little mottled."""
    return tinted(spots.colour, grainy(spots, noise, 0.06))


def paint(spots: Spots, noise: Noise) -> Albedo:
    """Car paint with a film of dirt that thins upwards."""
    return tinted(spots.colour, grainy(spots, noise, 0.045))


def glass(spots: Spots, noise: Noise) -> Albedo:
    """Car windows: dark, with blurred patches of what they mirror, fixed to the glass."""
    patches = noise.octaves(spots.u, spots.v, spots.footprint, doublings(0.1, 0.8))
    return tinted(spots.colour, np.clip(1.6 + 1.1 * patches, 0.4, 5))


def sign(spots: Spots, noise: Noise) -> Albedo:
    """A board with a rim and a bar across. numbers: radius, 1 if round and 0 if square."""
    radius, is_round = spots.numbers[:, 0], spots.numbers[:, 1] > 0
    out = np.where(
        is_round, np.hypot(spots.u, spots.v), np.maximum(np.abs(spots.u), np.abs(spots.v))
    )
    rim = band(out, 0.78 * radius, 2 * radius, spots.footprint)
    bar = band(spots.v, -0.16 * radius, 0.16 * radius, spots.footprint)
    bar = bar * band(spots.u, -0.55 * radius, 0.55 * radius, spots.footprint)
    return mixed(spots.colour, spots.accent, np.maximum(rim, bar))
