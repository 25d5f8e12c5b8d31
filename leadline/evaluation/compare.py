"""Several evaluations side by side: the same images and rules, and what chance may explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from leadline.evaluation.results import Evaluation, ImageScore
from leadline.evaluation.run import RESULTS
from leadline.metrics import DepthMetrics

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
        """The figures of the common images as the protocol joins them."""
        return contender.evaluation.protocol.summary(self._by_image(contender).values())

    def difference(self, contender: Contender) -> Difference:
        """To the first contender."""
        first, own = (self._abs_rel(each) for each in (self.contenders[0], contender))
        change, weight = own - first, self._weights()
        draws = np.random.default_rng(0).integers(len(change), size=(DRAWS, len(change)))
        drawn = (change * weight)[draws].sum(1) / weight[draws].sum(1)
        edge = 100 * (1 - INTERVAL) / 2
        low, high = np.percentile(drawn, [edge, 100 - edge])
        return Difference(
            float(np.average(change, weights=weight)),
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

    @property
    def joined(self) -> str:
        """What a table calls the figures of all images."""
        return self.contenders[0].evaluation.protocol.joined

    def _by_image(self, contender: Contender) -> dict[str, ImageScore]:
        rows = {row.id: row for row in contender.evaluation.rows}
        return {image: rows[image] for image in self.images}

    def _abs_rel(self, contender: Contender) -> Float64[np.ndarray, "n"]:
        return np.array([row.metrics.abs_rel for row in self._by_image(contender).values()])

    def _weights(self) -> Float64[np.ndarray, "n"]:
        """What each image counts: the same, or by its pixels, which are those of all contenders."""
        first = self.contenders[0]
        pixels = [row.pixels for row in self._by_image(first).values()]
        pooled = first.evaluation.protocol.pooled
        return np.array(pixels if pooled else [1] * len(pixels), dtype=np.float64)


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
