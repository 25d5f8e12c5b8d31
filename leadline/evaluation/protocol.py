"""Which pixels of an image are scored, and within which depths: the named protocols.

A protocol also names the truth it is defined on: the `eigen` ones LiDAR sweeps, read with their
historical rounding and forward distance, as their crops keep theirs; `improved` KITTI's accumulated
maps. See `Source.true_depth`. `dense` is for exact truth: every pixel up to 80 m. `packnet` and
`ddad` bring predictions to the size of the truth as [packnet] does, `ddad_nearest` as DDAD's own
challenge; `ddad_250` goes as far as the LiDAR does [slowtv]. `cityscapes` is that of [manydepth].
`nyu` is the classic one of rooms, within the Eigen crop; `nyu_fcrn` scores every pixel of the
filled depth and pools them over all images, as [fcrn] did, and `make3d_fcrn` does the same with
Make3D's truth at 345x460. `make3d` is that of [monodepth2]: the central part of picture and truth,
C1 (up to 70 m); its RMSE log is the natural one, 2.303 times that of log10 which papers print.
`improved_garg` is that of [bts] on KITTI: accumulated maps within the Garg crop.

Departure: [packnet] clamps predictions to 0 m at least, which has no logarithm; here to 1 mm, as
all others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from leadline.data.depth_resize import Resize
from leadline.data.sources.base import WantedTruth
from leadline.data.unpack.make3d import CENTRAL_SIZE, WHOLE_SIZE
from leadline.metrics import DepthMetrics, OfImage, mean_metrics, pooled_metrics
from leadline.metrics.crop import CITYSCAPES, EIGEN, GARG, NYU, Crop

METRES_NEAREST = 1e-3  # the classic lower bound of truth and prediction alike


@dataclass(frozen=True, slots=True)
class Protocol:
    """A crop, the depths of truth that count, and the range to which predictions are clamped."""

    name: str
    crop: Crop | None
    minimum: float
    """Truth counts above it, metres."""
    cap: float | None
    """Truth counts below it, metres; `None` counts all."""
    prediction_cap: float | None
    """Predictions are clamped to it, metres, and to no less than a millimetre."""
    truth: WantedTruth = "any"
    """What is looked for in a data set; depth maps in a folder are taken as they are."""
    resize: Resize = "inverse_depth"
    """How a prediction is brought to the size of the truth."""
    crop_bottom: float | None = None
    """Share of each picture's height, at its bottom, that a model is not shown; `None` leaves it to
    the model. Nothing is predicted there."""
    pooled: bool = False
    """Whether figures are those of all pixels together, not means over images."""
    shape: tuple[int, int] | None = None
    """(h, w) that every truth must have, where the protocol is defined on one alone."""

    def summary(self, images: Iterable[OfImage]) -> DepthMetrics:
        """The figures of several images as the protocol joins them."""
        rows = list(images)
        return pooled_metrics(rows) if self.pooled else mean_metrics(row.metrics for row in rows)

    @property
    def joined(self) -> str:
        """What a table calls them."""
        return "over all pixels" if self.pooled else "mean over images"

    def mask(self, truth: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """The pixels of the truth (0 = none) that are scored.

        Raises:
            ValueError: the truth has another size than the protocol is defined on.
        """
        self.check_shape(truth)
        scored = np.asarray((truth > self.minimum) & np.isfinite(truth))
        if self.cap is not None:
            scored &= truth < self.cap
        if self.crop is not None:
            height, width = truth.shape
            top, bottom, left, right = self.crop.bounds(height, width)
            inside = np.zeros_like(scored)
            inside[top:bottom, left:right] = True
            scored &= inside
        return scored

    def check_shape(self, truth: Float[np.ndarray, "h w"]) -> None:
        """Refuse truth of another size than the protocol is defined on, if it is on one alone.

        Raises:
            ValueError: it has another.
        """
        if self.shape is not None and truth.shape != self.shape:
            raise ValueError(
                f"protocol {self.name}: expected truth of {self.shape[1]}x{self.shape[0]}, got "
                f"{truth.shape[1]}x{truth.shape[0]}; {_SHAPE_ADVICE[self.shape]}"
            )

    def clamp(self, prediction: Float[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
        """Scored predictions inside the protocol's range."""
        return np.asarray(np.clip(prediction, METRES_NEAREST, self.prediction_cap))

    def describe(self) -> str:
        """One line that says what is scored.

        >>> PROTOCOLS["eigen"].describe()
        'eigen: Garg crop, truth 0.001 to 80 m, predictions clamped to 0.001..80 m'
        """
        crop = f"{self.crop.name} crop" if self.crop else "no crop"
        truth = f"truth {self.minimum:g} to {self.cap:g} m" if self.cap else "all valid truth"
        limit = f"..{self.prediction_cap:g} m" if self.prediction_cap else " m or more"
        clamp = f"predictions clamped to {METRES_NEAREST:g}{limit}"
        parts = [f"{self.name}: {crop}, {truth}, {clamp}", *_RESIZE_WORDS[self.resize]]
        if self.crop_bottom:
            parts.append(f"models see the upper {1 - self.crop_bottom:.0%} of a picture")
        if self.shape is not None:
            parts.append("RMSE log is natural, 2.3026 times that of log10 which papers print")
        if self.pooled:
            parts.append("figures over the pixels of all images together")
        return ", ".join(parts)


