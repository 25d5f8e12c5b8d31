"""Where a frame stands relative to the target: the part of the contract that data sources and hints
need, and that needs no torch.
"""

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Offset:
    """Where a frame stands relative to the target, in time and in the camera rig.

    `camera` 0 is the target's own camera, k its k-th partner in the rig's table; for a stereo pair
    1 is the other camera, whichever side the target is. `time` counts *selected* frames.

    >>> Offset.parse("stereo"), Offset.parse(-1)
    (Offset(time=0, camera=1), Offset(time=-1, camera=0))
    """

    time: int = 0
    camera: int = 0

    @classmethod
    def parse(cls, value: int | str) -> "Offset":
        """Read one entry of a recipe's `frames:` list: a whole number of frames, or `stereo`."""
        if value == "stereo":
            return STEREO
        try:
            return cls(time=int(value))
        except ValueError:
            raise ValueError(
                "frames: expected whole numbers or 'stereo', "
                f"got {value!r}; write e.g. [0, -1, 1, stereo]"
            ) from None

    def __str__(self) -> str:
        return "stereo" if self == STEREO else f"{self.time:+d}" if self.camera == 0 else repr(self)


TARGET = Offset()
STEREO = Offset(camera=1)
