"""The predictions of a folder by the ids of the truth, blended with those of mirrored pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.names import match_ids
from leadline.evaluation.protocol import RESIZE_NEAREST
from leadline.inference.flip import blend_flipped


@dataclass(frozen=True)
class MatchedPredictions:
    """Predicted depth in metres for every truth, at the size of the prediction."""

    predictions: DepthFolder
    match: Mapping[str, str]
    flipped: DepthFolder | None
    flipped_match: Mapping[str, str]

    @classmethod
    def of(
        cls, truths: Sequence[str], predictions: DepthFolder, flipped: DepthFolder | None = None
    ) -> "MatchedPredictions":
        """Find the prediction of every truth, and that of its mirrored picture, still mirrored.

        Raises:
            ValueError: a truth has none, or more than one.
        """
        match = match_ids(truths, predictions.ids, "a prediction")
        if flipped is None:
            return cls(predictions, match, None, {})
        return cls(
            predictions, match, flipped, match_ids(truths, flipped.ids, "a mirrored prediction")
        )

    def read(self, truth: str) -> Float64[np.ndarray, "h w"]:
        """The prediction of one truth.

        Raises:
            ValueError: the file is not a depth map, or the mirrored one has another size.
        """
        depth = self.predictions.read(self.match[truth])
        if self.flipped is None:
            return depth
        return blended_depth(depth, self.flipped.read(self.flipped_match[truth]))


def blended_depth(
    depth: Float[np.ndarray, "h w"], of_mirrored: Float[np.ndarray, "_ _"]
) -> Float64[np.ndarray, "h w"]:
    """`blend_flipped` for two depths in metres."""
    plain, mirrored = (
        1 / np.maximum(each.astype(np.float64), RESIZE_NEAREST) for each in (depth, of_mirrored)
    )
    with np.errstate(divide="ignore"):
        return 1 / np.asarray(blend_flipped(plain, mirrored), dtype=np.float64)
