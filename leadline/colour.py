"""Depth to picture: ordered colours for depth, signed ones for errors, masks, captioned sheets.

Pictures are RGB, 8 bits a channel, h x w x 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8
from PIL import Image, ImageDraw, ImageFont

Picture = UInt8[np.ndarray, "_ _ 3"]
Palette = Literal["magma", "turbo", "viridis"]
Spacing = Literal["inverse", "log"]

MISSING = (118, 122, 128)
"""A grey of no palette, for pixels without depth."""
PHOTOMETRIC_LIMIT = 0.5
"""Photometric error drawn brightest: half of the largest there is."""

_OPENCV_PALETTES: dict[Palette, int] = {
    "magma": cv2.COLORMAP_MAGMA,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
}
_SIGNED = np.array(
    [(33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43)]
)  # blue - white - red, ColorBrewer's RdBu reversed: safe for the colour-blind
_LEVELS = 256
_PERCENTILES = (2, 98)  # what a few wild pixels may not stretch
_TICK_GAP = 0.09  # of a colour bar's length: two labels nearer than that would touch
_ROUND_STEPS = (1, 1.5, 2, 3, 5, 7)
_CAPTION_HEIGHT, _CAPTION_SIZE, _CAPTION_INDENT = 26, 15, 8  # pixels


@dataclass(frozen=True, slots=True)
class DepthScale:
    """Which depths the ends of a palette stand for; one scale for a whole video does not flicker.

    Between them colours are spaced evenly in inverse depth, as errors of stereo are, or in log
    depth.
    """

    near: float
    far: float
    spacing: Spacing = "inverse"

    def __post_init__(self) -> None:
        if not 0 < self.near < self.far < np.inf:
            raise ValueError(
                f"expected metres with 0 < near < far, got near={self.near:g} and far={self.far:g}"
            )

    @classmethod
    def spanning(
        cls, *depths: Float[np.ndarray, "_ _"], spacing: Spacing = "inverse"
    ) -> "DepthScale":
        """The range of depth in some maps (0 = missing), without their outer 2 % at either end.

        Raises:
            ValueError: no map has any depth.
        """
        known = np.concatenate([depth[(depth > 0) & np.isfinite(depth)] for depth in depths])
        if known.size == 0:
            raise ValueError("expected depth maps with some depth to span, got only missing pixels")
        near, far = (float(value) for value in np.percentile(known, _PERCENTILES))
        # A constant map has no range of its own: show it at the near end of some range.
        return cls(near, far if far > near else 2 * near, spacing)

    def position(self, depth: Float[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
        """Where depths lie on the palette: 1 at `near` and nearer, 0 at `far` and farther."""
        bounded = np.clip(depth.astype(np.float64), self.near, self.far)
        return np.asarray(
            (self._spaced(bounded) - self._spaced(self.far))
            / (self._spaced(self.near) - self._spaced(self.far))
        )

    def ticks(self) -> list[float]:
        """Round depths, near to far, that label a colour bar without touching."""
        powers = range(int(np.floor(np.log10(self.near))), int(np.ceil(np.log10(self.far))) + 1)
        round_depths = [step * 10.0**power for power in powers for step in _ROUND_STEPS]
        chosen: list[float] = []
        for depth in round_depths:
            inside = self.near <= depth <= self.far
            if inside and (not chosen or self._gap(chosen[-1], depth) >= _TICK_GAP):
                chosen.append(depth)
        return chosen

    def _gap(self, near: float, far: float) -> float:
        first, second = self.position(np.array([near, far]))
        return float(first - second)

    def _spaced(self, depth: float | np.ndarray) -> np.ndarray:
        return np.asarray(1 / depth if self.spacing == "inverse" else -np.log(depth))


def palette_colours(palette: Palette = "magma") -> UInt8[np.ndarray, "_ 3"]:
    """The 256 colours of a palette, far to near: dark to bright, but for turbo."""
    ramp = np.arange(_LEVELS, dtype=np.uint8)[None]
    bgr = cv2.applyColorMap(ramp, _OPENCV_PALETTES[palette])
    return np.asarray(bgr[0, :, ::-1], dtype=np.uint8)


def signed_colours() -> UInt8[np.ndarray, "_ 3"]:
    """256 colours from blue over white to red."""
    at = np.linspace(0, len(_SIGNED) - 1, _LEVELS)
    channels = [np.interp(at, np.arange(len(_SIGNED)), _SIGNED[:, c]) for c in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=-1)).astype(np.uint8))


def colour_depth(
    depth: Float[np.ndarray, "h w"],
    scale: DepthScale | None = None,
    palette: Palette = "magma",
) -> UInt8[np.ndarray, "h w 3"]:
    """A depth map in metres (0 = missing, drawn grey) as a picture, bright where near.

    Without a scale each map spans its own range: give one to compare pictures or to make a video.
    """
    colours = palette_colours(palette)
    known = depth > 0
    if not known.any():
        return _filled(depth.shape, MISSING)
    scale = scale or DepthScale.spanning(depth)
    # NaN, like 0, is missing; it must not reach the cast to a whole number.
    position = scale.position(np.where(known, depth, scale.far))
    return _looked_up(colours, position, known)


def colour_error(
    error: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"], limit: float
) -> UInt8[np.ndarray, "h w 3"]:
    """A signed error as a picture: blue at -limit, white at 0, red at limit, grey where unknown."""
    position = np.clip(np.where(known, error, 0) / (2 * limit) + 0.5, 0, 1)
    return _looked_up(signed_colours(), position, known)


def colour_photometric_error(
    error: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """A photometric error as a picture: dark where the explanation is good, brightest at
    `PHOTOMETRIC_LIMIT` and above, grey where unknown.
    """
    known = np.ones(error.shape, bool) if known is None else known
    position = np.clip(np.where(known, error, 0) / PHOTOMETRIC_LIMIT, 0, 1)
    return _looked_up(palette_colours(), position, known)


def dimmed(picture: UInt8[np.ndarray, "h w 3"], brightness: float = 0.35) -> Picture:
    """A dark, colourless copy: a ground on which coloured points stand out."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.rint(grey * brightness).astype(np.uint8)[..., None], 3, axis=-1)


