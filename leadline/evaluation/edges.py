"""How well the outlines of a depth map agree with those of an exact one.

Made for dense, exact truth such as that of a synthetic world: sparse truth has no outlines.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

JUMP = 0.05  # the nearer side is 5 % nearer
TOLERANCE = 1.0  # pixels


@dataclass(frozen=True, slots=True)
class EdgeScore:
    """Precision and recall of predicted outline pixels.

    Where nothing is predicted precision is 1, where nothing is there to find recall is 1.
    """

    precision: float
    recall: float
    true_edges: int
    predicted_edges: int

    @property
    def f1(self) -> float:
        """Their harmonic mean, 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def depth_edges(depth: Float[np.ndarray, "h w"], jump: float = JUMP) -> Bool[np.ndarray, "h w"]:
    """The nearer pixel of every two neighbours between which depth jumps.

    With w = 1 / depth and neighbours 1, 2 in a run 0, 1, 2, 3 along a row or column, depth jumps
    where |w1 - w2|, |w2 - (2 w1 - w0)| and |w1 - (2 w2 - w3)| are all above `jump` max(w1, w2):
    relative depth differs, and neither side's plane goes on to the other. Inverse depth is affine
    in the pixel on every plane, so that a road does not count however slanted. Pixels without
    depth (0) have no jump.
    """
    inverse_depth = np.divide(1, depth, out=np.zeros(depth.shape), where=depth > 0)
    return np.asarray(
        _edges_along_rows(inverse_depth, jump) | _edges_along_rows(inverse_depth.T, jump).T
    )


def edge_score(
    prediction: Float[np.ndarray, "_ _"],
    truth: Float[np.ndarray, "h w"],
    jump: float = JUMP,
    tolerance: float = TOLERANCE,
) -> EdgeScore:
    """Share of predicted edges within `tolerance` pixels of a true one, and the other way about.

    Both depths are in metres, 0 = none; edges are those of `depth_edges`. Where the truth is
    missing nothing predicted counts.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(
            f"expected prediction and truth of one size, got {prediction.shape} and {truth.shape}; "
            "resize the prediction first"
        )
    predicted = depth_edges(prediction, jump) & (truth > 0)
    true = depth_edges(truth, jump)
    return EdgeScore(
        precision=_share_near(predicted, true, tolerance),
        recall=_share_near(true, predicted, tolerance),
        true_edges=int(true.sum()),
        predicted_edges=int(predicted.sum()),
    )


def _edges_along_rows(
    inverse_depth: Float[np.ndarray, "h w"], jump: float
) -> Bool[np.ndarray, "h w"]:
    w1, w2 = inverse_depth[:, :-1], inverse_depth[:, 1:]
    departure = np.abs(w1 - w2)
    # At the ends of a run, or beside a missing pixel, there is no plane to go on: the step itself
    # decides.
    left_plane_known = (inverse_depth[:, :-2] > 0) & (w1[:, 1:] > 0)
    from_left = np.abs(w2[:, 1:] - 2 * w1[:, 1:] + inverse_depth[:, :-2])
    departure[:, 1:] = np.where(
        left_plane_known, np.minimum(departure[:, 1:], from_left), departure[:, 1:]
    )
    right_plane_known = (inverse_depth[:, 2:] > 0) & (w2[:, :-1] > 0)
    from_right = np.abs(w1[:, :-1] - 2 * w2[:, :-1] + inverse_depth[:, 2:])
    departure[:, :-1] = np.where(
        right_plane_known, np.minimum(departure[:, :-1], from_right), departure[:, :-1]
    )
    jumps = (departure > jump * np.maximum(w1, w2)) & (w1 > 0) & (w2 > 0)
    edges = np.zeros(inverse_depth.shape, dtype=bool)
    edges[:, :-1] |= jumps & (w1 > w2)
    edges[:, 1:] |= jumps & (w2 > w1)
    return edges


def _share_near(
    edges: Bool[np.ndarray, "h w"], others: Bool[np.ndarray, "h w"], tolerance: float
) -> float:
    if not edges.any():
        return 1.0
    if not others.any():
        return 0.0
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(np.mean(distance[edges] <= tolerance))
