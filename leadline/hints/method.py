"""How a set of hints is made: everything that decides their values, as recorded in each file."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from leadline.hints.consistent import KINDS, SMALLEST, VERSION, ConsistentSetting
from leadline.hints.match import (
    DEFAULT_SETTINGS,
    PUBLISHED_SETTINGS,
    PUBLISHED_SETTINGS_IN_PART,
    MatcherSetting,
    distinct,
)

Mode = Literal["consistent", "valid", "published", "single", "random"]
PUBLISHED_SIZE = (320, 1024)
"""(h, w) at which [depth-hints] matches, whatever the size of training."""
CONFIDENCE_KEY = "confidence"
"""Entry in the text of a hint file that has a file of confidence beside it."""
_DEFAULT_SETTINGS_OF: dict[Mode, tuple[MatcherSetting, ...]] = {
    "valid": DEFAULT_SETTINGS,
    "published": PUBLISHED_SETTINGS_IN_PART,
    "single": (MatcherSetting(3, 64, grey=True, three_way=True),),
    "random": PUBLISHED_SETTINGS,
}


@dataclass(frozen=True)
class HintMethod:
    """Mode, settings, size and seed of a set of hints.

    `consistent`: both views matched at once, kept where they agree, with a confidence.
    `valid`: per pixel the candidate that explains it best, of four matchers chosen for quality.
    `published`: the matchers of [depth-hints], and its slip that a missing candidate can win.
    `single`: one matcher. `random`: one of the twelve published settings, drawn per image.
    `settings` are those of OpenCV's matchers, which all modes but `consistent` use; left empty,
    they are the mode's own. `size` is (h, w); `seed` matters to `random` only.

    Departure: `consistent`, the default, is a matcher of our own. `valid` matches brightness along
    three directions, [depth-hints] colour along five. `published` searches the middle ranges near
    the border only; give it `settings=PUBLISHED_SETTINGS` to search everything as published.

    Raises:
        ValueError: an unknown mode, no room for the disparities, several settings for `single`,
            settings of another mode, or a negative seed.
    """

    mode: Mode = "consistent"
    settings: tuple[MatcherSetting, ...] = ()
    size: tuple[int, int] = PUBLISHED_SIZE
    seed: int = 0
    consistent: ConsistentSetting = field(default_factory=ConsistentSetting)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {self.seed}")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode: expected one of {get_args(Mode)}, got {self.mode!r}")
        if self.mode == "consistent":
            self._check_consistent()
        else:
            self._check_matchers()

    def _check_consistent(self) -> None:
        if self.settings:
            raise ValueError("mode consistent: expected none of OpenCV's matchers; choose valid")
        if min(self.size) < SMALLEST:
            raise ValueError(
                f"size: expected {SMALLEST}x{SMALLEST} or more, got {self.size[1]}x{self.size[0]}"
            )

    def _check_matchers(self) -> None:
        if self.consistent != ConsistentSetting():
            raise ValueError(f"mode {self.mode}: expected no settings of the mode consistent")
        if not self.settings:
            object.__setattr__(self, "settings", _DEFAULT_SETTINGS_OF[self.mode])
        if self.mode == "single" and len(self.settings) != 1:
            raise ValueError(f"mode single: expected one setting, got {len(self.settings)}")
        if self.size[1] <= self.reach or self.size[0] < 2:
            raise ValueError(
                f"size: expected a width above the {self.reach} disparities searched and a height "
                f"of 2 or more, got {self.size[1]}x{self.size[0]}; choose a larger size, or "
                "matchers of fewer disparities"
            )

    @property
    def reach(self) -> int:
        """Disparities searched, in pixels of the width of `size`."""
        if self.mode == "consistent":
            return self.consistent.matching.num_disparities
        return max(setting.num_disparities for setting in self.settings)

    def choices_for(self, image_id: str) -> tuple[str, ...]:
        """What `ViewHint.choice` counts for one image."""
        if self.mode == "consistent":
            return KINDS
        return tuple(str(setting) for setting in self.settings_for(image_id))

    def settings_for(self, image_id: str) -> tuple[MatcherSetting, ...]:
        """The matchers to run for one image: those that differ, or the one drawn for it.

        The draw is counted from (seed, image id), so that resumed and shared runs agree.
        """
        if self.mode != "random":
            return distinct(self.settings)
        draw = np.random.default_rng([self.seed, *image_id.encode()])
        return (self.settings[int(draw.integers(len(self.settings)))],)

    def recorded(self) -> dict[str, str]:
        """What a hint file says about itself."""
        if self.mode == "consistent":
            matchers = f"semi-global, both views, version {VERSION}: {self.consistent}"
        else:
            matchers = "StereoSGBM " + " ".join(str(setting) for setting in self.settings)
        texts = {
            "hints": self.mode,
            "matchers": matchers,
            "images": f"RGB, resized to {self.size[1]}x{self.size[0]} by Lanczos",
            "unit": "disparity x 256 in pixels at the width of this file, 0 = missing",
        }
        if self.mode == "consistent":
            texts[CONFIDENCE_KEY] = "255ths in the folder confidence, 0 = no hint, or filled in"
        return texts | ({"seed": str(self.seed)} if self.mode == "random" else {})