_RESIZE_WORDS: Mapping[Resize, tuple[str, ...]] = {
    "inverse_depth": (),
    "depth": ("resized bilinearly as depth",),
    "depth_aligned_corners": ("resized bilinearly as depth with aligned corners",),
    "nearest": ("resized to the nearest pixel",),
}
_EIGEN_80 = Protocol("eigen", GARG, METRES_NEAREST, cap=80, prediction_cap=80, truth="eigen")

_PACKNET = Protocol("packnet", None, 0, cap=80, prediction_cap=80, resize="depth_aligned_corners")
_DDAD = replace(_PACKNET, name="ddad", cap=200, prediction_cap=200)
_MAKE3D = Protocol(
    "make3d", None, 0, cap=70, prediction_cap=70, resize="nearest", shape=CENTRAL_SIZE
)
_SHAPE_ADVICE = {
    CENTRAL_SIZE: "`leadline unpack make3d` writes it",
    WHOLE_SIZE: "`leadline unpack make3d --crop none` writes it",
}

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _EIGEN_80,
        replace(_EIGEN_80, name="eigen_50", cap=50, prediction_cap=50),
        replace(_EIGEN_80, name="eigen_own_crop", crop=EIGEN),
        Protocol("dense", None, METRES_NEAREST, cap=80, prediction_cap=80),
        Protocol("improved", None, 0, cap=None, prediction_cap=80, truth="improved"),
        _PACKNET,
        replace(_PACKNET, name="packnet_garg", crop=GARG),
        _DDAD,
        replace(_DDAD, name="ddad_250", minimum=METRES_NEAREST, cap=250, prediction_cap=250),
        replace(_DDAD, name="ddad_nearest", resize="nearest"),
        Protocol(
            "cityscapes", CITYSCAPES, METRES_NEAREST, cap=80, prediction_cap=80, crop_bottom=0.25
        ),
        replace(_EIGEN_80, name="improved_garg", truth="improved"),
        Protocol("nyu", NYU, METRES_NEAREST, cap=10, prediction_cap=10),
        Protocol("nyu_fcrn", None, 0, cap=None, prediction_cap=None, resize="depth", pooled=True),
        _MAKE3D,
        replace(
            _MAKE3D,
            name="make3d_fcrn",
            prediction_cap=None,
            resize="depth",
            pooled=True,
            shape=WHOLE_SIZE,
        ),
        Protocol("none", None, 0, cap=None, prediction_cap=None),
    )
}


def named_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {name!r}")
    return PROTOCOLS[name]
