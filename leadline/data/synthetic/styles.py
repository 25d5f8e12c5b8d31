"""The numbers that tell a country road from a street: one table row per style."""

from dataclasses import dataclass, replace

import numpy as np

from leadline.data.synthetic.settings import Style

Range = tuple[float, float]


@dataclass(frozen=True)
class StyleNumbers:
    """How a drive of one style is laid out. Metres unless said; a pair is a range to draw from."""

    lane: float
    """Width of each of the two lanes."""
    parking: tuple[float, float]
    """Width of the parking strips left and right of the lanes."""
    pavement: float
    """Width of the raised pavement; 0 = none, and no kerb."""
    curve_radius: Range
    curve_length: Range
    straight_length: Range
    junction_spacing: Range
    slope: float
    """Typical steepness of the hills, rise over run."""
    relief: float
    """Height of the banks and hollows beside the road."""
    lot_width: Range
    """Frontage of the pieces of land along the road."""
    built_share: float
    """Share of the lots that carry a house."""
    blank_share: float
    """Share of the lots behind a textureless wall."""
    setback: Range
    """From the edge of the pavement to the house; small ones are more common."""
    storeys: tuple[int, int]
    enclosed_share: float
    """Share of the lots with a fence, hedge or low wall at their front."""
    parked_share: float
    """Share of the parking places taken (on roads without them: of the verge)."""
    tree_spacing: Range
    tree_height: Range
    garden_trees: float
    """Mean number of trees and bushes on a lot."""
    lamp_spacing: Range
    sign_spacing: Range
    traffic_gap: Range
    """Between oncoming vehicles."""
    speed: Range
    """Of the ego vehicle, metres per second."""


STYLES: dict[Style, StyleNumbers] = {
    Style.URBAN: StyleNumbers(
        lane=3.2,
        parking=(2.1, 2.1),
        pavement=2.4,
        curve_radius=(70, 180),
        curve_length=(25, 50),
        straight_length=(30, 90),
        junction_spacing=(45, 90),
        slope=0.015,
        relief=0.0,
        lot_width=(9, 22),
        built_share=0.62,
        blank_share=0.11,
        setback=(0.3, 14),
        storeys=(2, 5),
        enclosed_share=0.3,
        parked_share=0.72,
        tree_spacing=(11, 30),
        tree_height=(5, 9),
        garden_trees=0.6,
        lamp_spacing=(18, 30),
        sign_spacing=(12, 30),
        traffic_gap=(14, 50),
        speed=(5, 9),
    ),
    Style.SUBURB: StyleNumbers(
        lane=2.8,
        parking=(2.0, 0.4),
        pavement=1.8,
        curve_radius=(55, 130),
        curve_length=(25, 60),
        straight_length=(20, 60),
        junction_spacing=(50, 110),
        slope=0.03,
        relief=0.4,
        lot_width=(11, 20),
        built_share=0.6,
        blank_share=0.11,
        setback=(2.5, 18),
        storeys=(1, 3),
        enclosed_share=0.75,
        parked_share=0.5,
        tree_spacing=(9, 22),
        tree_height=(4, 9),
        garden_trees=1.2,
        lamp_spacing=(20, 34),
        sign_spacing=(16, 40),
        traffic_gap=(25, 90),
        speed=(6, 10),
    ),
    Style.COUNTRY: StyleNumbers(
        lane=2.9,
        parking=(0.6, 0.6),
        pavement=0.0,
        curve_radius=(60, 160),
        curve_length=(30, 80),
        straight_length=(15, 50),
        junction_spacing=(90, 200),
        slope=0.045,
        relief=1.6,
        lot_width=(14, 34),
        built_share=0.22,
        blank_share=0.08,
        setback=(5, 25),
        storeys=(1, 2),
        enclosed_share=0.6,
        parked_share=0.1,
        tree_spacing=(5, 16),
        tree_height=(5, 11),
        garden_trees=2.2,
        lamp_spacing=(28, 42),
        sign_spacing=(18, 45),
        traffic_gap=(25, 80),
        speed=(9, 14),
    ),
}

VARIED_SHARES = ("built_share", "blank_share", "enclosed_share", "parked_share", "garden_trees")
VARIED_LENGTHS = ("lane", "pavement", "slope", "relief")


def numbers_of_drive(style: Style, random: np.random.Generator) -> StyleNumbers:
    """The style's numbers, varied so that no two drives of a style are alike."""
    base = STYLES[style]
    shares = {name: getattr(base, name) * random.uniform(0.75, 1.2) for name in VARIED_SHARES}
    lengths = {name: getattr(base, name) * random.uniform(0.9, 1.15) for name in VARIED_LENGTHS}
    return replace(base, **shares, **lengths)
