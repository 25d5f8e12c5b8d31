"""Holes of infinite depth: how much of what can move is seen several times too far.

What moves as the camera does keeps its place in the image, as only something infinitely far does
before a camera that passes it: video teaches depth to see such things far away. A mean over all
pixels hides it, since they cover few.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from leadline.data.depth_resize import resized_depth
from leadline.evaluation.alignment import Alignment, median_ratio
from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.names import match_ids
from leadline.evaluation.protocol import Protocol

TOO_FAR = 3.0
"""How many times too far a pixel is that counts as near-infinite: what is merely misjudged, by a
half or a whole, does not, and a hole that smoothness has filled in part still does."""
DEFINITION = (
    f"Share of the scored pixels that are seen at least {TOO_FAR:g} times as far as they are, "
    "after scaling and before clamping; mean over the images that have such pixels."
)


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of the pixels of one image, at the size of its truth."""

    movable: Bool[np.ndarray, "h w"]
    """Things that can move, such as cars, whether they do or not."""
    moving_along: Bool[np.ndarray, "h w"] | None = None
    """Those of them that move as the camera does; None where nobody knows which do."""


@dataclass(frozen=True, slots=True)
class InfiniteShares:
    """Shares of near-infinite pixels, see `near_infinite`, by what the pixels show.

    Each is the mean over the images that have such pixels among the scored ones, None where no
    image has. A share on movable things says little by itself: beside it stands that of all else.
    """

    moving_along: float | None
    movable: float | None
    """Those that move along included."""
    elsewhere: float | None

    def by_name(self) -> dict[str, float | None]:
        """The shares as reports name them."""
        return {
            "things that move along with the camera": self.moving_along,
            "all that can move": self.movable,
            "everything else": self.elsewhere,
        }


def near_infinite(
    prediction: Float[np.ndarray, "*p"], truth: Float[np.ndarray, "*p"]
) -> Bool[np.ndarray, "*p"]:
    """Pixels that are seen at least `TOO_FAR` times as far as they are.

    A ratio, and no depth such as 80 m or the network's maximum: after scaling by medians neither
    stands for infinity, and a car that is seen at 45 m instead of 9 is as good as gone.
    """
    return np.asarray(prediction >= TOO_FAR * truth)


def infinite_shares(
    predictions: DepthFolder,
    truth: DepthFolder,
    ids: Iterable[str],
    labels_of: Callable[[str], Labels | None],
    protocol: Protocol,
    alignment: Alignment,
) -> InfiniteShares | None:
    """The shares over the images `ids` of the truth, scored and scaled as in `score` but not
    clamped: at a cap of 80 m no car beyond 27 m could be three times too far.

    `labels_of` answers None for an image without labels; None comes back where none has any.

    Raises:
        ValueError: labels are of another size than the truth, or see `score`.
    """
    wanted = list(ids)
    prediction_of = match_ids(wanted, predictions.files, "a prediction")
    found: dict[str, list[float]] = {"moving_along": [], "movable": [], "elsewhere": []}
    labelled = False
    for image_id in wanted:
        labels = labels_of(image_id)
        if labels is None:
            continue
        labelled = True
        depth, true = predictions.read(prediction_of[image_id]), truth.read(image_id)
        if labels.movable.shape != true.shape:
            raise ValueError(
                f"image {image_id!r}: expected labels of the truth's size {true.shape} (h, w), got "
                f"{labels.movable.shape}; make them for these images"
            )
        for name, share in _shares(depth, true, labels, protocol, alignment).items():
            found[name].append(share)
    if not labelled:
        return None
    means = {name: float(np.mean(each)) if each else None for name, each in found.items()}
    return InfiniteShares(**means)


def _shares(
    prediction: Float[np.ndarray, "_ _"],
    truth: Float[np.ndarray, "h w"],
    labels: Labels,
    protocol: Protocol,
    alignment: Alignment,
) -> dict[str, float]:
    """Of one image, those regions that have scored pixels."""
    scored = protocol.mask(truth)
    height, width = truth.shape
    dense = resized_depth(prediction, height, width, protocol.resize)
    if scored.any():
        dense *= alignment.scale(lambda: median_ratio(dense[scored], truth[scored]))
    far = near_infinite(dense, truth)
    regions = {"movable": labels.movable, "elsewhere": ~labels.movable}
    if labels.moving_along is not None:
        regions["moving_along"] = labels.moving_along
    pixels = {name: region & scored for name, region in regions.items()}
    return {name: float(far[region].mean()) for name, region in pixels.items() if region.any()}
