"""Candidate disparities of a rectified pair: semi-global matching at several settings [sgm].

The left image is the reference. For the right image as reference mirror both images, hand them
over in exchanged order, and mirror the result back.
"""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace

import cv2
import numpy as np
from jaxtyping import Int16, UInt8

_DISPARITY_MULTIPLE = 16
"""StereoSGBM takes ranges that are multiples of this."""


@dataclass(frozen=True, order=True)
class MatcherSetting:
    """One setting of OpenCV's StereoSGBM; the defaults are the published ones [depth-hints].

    Penalties are for a window of 3 whatever the block size: P1 = 4 * 3^2, P2 = 32 * 3^2. OpenCV's
    check of left against right stays as it is by default: one pixel of tolerance.

    Raises:
        ValueError: OpenCV has no such setting.
    """

    block_size: int
    num_disparities: int
    columns: int | None = None
    """Search these first columns only; None: all."""
    grey: bool = False
    """Match brightness instead of three colours, whose costs add up: penalties count threefold."""
    three_way: bool = False
    """Sum costs along three directions (OpenCV's 3WAY) instead of five in one pass."""
    p1: int = 36
    p2: int = 288
    pre_filter_cap: int = 63
    uniqueness_ratio: int = 10
    speckle_window: int = 100
    speckle_range: int = 16

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise ValueError(f"block_size: expected 1 or more, got {self.block_size}")
        if self.num_disparities < 1 or self.num_disparities % _DISPARITY_MULTIPLE:
            raise ValueError(
                f"num_disparities: expected a multiple of {_DISPARITY_MULTIPLE}, "
                f"got {self.num_disparities}"
            )
        if self.columns is not None and self.columns <= self.num_disparities:
            raise ValueError(
                f"columns: expected more than the {self.num_disparities} disparities, "
                f"got {self.columns}"
            )

    def __str__(self) -> str:
        changed = [
            field.name if value is True else f"{field.name}={value}"
            for field in fields(self)
            if field.default is not MISSING
            and (value := getattr(self, field.name)) != field.default
        ]
        return ",".join([f"{self.block_size}x{self.num_disparities}", *changed])

    @property
    def behaviour(self) -> "MatcherSetting":
        """The same for settings of the same result: OpenCV halves the block in whole numbers."""
        return replace(self, block_size=max(self.block_size // 2 * 2, 1))


UNSEARCHED = -1
"""Marks pixels beyond the columns of a setting: no candidate, where 0 is a search that failed."""

PUBLISHED_SETTINGS = tuple(
    MatcherSetting(block_size, num_disparities)
    for block_size in (1, 2, 3)
    for num_disparities in (64, 96, 128, 160)
)
"""The twelve settings of [depth-hints], of which eight differ: block sizes 2 and 3 are the same."""

PUBLISHED_SETTINGS_IN_PART = tuple(
    MatcherSetting(block_size, num_disparities, columns)
    for block_size in (1, 3)
    for num_disparities, columns in ((64, None), (96, 192), (128, 256), (160, None))
)
"""The eight that differ, the middle ranges only near the border at which the wider ones are blind.

Elsewhere a middle range repeats what the narrow and the wide one say: 98 % of the hints of
[depth-hints] stay as they are without it, at half the time (benchmarks/hints.md).
"""

DEFAULT_SETTINGS = tuple(
    MatcherSetting(block_size, num_disparities, grey=True, three_way=True)
    for block_size in (1, 3)
    for num_disparities in (64, 160)
)
"""Four matchers that leave 40 % fewer wrong or missing hints than those of [depth-hints], in a
third of the time that those take which differ (benchmarks/hints.md).
"""


def distinct(settings: Sequence[MatcherSetting]) -> tuple[MatcherSetting, ...]:
    """The first of each group of settings that give the same result."""
    first_of: dict[MatcherSetting, MatcherSetting] = {}
    for setting in settings:
        first_of.setdefault(setting.behaviour, setting)
    return tuple(first_of.values())


def match(
    target: UInt8[np.ndarray, "h w 3"],
    source: UInt8[np.ndarray, "h w 3"],
    setting: MatcherSetting,
) -> Int16[np.ndarray, "h w"]:
    """Disparity of a left target in sixteenths of a pixel, 0 = missing, or `UNSEARCHED`.

    The first `num_disparities` columns are always missing: there the search would leave the image.
    """
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=setting.num_disparities,
        blockSize=setting.block_size,
        P1=setting.p1,
        P2=setting.p2,
        preFilterCap=setting.pre_filter_cap,
        uniquenessRatio=setting.uniqueness_ratio,
        speckleWindowSize=setting.speckle_window,
        speckleRange=setting.speckle_range,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY if setting.three_way else cv2.STEREO_SGBM_MODE_SGBM,
    )
    searched = slice(setting.columns)
    pair = (_matchable(image[:, searched], setting) for image in (target, source))
    disparity = np.full(target.shape[:2], UNSEARCHED, np.int16)
    # OpenCV marks missing disparities by negative numbers.
    disparity[:, searched] = np.maximum(matcher.compute(*pair), 0)
    return disparity


def candidates(
    target: UInt8[np.ndarray, "h w 3"],
    source: UInt8[np.ndarray, "h w 3"],
    settings: Sequence[MatcherSetting],
) -> Int16[np.ndarray, "n h w"]:
    """`match` at each setting."""
    return np.stack([match(target, source, setting) for setting in settings])


def _matchable(image: UInt8[np.ndarray, "h w 3"], setting: MatcherSetting) -> np.ndarray:
    image = np.ascontiguousarray(image)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if setting.grey else image
