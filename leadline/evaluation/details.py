"""What a mean over all pixels hides: thin structures, occlusions, edges. For exact truth only."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from leadline.data.depth_resize import resized_depth
from leadline.evaluation.edges import edge_score
from leadline.evaluation.protocol import Protocol
from leadline.evaluation.regions import occluded_in_right
from leadline.geometry.depth import depth_to_disparity
from leadline.metrics import region_abs_rel


@dataclass(frozen=True, slots=True)
class DetailedFrame:
    """One left image with everything that is known of it."""

    prediction: Float[np.ndarray, "_ _"]
    """Metres, at any size."""
    truth: Float[np.ndarray, "h w"]
    poles: Bool[np.ndarray, "h w"]
    thin: Bool[np.ndarray, "h w"]
    """Poles, signs, fences, trunks."""
    focal: float
    """Pixels of the truth's width."""
    baseline: float


@dataclass(frozen=True, slots=True)
class Details:
    """Figures of regions, each the mean over the images that have such a region."""

    poles_abs_rel: float
    thin_abs_rel: float
    occluded_abs_rel: float
    """Of pixels that something nearer hides from the right camera."""
    edge_f1: float


def score_details(frames: Iterable[DetailedFrame], protocol: Protocol) -> Details:
    """Score the regions of frames with dense, exact truth.

    Raises:
        ValueError: no frame has such a region.
    """
    found: dict[str, list[float]] = {"poles": [], "thin": [], "occluded": []}
    edges: list[float] = []
    for frame in frames:
        height, width = frame.truth.shape
        dense = resized_depth(frame.prediction, height, width, protocol.resize)
        scored = protocol.mask(frame.truth)
        clamped = dense.copy()
        clamped[scored] = protocol.clamp(dense[scored])
        for name, region in _regions(frame).items():
            if (region & scored).any():
                found[name].append(region_abs_rel(clamped, frame.truth, region & scored))
        edges.append(edge_score(dense, frame.truth).f1)
    for name, figures in found.items():
        if not figures:
            raise ValueError(f"expected frames with pixels that are {name}, found none")
    poles, thin, occluded = (float(np.mean(figures)) for figures in found.values())
    return Details(poles, thin, occluded, float(np.mean(edges)))


def _regions(frame: DetailedFrame) -> dict[str, Bool[np.ndarray, "h w"]]:
    truth = torch.from_numpy(frame.truth)
    disparity = depth_to_disparity(truth, frame.focal, frame.baseline).numpy()
    return {"poles": frame.poles, "thin": frame.thin, "occluded": occluded_in_right(disparity)}
