"""The pictures of one image in a report: photograph, prediction, truth and where they differ."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from leadline.colour import (
    DepthScale,
    colour_depth,
    colour_error,
    dimmed,
    palette_colours,
    signed_colours,
    spread_points,
)
from leadline.data.depth_resize import resized_depth
from leadline.data.image_files import image_size, read_picture
from leadline.data.image_tensors import load_image
from leadline.evaluation.names import match_ids, stem_to_id
from leadline.evaluation.protocol import Protocol
from leadline.report.elements import ColourBar, Figure, Gallery

ERROR_LIMIT = 0.3  # relative; the accuracy a1 ends at 0.25 too far
SPARSE = 0.5  # share of pixels with truth below which they are drawn as dots
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
PICTURE_WIDTH = 640


@dataclass(frozen=True)
class Panel:
    """What is drawn of one image; depths in metres at the size of the truth, aligned."""

    heading: str
    prediction: Float[np.ndarray, "h w"]
    truth: Float[np.ndarray, "h w"]
    scored: Bool[np.ndarray, "h w"]
    photograph: UInt8[np.ndarray, "h w 3"] | None

    @classmethod
    def of(
        cls,
        heading: str,
        prediction: Float[np.ndarray, "_ _"],
        truth: Float[np.ndarray, "h w"],
        protocol: Protocol,
        scale: float,
        photograph: Path | None,
    ) -> "Panel":
        """Resize and scale a prediction as it was scored; `scale` is what its alignment gave."""
        height, width = truth.shape
        depth = resized_depth(prediction, height, width, protocol.resize) * scale
        picture = read_photograph(photograph, height, width) if photograph else None
        return cls(heading, depth, truth, protocol.mask(truth), picture)

    def gallery(self, scale: DepthScale) -> Gallery:
        """The figures, all depths in the colours of one scale."""
        figures = [
            _figure(colour_depth(self.prediction, scale), "prediction"),
            _figure(colour_depth(self._drawn(self.truth, self.truth > 0)[0], scale), "truth"),
            _figure(self._error(), "relative error of the scored pixels"),
        ]
        if self.photograph is not None:
            figures.insert(0, _figure(self.photograph, "photograph"))
        return Gallery(figures, columns=2, heading=self.heading)

    def _error(self) -> UInt8[np.ndarray, "h w 3"]:
        relative = np.zeros(self.truth.shape)
        finite = np.where(np.isfinite(self.prediction), self.prediction, np.finfo(np.float32).max)
        np.divide(finite - self.truth, self.truth, out=relative, where=self.scored)
        error, known = self._drawn(relative, self.scored)
        picture = colour_error(error, known, ERROR_LIMIT)
        if self.photograph is None:
            return picture
        return np.asarray(np.where(known[..., None], picture, dimmed(self.photograph)))

    def _drawn(
        self, values: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"]
    ) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        sparse = np.mean(self.truth > 0) < SPARSE
        return spread_points(values, known) if sparse else (values, known)


def depth_bar(scale: DepthScale) -> ColourBar:
    """The colours of all depths of a report, near on the left."""
    near_to_far = palette_colours()[::-1]
    positions = 1 - scale.position(np.array(scale.ticks(), dtype=np.float64))
    labels = [f"{depth:g}" for depth in scale.ticks()]
    return ColourBar(
        near_to_far,
        list(zip(positions.tolist(), labels, strict=True)),
        "Depth in metres, the same for all pictures; grey where there is none",
    )


def error_bar() -> ColourBar:
    """The colours of all errors of a report."""
    ticks = ((0, f"{ERROR_LIMIT:.0%} too near"), (0.5, "right"), (1, f"{ERROR_LIMIT:.0%} too far"))
    return ColourBar(signed_colours(), ticks, "Relative error, (prediction - truth) / truth")


def find_photographs(folder: Path, ids: tuple[str, ...]) -> Mapping[str, Path]:
    """The pictures of a folder by the ids of the truth.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
        ValueError: a truth has no picture, or more than one.
    """
    found = {
        stem_to_id((path.relative_to(folder).parent / path.stem).as_posix()): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
    }
    if not found:
        raise FileNotFoundError(
            f"expected pictures ({', '.join(PICTURE_SUFFIXES)}) in {folder}, got none"
        )
    matches = match_ids(ids, found, "a picture")
    return {truth: found[picture] for truth, picture in matches.items()}


def read_photograph(path: Path, height: int, width: int) -> UInt8[np.ndarray, "h w 3"]:
    """A picture as RGB at the size of the truth, turned as its camera noted if that brings it
    nearer to the shape of the truth: the truth of a rig lies as the sensor does.

    Raises:
        FileNotFoundError, ValueError: it cannot be read.
    """
    stored, upright = image_size(path), image_size(path, upright=True)
    if _nearness(upright, (height, width)) > _nearness(stored, (height, width)):
        picture = read_picture(path)
    else:
        picture = load_image(path, stored, stored).permute(1, 2, 0).numpy()
    if picture.shape[:2] == (height, width):
        return picture
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def _nearness(size: tuple[int, int], other: tuple[int, int]) -> float:
    """Of the shapes of two sizes (h, w); 0 where they are alike, less elsewhere."""
    return -abs(math.log(size[0] * other[1] / (size[1] * other[0])))


def _figure(picture: UInt8[np.ndarray, "h w 3"], caption: str) -> Figure:
    return Figure(picture, caption, most_width=PICTURE_WIDTH)
