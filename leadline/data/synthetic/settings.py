"""What a user may choose about a synthetic world, and how its frames fall into drives."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SMALLEST_SIZE = (64, 24)
LARGEST_SIDE = 4096
BASELINES = (0.005, 2.0)
LARGEST_SUPERSAMPLING = 8
MOST_DRIVES = 9999
MOST_FRAMES = 5000
"""A longer road would not fit the memory of a small computer, nor its objects 16 bits."""
FIRST_DAY = 1
DAYS_IN_MONTH = 28
DRIVES_PER_DATE = 2
FEWEST_DRIVES_FOR_TWO_HELD_OUT = 5
FRAMES_PER_SECOND = 10
"""As KITTI raw."""
BRAKING_FRAMES = 2
"""From full speed to rest, and back: no car can, but a drive of a second or two has no time."""
FEWEST_STANDING = 2
"""Between two frames the camera stands; at one it would only turn from braking to starting."""
MOST_DRIFT = 0.9
"""Of an exposure, as a share: beyond it pictures are black for a while."""
SILENT_SETTINGS: dict[str, Any] = {
    "lead_in_every_drive": False,
    "standing_frames": 0,
    "plain": False,
    "exposure_drift": None,
    "one_rig": False,
}
"""Later settings and the values at which a world's description does not name them: worlds that are
older than these settings are still themselves."""


class Style(StrEnum):
    """The kind of place that a drive goes through."""

    COUNTRY = "country"
    URBAN = "urban"
    SUBURB = "suburb"


class Role(StrEnum):
    """The split file that lists a drive's frames."""

    TRAIN = "train"
    VALIDATION = "val"
    TEST = "test"


@dataclass(frozen=True)
class DrivePlan:
    """One drive of a world before anything of it is built."""

    index: int
    date: str
    roles: tuple[Role, ...]
    style: Style
    lead_vehicle: bool
    """Whether a car ahead keeps the ego speed: it never moves in the image."""
    standing: tuple[int, int] | None = None
    """First and last of the frames at which the ego stands, or None where it never does."""

    @property
    def name(self) -> str:
        """The folder of the drive below its date."""
        return f"{self.date}_drive_{self.index + 1:04d}_sync"

    @property
    def path(self) -> str:
        """`date/drive`, as it stands in split files."""
        return f"{self.date}/{self.name}"


