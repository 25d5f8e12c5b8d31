"""How a set of hints is made: everything that decides their values, as recorded in each file."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from leadline.hints.match import (
    DEFAULT_SETTINGS,
    PUBLISHED_SETTINGS,
    PUBLISHED_SETTINGS_IN_PART,
    MatcherSetting,
    distinct,
)

Mode = Literal["valid", "published", "single", "random"]
PUBLISHED_SIZE = (320, 1024)
"""(h, w) at which [depth-hints] matches, whatever the size of training."""
_DEFAULT_SETTINGS_OF: dict[Mode, tuple[MatcherSetting, ...]] = {
    "valid": DEFAULT_SETTINGS,
    "published": PUBLISHED_SETTINGS_IN_PART,
    "single": (MatcherSetting(3, 64, grey=True, three_way=True),),
    "random": PUBLISHED_SETTINGS,
}


@dataclass(frozen=True)
class HintMethod:
    """Mode, matcher settings, size and seed of a set of hints.

    `valid`: per pixel the candidate that explains it best, of four matchers chosen for quality.
    `published`: the matchers of [depth-hints], and its slip that a missing candidate can win.
    `single`: one matcher. `random`: one of the twelve published settings, drawn per image.
    `settings` left empty are those of the mode; `size` is (h, w); `seed` matters to `random` only.

    Departure: `valid`, the default, matches brightness along three directions, [depth-hints] colour
    along five. `published` searches the middle ranges near the border only; give it
    `settings=PUBLISHED_SETTINGS` to search everything as published.

    Raises:
        ValueError: an unknown mode, no room for the disparities, several settings for `single`, or
            a negative seed.
    """

    mode: Mode = "valid"
    settings: tuple[MatcherSetting, ...] = ()
    size: tuple[int, int] = PUBLISHED_SIZE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {self.seed}")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode: expected one of {get_args(Mode)}, got {self.mode!r}")
        if not self.settings:
            object.__setattr__(self, "settings", _DEFAULT_SETTINGS_OF[self.mode])
        if self.mode == "single" and len(self.settings) != 1:
            raise ValueError(f"mode single: expected one setting, got {len(self.settings)}")
        widest = max(setting.num_disparities for setting in self.settings)
        if self.size[1] <= widest or self.size[0] < 2:
            raise ValueError(
                f"size: expected a width above the {widest} disparities searched and a height of "
                f"2 or more, got {self.size[1]}x{self.size[0]}; choose a larger size or settings "
                "with fewer disparities"
            )

    def settings_for(self, image_id: str) -> tuple[MatcherSetting, ...]:
        """The settings to run for one image: those that differ, or the one drawn for it.

        The draw is counted from (seed, image id), so that resumed and shared runs agree.
        """
        if self.mode != "random":
            return distinct(self.settings)
        draw = np.random.default_rng([self.seed, *image_id.encode()])
        return (self.settings[int(draw.integers(len(self.settings)))],)

    def recorded(self) -> dict[str, str]:
        """What a hint file says about itself."""
        texts = {
            "hints": self.mode,
            "matchers": "StereoSGBM " + " ".join(str(setting) for setting in self.settings),
            "images": f"RGB, resized to {self.size[1]}x{self.size[0]} by Lanczos",
            "unit": "disparity x 256 in pixels at the width of this file, 0 = missing",
        }
        return texts | ({"seed": str(self.seed)} if self.mode == "random" else {})
