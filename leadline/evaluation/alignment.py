"""How predictions of unknown scale are brought to the truth's, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

AlignmentKind = Literal["none", "median", "factor"]


@dataclass(frozen=True, slots=True)
class Alignment:
    """`none`, `median` (per image, with the help of the truth) or one fixed factor for all."""

    kind: AlignmentKind = "none"
    factor: float = 1.0
    """Read by the kind `factor` alone."""

    @classmethod
    def parse(cls, text: str | float) -> "Alignment":
        """Read `none`, `median` or a positive number.

        >>> Alignment.parse("5.4")
        Alignment(kind='factor', factor=5.4)

        Raises:
            ValueError: it is none of these.
        """
        if text in ("none", "median"):
            return cls("none" if text == "none" else "median")
        try:
            factor = float(text)
        except ValueError:
            factor = np.nan
        if not (np.isfinite(factor) and factor > 0):
            raise ValueError(
                f"alignment: expected 'none', 'median' or a positive factor, got {text!r}"
            )
        return cls("factor", factor)

    def scale(self, ratio: Callable[[], float]) -> float:
        """What an image's prediction is multiplied by; its `median_ratio` is asked for if needed.

        Raises:
            ValueError: as `median_ratio`, of the kind `median` alone.
        """
        if self.kind == "median":
            return ratio()
        return self.factor if self.kind == "factor" else 1.0

    def describe(self) -> str:
        """One line for tables and reports."""
        return {
            "none": "none: predictions scored as they are",
            "median": "median: each image multiplied by median(truth) / median(prediction)",
            "factor": f"factor: every image multiplied by {self.factor:g}",
        }[self.kind]


UNALIGNED = Alignment()


def median_ratio(prediction: Float[np.ndarray, "p"], truth: Float[np.ndarray, "p"]) -> float:
    """median(truth) / median(prediction) over the scored pixels of one image.

    Raises:
        ValueError: the prediction's median is not a positive, finite number.
    """
    middle = float(np.median(prediction))
    if not (np.isfinite(middle) and middle > 0):
        raise ValueError(
            f"expected a prediction whose median is positive and finite, got {middle:g}; "
            "more than half of its scored pixels are missing or infinitely far"
        )
    return float(np.median(truth)) / middle
