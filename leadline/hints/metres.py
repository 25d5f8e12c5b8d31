"""What a disparity means in metres: depth = focal length x baseline / disparity."""

from dataclasses import dataclass

from leadline.data.sources.base import Source


@dataclass(frozen=True)
class MetrePixels:
    """Focal length in pixels at the width of the hints, times baseline in metres."""

    least: float
    most: float
    """Rigs of one data set may differ."""

    def depth(self, disparity: float) -> str:
        """The depth of a disparity in pixels, in words."""
        nearest, farthest = (_rounded(each / disparity) for each in (self.least, self.most))
        return f"{nearest} m" if nearest == farthest else f"{nearest} to {farthest} m"


def metre_pixels(source: Source, width: int) -> MetrePixels | None:
    """Of the calibrated pairs of a source, for hints of that width; None: there are none."""
    products = [
        float(rig[0].intrinsics[0, 0]) * width / rig[0].size[1] * baseline
        for sequence in source.sequences
        if (rig := source.rig(sequence)) is not None
        and (baseline := source.baseline(sequence)) is not None
    ]
    return MetrePixels(min(products), max(products)) if products else None


def _rounded(depth: float) -> str:
    return f"{depth:.0f}" if depth >= 10 else f"{depth:.2g}"