@dataclass(frozen=True)
class WorldSettings:
    """The choices behind a world; equal settings write equal bytes.

    `frames` counts the stereo pairs of each drive, 10 per second; `size` is (width, height);
    `baseline` is in metres; `supersampling` n spends n x n rays on the colour of a pixel.
    `perfect_sensor` turns off noise, vignetting and every difference or drift of exposure.
    `lead_in_every_drive` puts a car that keeps the ego speed ahead of the ego in all drives, not in
    every other one. In every other training drive the ego, and the car ahead of it, stand for so
    many frames in the middle as `standing_frames` says, while oncoming traffic goes on.
    `plain` leaves walls, roofs, roads and pavements nearly without texture; edges, markings, shade
    and everything else stay. `exposure_drift` makes the exposure of both cameras hunt by up to that
    share, up and down within one to two seconds, in place of the slow drift of 6 %.
    `one_rig` sends the same car through all drives, as a data set of one vehicle has it; else the
    cameras sit and look a little differently on each date.

    Raises:
        ValueError: a setting is impossible; the message names it, its value and its range.
    """

    drives: int = 6
    frames: int = 20
    size: tuple[int, int] = (640, 192)
    seed: int = 0
    baseline: float = 0.54
    supersampling: int = 2
    image_format: str = "png"
    velodyne: bool = True
    perfect_sensor: bool = False
    lead_in_every_drive: bool = False
    standing_frames: int = 0
    plain: bool = False
    exposure_drift: float | None = None
    one_rig: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.drives <= MOST_DRIVES:
            raise ValueError(
                f"drives: expected 2 to {MOST_DRIVES} (one to train on, one held out), "
                f"got {self.drives}"
            )
        if not 2 <= self.frames <= MOST_FRAMES:
            raise ValueError(
                f"frames: expected 2 to {MOST_FRAMES} per drive, got {self.frames}; "
                "for more frames ask for more drives"
            )
        width, height = self.size
        if width < SMALLEST_SIZE[0] or height < SMALLEST_SIZE[1] or max(self.size) > LARGEST_SIDE:
            raise ValueError(
                f"size: expected width x height from {SMALLEST_SIZE[0]}x{SMALLEST_SIZE[1]} to "
                f"{LARGEST_SIDE}x{LARGEST_SIDE}, got {width}x{height}"
            )
        if self.seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {self.seed}")
        if not BASELINES[0] <= self.baseline <= BASELINES[1]:
            raise ValueError(
                f"baseline: expected {BASELINES[0]} to {BASELINES[1]} metres, got {self.baseline}"
            )
        if not 1 <= self.supersampling <= LARGEST_SUPERSAMPLING:
            raise ValueError(
                f"supersampling: expected 1 to {LARGEST_SUPERSAMPLING} rays per pixel side, "
                f"got {self.supersampling}"
            )
        if self.image_format not in ("png", "jpg"):
            raise ValueError(f"image_format: expected png or jpg, got {self.image_format!r}")
        most = self.frames - 2 * (BRAKING_FRAMES + 1)
        if self.standing_frames and not FEWEST_STANDING <= self.standing_frames <= most:
            raise ValueError(
                f"standing_frames: expected 0 (none), or from {FEWEST_STANDING} on so many that "
                f"braking, starting and a frame at either end fit into {self.frames} frames, got "
                f"{self.standing_frames}; raise frames or lower it"
            )

        self._check_drift()

    def _check_drift(self) -> None:
        drift = self.exposure_drift
        if drift is not None and not 0 <= drift <= MOST_DRIFT:
            raise ValueError(
                f"exposure_drift: expected a share from 0 (none) to {MOST_DRIFT}, got {drift:g}; "
                "0.35 is a camera that hunts"
            )
        if drift and self.perfect_sensor:
            raise ValueError(
                f"exposure_drift: expected none of a perfect sensor, got {drift:g}; leave out one "
                "of perfect_sensor and exposure_drift"
            )

    def rig_of(self, drive: int) -> int:
        """Which rig a drive is taken with, counted from 0."""
        return 0 if self.one_rig else drive // DRIVES_PER_DATE

    def plans(self) -> tuple[DrivePlan, ...]:
        """The drives in order. The last is held out for the test; with five or more drives the
        last but one is held out for validation, with fewer the test drive serves both.
        """
        return tuple(self._plan(index) for index in range(self.drives))

    def _plan(self, index: int) -> DrivePlan:
        from_end = self.drives - 1 - index
        two_held_out = self.drives >= FEWEST_DRIVES_FOR_TWO_HELD_OUT
        if from_end == 0:
            roles = (Role.TEST,) if two_held_out else (Role.VALIDATION, Role.TEST)
        elif from_end == 1 and two_held_out:
            roles = (Role.VALIDATION,)
        else:
            roles = (Role.TRAIN,)
        # Counted from the end, so that the styles of the held-out drives come again in training
        # and the test drive always holds a vehicle that does not move in the image.
        styles = (Style.URBAN, Style.SUBURB, Style.COUNTRY)
        return DrivePlan(
            index=index,
            date=_date(index // DRIVES_PER_DATE),
            roles=roles,
            style=styles[from_end % len(styles)],
            lead_vehicle=self.lead_in_every_drive or from_end % 2 == 0,
            standing=self._standing() if from_end % 2 == 1 and Role.TRAIN in roles else None,
        )

    def _standing(self) -> tuple[int, int] | None:
        if not self.standing_frames:
            return None
        first = (self.frames - self.standing_frames) // 2
        return first, first + self.standing_frames - 1

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON knows them, without `SILENT_SETTINGS` at their silent values."""
        values = {**asdict(self), "size": list(self.size)}
        silent = [name for name, value in SILENT_SETTINGS.items() if values[name] == value]
        return {name: value for name, value in values.items() if name not in silent}


def _date(number: int) -> str:
    """Days of 28-day months from 2030 on: dates on which KITTI recorded nothing."""
    month, day = divmod(number, DAYS_IN_MONTH)
    year, month = divmod(month, 12)
    return f"{2030 + year:04d}_{month + 1:02d}_{day + FIRST_DAY:02d}"
