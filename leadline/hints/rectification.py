"""Is a rig rectified, and are its sides the right way round? Told from a few of its pairs alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leadline.data.image_files import image_size
from leadline.hints.alignment import Alignment, align
from leadline.hints.features import Matches, match_features
from leadline.hints.pair import HintJob, load_pair
from leadline.hints.verdict import Verdict, judge

FEW_PAIRS = 8
"""Looked at before every run: two to four seconds of one core."""
REPORT_PAIRS = 30
"""Looked at for a report."""

_NORMAL = 1.4826  # standard deviations per median absolute deviation, of a normal distribution


@dataclass(frozen=True)
class PairCheck:
    """One pair; without an alignment it has too few matches to tell."""

    name: str
    matches: int
    alignment: Alignment | None


@dataclass(frozen=True)
class RigCheck:
    """What the sampled pairs say, each for itself and all together."""

    size: tuple[int, int]
    """(h, w) at which the pairs were looked at: their pixels are meant everywhere."""
    pairs: tuple[PairCheck, ...]
    pooled: Alignment | None
    """Of all matches at once."""
    unread: int
    """Sampled pairs that could not be read."""

    @cached_property
    def odd(self) -> tuple[tuple[PairCheck, Verdict], ...]:
        """Pairs that are useless by themselves, and why."""
        judged = ((pair, judge(pair.alignment, self.size, "this pair")) for pair in self.pairs)
        return tuple((pair, said) for pair, said in judged if said.severity == "useless")

    @cached_property
    def verdict(self) -> Verdict:
        """On the whole rig; a good one with odd pairs among the sampled is doubtful."""
        number = len(self.pairs)
        said = judge(self.pooled, self.size, f"{number} pair{'s' if number != 1 else ''}")
        if said.severity != "good" or not self.odd:
            return said
        pair, reason = self.odd[0]
        text = (
            f"{len(self.odd)} of {number} pairs are not like the others, first {pair.name}: "
            f"{reason.text}"
        )
        return Verdict("doubtful", reason.kinds, text)

    @property
    def offset_spread(self) -> float | None:
        """Standard deviation of the offset from pair to pair, robust; None for fewer than three."""
        offsets = [pair.alignment.offset for pair in self.pairs if pair.alignment is not None]
        if len(offsets) <= 2:
            return None
        return _NORMAL * float(np.median(np.abs(np.array(offsets) - np.median(offsets))))


def check_rig(
    jobs: Sequence[HintJob],
    size: tuple[int, int],
    pairs: int = FEW_PAIRS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RigCheck:
    """Look at up to `pairs` of the jobs, spread evenly over them, resized to `size` (h, w).

    Nothing is matched into hints, and nothing is assumed of the rig. A pair that cannot be read is
    left out: making its hints will say why.
    """
    sampled = [jobs[n] for n in _spread_evenly(len(jobs), pairs)]
    checked, found, aspects = [], [], []
    for done, job in enumerate(sampled, start=1):
        try:
            matches = match_features(*load_pair(job.left, job.right, size))
            aspect = _aspect(image_size(job.left), size)
        except (FileNotFoundError, ValueError):
            continue
        finally:
            progress(done, len(sampled))
        name = str(job.hints[0]) if job.hints else job.left.name
        checked.append(PairCheck(name, len(matches), align(matches, size, aspect)))
        found.append(matches)
        aspects.append(aspect)
    pooled = align(Matches.pooled(found), size, float(np.mean(aspects))) if found else None
    return RigCheck(size, tuple(checked), pooled, len(sampled) - len(checked))


def _spread_evenly(total: int, number: int) -> list[int]:
    return sorted({int(n) for n in np.linspace(0, total - 1, min(number, total)).round()})


def _aspect(taken: tuple[int, int], size: tuple[int, int]) -> float:
    """Height over width, in the picture as it was taken, of a pixel at `size`."""
    return (taken[0] / size[0]) / (taken[1] / size[1])
