"""The outcome of an evaluation: one row per image, their mean, and `results.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leadline.evaluation.alignment import Alignment
from leadline.evaluation.distance import DistanceBin
from leadline.evaluation.protocol import Crop, Protocol
from leadline.files import atomic_path
from leadline.metrics import DepthMetrics, mean_metrics


@dataclass(frozen=True, slots=True)
class ImageScore:
    """The figures of one image."""

    id: str
    metrics: DepthMetrics
    ratio: float
    """median(truth) / median(prediction) before any alignment: 1 where the scale is right."""
    pixels: int
    missing: int
    """Scored pixels that the prediction leaves out (0); they are scored at the lower clamp."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that a table or a report says of one set of predictions."""

    model: str
    metric: bool | None
    """Whether the predictions call themselves metres; `None` where they say nothing."""
    protocol: Protocol
    alignment: Alignment
    flip: bool
    rows: tuple[ImageScore, ...]
    unscored: tuple[str, ...]
    """Images whose truth has no pixel that the protocol scores."""
    guesses: Mapping[str, DepthMetrics]
    """What needs no picture, under the same protocol and alignment."""
    by_distance: tuple[DistanceBin, ...]

    @property
    def mean(self) -> DepthMetrics:
        """The mean over images."""
        return mean_metrics(row.metrics for row in self.rows)

    @property
    def median_ratio(self) -> float:
        """The median over images of median(truth) / median(prediction)."""
        return float(np.median([row.ratio for row in self.rows]))

    @property
    def ratio_spread(self) -> float:
        """std(ratio / median ratio) over images: how steady the predictions' scale is."""
        ratios = np.array([row.ratio for row in self.rows])
        return float(np.std(ratios / np.median(ratios)))

    @property
    def pixels(self) -> int:
        """Scored pixels of all images."""
        return sum(row.pixels for row in self.rows)

    @property
    def missing(self) -> int:
        """Scored pixels of all images that the predictions leave out."""
        return sum(row.missing for row in self.rows)

    def metric_statement(self) -> str:
        """Whether these figures are about metres, and why."""
        if self.alignment.kind == "median":
            return "no: every image was scaled with the help of its own truth"
        if self.metric is None:
            return "not stated by the predictions; they were taken for metres"
        if self.alignment.kind == "factor":
            return f"only by the fixed factor {self.alignment.factor:g}"
        if self.metric:
            return "yes: predictions in metres, nothing was scaled"
        return "no: predictions of unknown scale, and nothing was aligned"

    def settings(self) -> dict[str, str]:
        """What a reader must know to compare the figures, label by label."""
        counts = f"{counted(len(self.rows), 'image')}, {counted(self.pixels, 'pixel')}"
        if self.unscored:
            counts += f"; {counted(len(self.unscored), 'image')} without truth to score"
        if self.missing:
            lacking = counted(self.missing, "pixel")
            counts += f"; {lacking} not predicted, scored at the lower clamp"
        return {
            "model": self.model or "not named",
            "protocol": self.protocol.describe(),
            "scaling": self.alignment.describe(),
            "metric": self.metric_statement(),
            "flip": "blended with the mirrored picture" if self.flip else "none",
            "scale": f"median ratio {self.median_ratio:.4f}, std(ratio / median) "
            f"{self.ratio_spread:.4f}",
            "scored": counts,
        }

    def save(self, path: Path) -> None:
        """Write it as JSON, the mean and the settings in words included for other readers."""
        extra = {"mean": asdict(self.mean), "settings": self.settings()}
        text = json.dumps(extra | asdict(self), indent=1, allow_nan=False)
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Evaluation":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not an evaluation.
        """
        try:
            return _from_json(json.loads(path.read_text(encoding="utf-8")))
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"expected an evaluation as `save` writes it in {path}, got {error!r}"
            ) from error


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "image"), counted(1200, "pixel")
    ('1 image', '1,200 pixels')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _from_json(values: dict[str, Any]) -> Evaluation:
    protocol = dict(values["protocol"])
    crop = Crop(**protocol.pop("crop")) if protocol["crop"] else protocol.pop("crop")
    return Evaluation(
        model=values["model"],
        metric=values["metric"],
        protocol=Protocol(crop=crop, **protocol),
        alignment=Alignment(**values["alignment"]),
        flip=values["flip"],
        rows=tuple(
            ImageScore(**row | {"metrics": DepthMetrics(**row["metrics"])})
            for row in values["rows"]
        ),
        unscored=tuple(values["unscored"]),
        guesses={name: DepthMetrics(**row) for name, row in values["guesses"].items()},
        by_distance=tuple(DistanceBin(**each) for each in values["by_distance"]),
    )
