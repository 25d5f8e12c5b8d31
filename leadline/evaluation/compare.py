"""Several evaluations side by side: the same images and rules, and what chance may explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import RESULTS
from leadline.metrics import DepthMetrics, mean_metrics

DRAWS, INTERVAL = 2000, 0.95
"""Of the bootstrap over images, and the share of draws between the ends that are given."""
NOTABLE = 0.01
"""An image counts as better or worse where its Abs Rel differs by more than this share."""


@dataclass(frozen=True)
class Contender:
    """One evaluation, by the name that tables give it."""

    name: str
    evaluation: Evaluation


@dataclass(frozen=True)
class Difference:
    """Abs Rel of a contender minus that of the first one, on the same images."""

    mean: float
    low: float
    high: float
    """Ends of a 95 % interval, by drawing images again and again."""
    better: int
    worse: int
    """Images whose Abs Rel differs by more than a hundredth."""


@dataclass(frozen=True)
class Comparison:
    """Contenders on the images that all of them were scored on."""

    contenders: tuple[Contender, ...]
    images: tuple[str, ...]
    left_out: Mapping[str, int]
    """By name, how many images of a contender the others lack."""

    def mean(self, contender: Contender) -> DepthMetrics:
        """The mean over the common images."""
        return mean_metrics(self._by_image(contender).values())

    def difference(self, contender: Contender) -> Difference:
        """To the first contender."""
        first, own = (self._abs_rel(each) for each in (self.contenders[0], contender))
        change = own - first
        draws = np.random.default_rng(0).integers(len(change), size=(DRAWS, len(change)))
        edge = 100 * (1 - INTERVAL) / 2
        low, high = np.percentile(change[draws].mean(1), [edge, 100 - edge])
        return Difference(
            float(change.mean()),
            float(low),
            float(high),
            better=int((own < first * (1 - NOTABLE)).sum()),
            worse=int((own > first * (1 + NOTABLE)).sum()),
        )

    @property
    def whole(self) -> bool:
        """Whether all contenders were scored on the same images."""
        return not any(self.left_out.values())

    @property
    def scalings(self) -> tuple[str, ...]:
        """Those that contenders were scored with, each once."""
        return tuple(dict.fromkeys(c.evaluation.alignment.describe() for c in self.contenders))

    def _by_image(self, contender: Contender) -> dict[str, DepthMetrics]:
        metrics = {row.id: row.metrics for row in contender.evaluation.rows}
        return {image: metrics[image] for image in self.images}

    def _abs_rel(self, contender: Contender) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([m.abs_rel for m in self._by_image(contender).values()])


def compare(folders: Sequence[Path], names: Sequence[str] = ()) -> Comparison:
    """The evaluations in `folders`, or in their folders `evaluation`; the others are measured
    against the first.

    Raises:
        FileNotFoundError: a folder holds no evaluation.
        ValueError: there are fewer than two, or not as many names; they follow different
            protocols, were scored on other pixels, or have no image in common.
    """
    if len(folders) < 2:
        raise ValueError(f"compare: expected two evaluations or more, got {len(folders)}")
    if names and len(names) != len(folders):
        raise ValueError(
            f"--names: expected {len(folders)}, one for each evaluation, got {len(names)}"
        )
    found = [Evaluation.load(_results_in(folder)) for folder in folders]
    wanted = names or _told_apart(folders)
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"--names: expected each once, got {', '.join(wanted)}")
    contenders = tuple(Contender(n, e) for n, e in zip(wanted, found, strict=True))
    _refuse_unequal(contenders)
    ids = [{row.id for row in each.rows} for each in found]
    common = set.intersection(*ids)
    if not common:
        raise ValueError(
            f"no image is in all evaluations: {wanted[0]} has {found[0].rows[0].id}, ..., "
            f"{wanted[1]} has {found[1].rows[0].id}, ...; evaluate them on the same split"
        )
    images = tuple(row.id for row in found[0].rows if row.id in common)
    left_out = {n: len(own) - len(common) for n, own in zip(wanted, ids, strict=True)}
    return Comparison(contenders, images, left_out)


def _results_in(folder: Path) -> Path:
    tried = [folder / RESULTS, folder / "evaluation" / RESULTS]
    for path in tried:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{folder}: expected an evaluation ({RESULTS}) in it or in its folder evaluation, found "
        "none; `leadline evaluate` makes one"
    )


def _told_apart(folders: Sequence[Path]) -> list[str]:
    """The last parts of the paths, as many as tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    # All evaluations may lie in folders of that name.
    while len({own[-1] for own in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [own[:-1] for own in parts]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-count:]) for own in parts]
        if len(set(names)) == len(names):
            return names
    raise ValueError("compare: expected different folders, got the same one twice")


def _refuse_unequal(contenders: Sequence[Contender]) -> None:
    first = contenders[0]
    rules = first.evaluation.protocol.describe()
    pixels = {row.id: row.pixels for row in first.evaluation.rows}
    for other in contenders[1:]:
        others = other.evaluation.protocol.describe()
        if others != rules:
            raise ValueError(
                f"not to be compared: {first.name} follows the protocol {rules}; {other.name} "
                f"{others}; evaluate both by the same one"
            )
        # The same depth maps may have been read from two places.
        for row in other.evaluation.rows:
            if pixels.get(row.id, row.pixels) != row.pixels:
                raise ValueError(
                    f"not to be compared: of {row.id} {pixels[row.id]:,} pixels were scored for "
                    f"{first.name} (truth: {first.evaluation.truth}), {row.pixels:,} for "
                    f"{other.name} ({other.evaluation.truth}); evaluate both against the same truth"
                )
