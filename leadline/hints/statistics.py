"""Figures of a whole set of hints, read from its files: it does not matter which run made them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from leadline.data.depth_files import read_disparity, settings_of_whole
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, Quality

Side = Literal["left", "right"]
MOST_VIEWS_READ = 2000
"""Whose pixels are read, spread evenly over the set; figures in the files' heads are read of all.
Five milliseconds each."""
BINS_PER_PIXEL = 16
"""Of the disparities that are counted: the steps in which matchers search."""
UPPER_END = 0.05
"""Share of the range searched that counts as its upper end."""


@dataclass(frozen=True)
class View:
    """One hint and the figures in its file."""

    job: HintJob
    path: PurePosixPath
    quality: Quality

    @property
    def side(self) -> Side:
        """Of the rig."""
        return "left" if self.path == self.job.left_hint else "right"


@dataclass(frozen=True)
class HintStatistics:
    """What there is of a set of hints, view by view and pixel by pixel."""

    views: tuple[View, ...]
    missing: tuple[PurePosixPath, ...]
    """Views without a whole file."""
    searched: int
    """Pixels of disparity up to which was searched."""
    counts: Int64[np.ndarray, "n"]
    """Pixels by disparity, `BINS_PER_PIXEL` to a pixel; the last holds all beyond."""
    coverage: Mapping[Side, Float64[np.ndarray, "h w"]]
    """Share of the views read that have a hint at a pixel."""
    read: int
    """Views whose pixels were read."""

    @classmethod
    def of(cls, jobs: Sequence[HintJob], folder: Path, method: HintMethod) -> "HintStatistics":
        """Read what there is of the hints of `jobs`."""
        views: list[View] = []
        missing: list[PurePosixPath] = []
        for job in jobs:
            for path in job.hints:
                quality = _quality(folder / path)
                if quality is None:
                    missing.append(path)
                else:
                    views.append(View(job, path, quality))
        searched = method.reach
        counts = np.zeros(searched * BINS_PER_PIXEL + 1, np.int64)
        sums: dict[Side, Float64[np.ndarray, "h w"]] = {}
        numbers: dict[Side, int] = {"left": 0, "right": 0}
        chosen = views[:: -(-len(views) // MOST_VIEWS_READ) or 1]
        for view in chosen:
            disparity = read_disparity(folder / view.path)
            steps = np.rint(disparity[disparity > 0] * BINS_PER_PIXEL).astype(np.int64)
            counts += np.bincount(np.minimum(steps, len(counts) - 1), minlength=len(counts))
            sums.setdefault(view.side, np.zeros(disparity.shape))
            sums[view.side] += disparity > 0
            numbers[view.side] += 1
        coverage = {side: total / numbers[side] for side, total in sums.items()}
        return cls(tuple(views), tuple(missing), searched, counts, coverage, len(chosen))

    @cached_property
    def mean(self) -> Quality:
        """The means over views of each figure; `shares` of the matchers that some view chose."""
        each = [view.quality for view in self.views]
        names = dict.fromkeys(name for quality in each for name in quality.shares)
        return Quality(
            float(np.mean([quality.coverage for quality in each])),
            float(np.mean([quality.photometric_error for quality in each])),
            float(np.mean([quality.beats_identity for quality in each])),
            {n: float(np.mean([quality.shares.get(n, 0.0) for quality in each])) for n in names},
        )

    def share_within(self, low: float, high: float) -> float:
        """Share of the hints' pixels with a disparity in [low, high), in pixels."""
        start, end = (round(bound * BINS_PER_PIXEL) for bound in (low, high))
        return float(self.counts[start:end].sum() / max(self.counts.sum(), 1))

    @property
    def upper_share(self) -> float:
        """Share of the hints' pixels at the upper end of the range: see `UPPER_END`."""
        return self.share_within((1 - UPPER_END) * self.searched, self.searched + 1)

    def percentile(self, share: float) -> float:
        """The disparity in pixels that `share` of the hints' pixels do not exceed."""
        reached = np.cumsum(self.counts) >= share * self.counts.sum()
        return float(np.argmax(reached)) / BINS_PER_PIXEL


def _quality(path: Path) -> Quality | None:
    try:
        return Quality.parse(settings_of_whole(path))
    except (FileNotFoundError, KeyError, ValueError):
        return None