def spread_points(
    values: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"], radius: float = 2.5
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Sparse values drawn as dots of `radius` pixels, the nearest one winning: for eyes only.

    Returns the values and where they are known, as `colour_depth` and `colour_error` take them.
    """
    if not known.any():
        return values, known
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value_of_label = np.zeros(labels.max() + 1, dtype=values.dtype)
    value_of_label[labels[known]] = values[known]
    within = np.asarray(distance <= radius)
    return np.where(within, value_of_label[labels], 0), within


def montage(
    pictures: Sequence[Picture],
    captions: Sequence[str],
    columns: int,
    width: int = 480,
) -> Picture:
    """Pictures in rows of `columns`, each `width` pixels wide under its caption, on black.

    Raises:
        ValueError: there are no pictures, or not one caption for each.
    """
    if not pictures or len(pictures) != len(captions) or columns < 1:
        raise ValueError(
            f"expected pictures, a caption for each and at least one column, got {len(pictures)} "
            f"pictures, {len(captions)} captions and {columns} columns"
        )
    cells = [
        _captioned(picture, text, width) for picture, text in zip(pictures, captions, strict=True)
    ]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return np.concatenate([_side_by_side(row, min(columns, len(cells)), width) for row in rows])


def _looked_up(
    colours: UInt8[np.ndarray, "_ 3"],
    position: Float[np.ndarray, "h w"],
    known: Bool[np.ndarray, "h w"],
) -> Picture:
    levels = np.rint(position * (_LEVELS - 1)).astype(np.uint8)
    return np.asarray(np.where(known[..., None], colours[levels], np.array(MISSING, np.uint8)))


def _filled(size: tuple[int, ...], colour: tuple[int, int, int]) -> Picture:
    return np.full((*size, 3), colour, dtype=np.uint8)


def _captioned(picture: Picture, text: str, width: int) -> Picture:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    method = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (width, height), interpolation=method)
    bar = Image.new("RGB", (width, _CAPTION_HEIGHT))
    font = ImageFont.load_default(size=_CAPTION_SIZE)
    ImageDraw.Draw(bar).text(
        (_CAPTION_INDENT, _CAPTION_HEIGHT // 2), text, fill="white", font=font, anchor="lm"
    )
    return np.concatenate([np.asarray(bar), resized])


def _side_by_side(cells: Sequence[Picture], columns: int, width: int) -> Picture:
    row = _filled((max(len(cell) for cell in cells), columns * width), (0, 0, 0))
    for column, cell in enumerate(cells):
        row[: len(cell), column * width : (column + 1) * width] = cell
    return row
