"""The outcome of an evaluation: one row per image, their mean, and `results.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leadline.evaluation.alignment import Alignment
from leadline.evaluation.distance import DistanceBin
from leadline.evaluation.infinite import InfiniteShares
from leadline.evaluation.protocol import Protocol
from leadline.files import atomic_path
from leadline.metrics import DepthMetrics
from leadline.metrics.crop import Crop


@dataclass(frozen=True, slots=True)
class ImageScore:
    """The figures of one image."""

    id: str
    metrics: DepthMetrics
    ratio: float | None
    """median(truth) / median(prediction) before any alignment: 1 where the scale is right; `None`
    where less than half is predicted."""
    pixels: int
    missing: int
    """Scored pixels that the prediction leaves out (0); they are scored at the lower clamp."""
    beyond: int = 0
    """Scored pixels that were predicted too far for the format of their file."""
    log_bias: float = 0.0
    """Mean (ln p - ln g) over the scored pixels: by which factor all of the image is too far."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that a table or a report says of one set of predictions."""

    model: str
    metric: bool | None
    """Whether the predictions call themselves metres; `None` where they say nothing."""
    protocol: Protocol
    truth: str
    """What was scored against."""
    alignment: Alignment
    flip: bool | None
    """Whether predictions were blended with the mirrored picture; `None` where they do not say."""
    rows: tuple[ImageScore, ...]
    unscored: tuple[str, ...]
    """Images whose truth has no pixel that the protocol scores."""
    guesses: Mapping[str, DepthMetrics]
    """What needs no picture, under the same protocol and alignment."""
    by_distance: tuple[DistanceBin, ...]
    farthest: float | None = None
    """Metres as which pixels beyond the format of the predictions' files are scored."""
    infinite: InfiniteShares | None = None
    """Near-infinite pixels by what they show; `None` where nothing says what they show."""

    @property
    def mean(self) -> DepthMetrics:
        """The figures of all images as the protocol joins them: their mean, or pooled."""
        return self.protocol.summary(self.rows)

    @property
    def ratios(self) -> list[float]:
        """median(truth) / median(prediction) of the images in which more than half is predicted."""
        return [row.ratio for row in self.rows if row.ratio is not None]

    @property
    def median_ratio(self) -> float:
        """The median over images of `ratios`."""
        return float(np.median(self.ratios))

    @property
    def ratio_spread(self) -> float:
        """std(ratio / median ratio) over images: how steady the predictions' scale is."""
        return float(np.std(np.array(self.ratios) / self.median_ratio))

    def scale(self, row: ImageScore) -> float:
        """What the prediction of one image was multiplied by."""
        return self.alignment.scale(lambda: np.nan if row.ratio is None else row.ratio)

    @property
    def pixels(self) -> int:
        """Scored pixels of all images."""
        return sum(row.pixels for row in self.rows)

    @property
    def missing(self) -> int:
        """Scored pixels of all images that the predictions leave out."""
        return sum(row.missing for row in self.rows)

    @property
    def beyond(self) -> int:
        """Scored pixels of all images that were predicted too far for the format of the files."""
        return sum(row.beyond for row in self.rows)

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

    def _scale_statement(self) -> str:
        if not self.ratios:
            return "unknown: in no image is more than half predicted"
        return f"median ratio {self.median_ratio:.4f}, std(ratio / median) {self.ratio_spread:.4f}"

    def settings(self) -> dict[str, str]:
        """What a reader must know to compare the figures, label by label."""
        counts = f"{counted(len(self.rows), 'image')}, {counted(self.pixels, 'pixel')}"
        if self.unscored:
            counts += f"; {counted(len(self.unscored), 'image')} without truth to score"
        if self.missing:
            lacking = counted(self.missing, "pixel")
            counts += f"; {lacking} not predicted, scored at the lower clamp"
        if self.farthest is not None and self.beyond:
            too_far = counted(self.beyond, "pixel")
            counts += (
                f"; {too_far} predicted beyond the PNG's {self.farthest:.1f} m, scored as that far "
                "(predict npy for what they are)"
            )
        return {
            "model": self.model or "not named",
            "protocol": self.protocol.describe(),
            "truth": self.truth,
            "scaling": self.alignment.describe(),
            "metric": self.metric_statement(),
            "flip": _FLIP_WORDS[self.flip],
            "scale": self._scale_statement(),
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
                f"{path}: expected the results of `leadline evaluate`, got something else or part "
                f"of them ({error!r}); evaluate again"
            ) from error


_FLIP_WORDS = {True: "blended with the mirrored picture", False: "none", None: "not stated"}


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "image"), counted(1200, "pixel")
    ('1 image', '1,200 pixels')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _from_json(values: dict[str, Any]) -> Evaluation:
    protocol = dict(values["protocol"])
    crop = Crop(**protocol.pop("crop")) if protocol["crop"] else protocol.pop("crop")
    shape = protocol.pop("shape", None)
    return Evaluation(
        model=values["model"],
        metric=values["metric"],
        protocol=Protocol(crop=crop, shape=shape and tuple(shape), **protocol),
        truth=values["truth"],
        alignment=Alignment(**values["alignment"]),
        flip=values["flip"],
        rows=tuple(
            ImageScore(**row | {"metrics": DepthMetrics(**row["metrics"])})
            for row in values["rows"]
        ),
        unscored=tuple(values["unscored"]),
        guesses={name: DepthMetrics(**row) for name, row in values["guesses"].items()},
        by_distance=tuple(DistanceBin(**each) for each in values["by_distance"]),
        farthest=values.get("farthest"),
        infinite=InfiniteShares(**values["infinite"]) if values.get("infinite") else None,
    )
