"""The part of an image in which the published protocols compare depth."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crop:
    """A window given as fractions of the height and width of the truth."""

    name: str
    top: float
    bottom: float
    left: float
    right: float

    def bounds(self, height: int, width: int) -> tuple[int, int, int, int]:
        """(top, bottom, left, right) in pixels, ends excluded, truncated as the published code did.

        >>> GARG.bounds(375, 1242)
        (153, 371, 44, 1197)
        """
        return (
            int(self.top * height),
            int(self.bottom * height),
            int(self.left * width),
            int(self.right * width),
        )


GARG = Crop("Garg", 0.40810811, 0.99189189, 0.03594771, 0.96405229)  # [garg]
EIGEN = Crop("Eigen", 0.3324324, 0.91351351, 0.0359477, 0.96405229)  # [eigen2014]
NYU = Crop("Eigen NYU", 45 / 480, 471 / 480, 41 / 640, 601 / 640)  # [eigen2014]
"""Of images of 640x480, rows 45 to 471 and columns 41 to 601."""
CITYSCAPES = Crop("Cityscapes", 256 / 1024, 768 / 1024, 192 / 2048, 1856 / 2048)
"""Of images of 2048x1024, rows 256 to 768 and columns 192 to 1856 [manydepth]."""
