"""How far a camera travelled, from what vehicles and phones record: speeds, tracks, trajectories.

Each becomes a path: for every frame the metres on the odometer, or a position; the distance between
two frames is that of their places on it. Between two entries a path goes straight; before the first
and after the last, and across a gap of seconds, nothing is known.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float64, Int64

PathKind = Literal["speed", "gpx", "trajectory"]
LONGEST_GAP = 2.0
"""Seconds between two entries across which a path is not continued: speeds are read ten times a
second, GPX tracks once."""
FASTEST, USUALLY_FASTEST = 70.0, 45.0
"""m/s at most and in the median; what is faster than 250 or 160 km/h was likely written in km/h."""
HARDEST = 20.0
"""m/s^2, twice what tyres can do."""
STANDSTILL = 0.01
"""Metres from frame to frame up to which a camera stands, unless it is a slow one."""
SHARE_OF_WAY, USUAL_WAY = 0.05, 0.9
"""A slow camera stands below this share of its usual way, which is that quantile of all: many a
drive stands for half of its time."""
MOST_ASTRAY = 0.5
"""Share of the frames beyond a record of the way, above which it is of another clock."""
FARTHEST_STEP = 20.0
"""Metres from frame to frame at most where no times are known: 70 m/s at 3.5 frames a second."""
_OTHER_UNITS = ("km", "kph", "mph", "mile", "knot")
"""In the header of a file of speeds: what is not m/s."""
_TIME_WORDS, _SPEED_WORDS = ("time", "stamp", "second"), ("speed", "velocity", "m/s")
_NOWHERE = -1
_EARTH = 6_371_008.8
"""Mean radius in metres."""
_TUM_NUMBERS, _KITTI_NUMBERS = 8, 12


@dataclass(frozen=True, eq=False, slots=True)
class TravelledPath:
    """Of every frame its place on a path."""

    places: Float64[np.ndarray, "n k"]
    stretch: Int64[np.ndarray, "n"]
    """Which uninterrupted part of the path it is on; -1 where that is unknown."""

    def distance(self, first: int, second: int) -> float:
        """Metres between two frames; NaN where one of them is not on the path, or a gap lies
        between.
        """
        if self.stretch[first] == _NOWHERE or self.stretch[first] != self.stretch[second]:
            return math.nan
        return float(np.linalg.norm(self.places[second] - self.places[first]))

    def steps(self) -> Float64[np.ndarray, "_"]:
        """Metres from frame to frame, where they are known."""
        known = (self.stretch[1:] == self.stretch[:-1]) & (self.stretch[1:] != _NOWHERE)
        return np.asarray(np.linalg.norm(np.diff(self.places, axis=0), axis=1)[known])


def read_path(
    path: Path, kind: PathKind, times: Float64[np.ndarray, "n"] | None, frames: int
) -> TravelledPath:
    """The places of frames on the path that a file records.

    `times` are those of the frames in seconds, on the clock of the file. `speed`: lines
    `timestamp, m/s`, with or without a header. `gpx`: a track with times (seconds since 1970).
    `trajectory`: positions in metres, in lines `timestamp x y z qx qy qz qw` (TUM), or one line of
    12 numbers, camera to world, for each frame (KITTI), which needs no times.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: one line that says what was expected, what came and what to change.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected the {kind} that the camera file names, found none"
        )
    if kind == "trajectory":
        rows = _read_numbers(path)
        if all(len(row) == _KITTI_NUMBERS for row in rows):
            places = _positions_by_frame(path, rows, frames)
            seconds = np.arange(frames) * (FARTHEST_STEP / FASTEST) if times is None else times
            _refuse_too_fast(path, seconds, places)
            return TravelledPath(places, np.zeros(frames, np.int64))
    if times is None:
        raise ValueError(
            f"{path}: expected to know when each frame was taken; give the camera file "
            "'timestamps' or 'fps'"
        )
    if kind == "speed":
        at, places = _odometer(path, *_read_speeds(path))
    elif kind == "gpx":
        at, places = _read_gpx(path)
    else:
        at, places = _read_tum(path, rows)
    return _at_frames(path, at, places, times)


def _read_speeds(path: Path) -> tuple[np.ndarray, np.ndarray]:
    text = _read_text(path, "utf-8-sig")
    numbered = [
        (number, [cell.strip() for cell in line])
        for number, line in enumerate(csv.reader(text.splitlines()), start=1)
        if any(cell.strip() for cell in line)
    ]
    header = numbered.pop(0)[1] if numbered and not _is_number(numbered[0][1][0]) else None
    columns = _columns(path, header or [""] * len(numbered[0][1] if numbered else []))
    rows = []
    for number, line in numbered:
        try:
            row = [float(line[column]) for column in columns]
        except (ValueError, IndexError):
            row = [math.nan]
        if not np.isfinite(row).all():
            raise ValueError(
                f"{path}: expected 'timestamp, speed' in seconds and m/s in line {number}, got "
                f"{', '.join(line)!r}; correct or remove the line"
            )
        rows.append(row)
    if len(rows) < 2:
        raise ValueError(
            f"{path}: expected lines 'timestamp, speed' in seconds and m/s, two and more; write "
            "e.g. 12.34, 8.9"
        )
    times, speeds = np.array(rows, np.float64).T
    _refuse_other_unit(path, times, np.abs(speeds))
    return times, np.abs(speeds)


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int]:
    """Where times and speeds stand; a header says so, or there are no other columns."""
    named = [name.lower() for name in header]
    if any(unit in name for name in named for unit in _OTHER_UNITS):
        raise ValueError(
            f"{path}: expected speeds in m/s, got a column headed {', '.join(header)!r}; bring "
            "them to m/s (km/h divided by 3.6) and name the column so"
        )
    if len(header) <= 2:
        return 0, 1
    times, speeds = (
        [i for i, name in enumerate(named) if any(word in name for word in words)]
        for words in (_TIME_WORDS, _SPEED_WORDS)
    )
    if len(times) != 1 or len(speeds) != 1:
        came = ", ".join(header) if any(header) else f"{len(header)} columns without one"
        raise ValueError(
            f"{path}: expected two columns, or a header that names one time and one speed, got "
            f"{came}; name them 'timestamp' and 'speed', or remove the others"
        )
    return times[0], speeds[0]


def _refuse_other_unit(path: Path, times: np.ndarray, speeds: np.ndarray) -> None:
    usual = float(np.median(speeds[speeds > STANDSTILL])) if (speeds > STANDSTILL).any() else 0.0
    for value, most in ((float(speeds.max()), FASTEST), (usual, USUALLY_FASTEST)):
        if value > most:
            raise ValueError(
                f"{path}: expected speeds in m/s, got {'up to' if most == FASTEST else 'mostly'} "
                f"{value:g}, which looks like km/h; divide by 3.6"
            )
    seconds = np.diff(times)
    changes = np.abs(np.diff(speeds)) / np.where(seconds > 0, seconds, np.inf)
    if changes.max(initial=0) > HARDEST:
        worst = int(changes.argmax())
        raise ValueError(
            f"{path}: expected the speeds of a vehicle in m/s, got {speeds[worst]:g} and "
            f"{speeds[worst + 1]:g} within {seconds[worst]:g} s at {times[worst]:.10g} s; remove "
            "what jumps, or bring all to m/s and seconds"
        )


def _odometer(path: Path, times: np.ndarray, speeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres since the first entry, by the trapezoid rule."""
    steps = np.diff(times) * (speeds[1:] + speeds[:-1]) / 2
    return times, np.concatenate([[0.0], np.cumsum(steps)])[:, None]


def _read_gpx(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        root = ElementTree.fromstring(_read_text(path, "utf-8-sig"))
        points = [e for e in root.iter() if e.tag.endswith("trkpt")]
        found = [
            (_seconds(_child(e, "time")), float(e.attrib["lat"]), float(e.attrib["lon"]))
            for e in points
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a GPX track whose points have lat, lon and time, got {error}"
        ) from None
    if len(found) < 2:
        raise ValueError(f"{path}: expected a GPX track of two points and more, got {len(found)}")
    values = np.array(found, np.float64)
    # Phones note whole seconds, and now and then two points in one.
    values = values[np.concatenate([[True], np.diff(values[:, 0]) != 0])]
    latitude, longitude = np.radians(values[:, 1]), np.radians(values[:, 2])
    # On so short steps the earth is flat.
    north = _EARTH * np.diff(latitude)
    east = _EARTH * np.cos((latitude[1:] + latitude[:-1]) / 2) * np.diff(longitude)
    metres = np.concatenate([[0.0], np.cumsum(np.hypot(north, east))])
    _refuse_too_fast(path, values[:, 0], metres[:, None])
    return values[:, 0], metres[:, None]


def _refuse_too_fast(path: Path, times: np.ndarray, places: np.ndarray) -> None:
    seconds, metres = np.diff(times), np.linalg.norm(np.diff(places, axis=0), axis=1)
    fastest = (metres / np.where(seconds > 0, seconds, 1)).max(initial=0)
    if fastest > FASTEST:
        raise ValueError(
            f"{path}: expected a vehicle's way in metres, got {fastest:.0f} m/s between two "
            "places; remove those that jump, or bring them to metres"
        )


def _child(element: ElementTree.Element, name: str) -> str:
    for child in element:
        if child.tag.endswith(name) and child.text:
            return child.text.strip()
    raise ValueError(f"a point without {name}")


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _read_numbers(path: Path) -> list[list[float]]:
    lines = _read_text(path, "utf-8").splitlines()
    try:
        rows = [[float(w) for w in line.split()] for line in lines if line.strip()[:1] not in "#"]
    except ValueError:
        rows = []
    finite = all(math.isfinite(value) for row in rows for value in row)
    if not finite or len({len(row) for row in rows}) != 1:
        raise ValueError(
            f"{path}: expected lines 'timestamp x y z qx qy qz qw' or of 12 numbers, a 3x4 pose "
            "for each frame"
        )
    return rows


def _positions_by_frame(
    path: Path, rows: Sequence[Sequence[float]], frames: int
) -> Float64[np.ndarray, "n 3"]:
    if len(rows) != frames:
        raise ValueError(f"{path}: expected a pose for each of {frames} frames, got {len(rows)}")
    return np.array(rows, np.float64).reshape(-1, 3, 4)[:, :, 3]


def _read_tum(path: Path, rows: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    if any(len(row) != _TUM_NUMBERS for row in rows):
        raise ValueError(
            f"{path}: expected lines 'timestamp x y z qx qy qz qw' or of 12 numbers, got "
            f"{len(rows[0])} numbers a line"
        )
    values = np.array(rows, np.float64)
    _refuse_too_fast(path, values[:, 0], values[:, 1:4])
    return values[:, 0], values[:, 1:4]


def _at_frames(
    path: Path, at: np.ndarray, places: np.ndarray, times: Float64[np.ndarray, "n"]
) -> TravelledPath:
    if (np.diff(at) <= 0).any():
        raise ValueError(f"{path}: expected rising times, got one that does not; sort the lines")
    if times[-1] < at[0] or times[0] > at[-1]:
        raise ValueError(
            f"{path}: expected times on the clock of the frames, got {at[0]:.10g} to {at[-1]:.10g} "
            f"s where the frames have {times[0]:.10g} to {times[-1]:.10g} s; give both in seconds "
            "of one clock and one time zone"
        )
    outside = int(((times < at[0]) | (times > at[-1])).sum())
    if outside > MOST_ASTRAY * len(times):
        raise ValueError(
            f"{path}: expected times on the clock of the frames, but {outside} of {len(times)} "
            f"frames lie outside its {at[0]:.10g} to {at[-1]:.10g} s; they have {times[0]:.10g} to "
            f"{times[-1]:.10g} s: give both in seconds of one clock and one time zone"
        )
    found = np.stack([np.interp(times, at, column) for column in places.T], axis=1)
    gaps = np.append(np.diff(at) > LONGEST_GAP, True)
    stretch = np.concatenate([[0], np.cumsum(gaps)[:-1]])
    entry = np.searchsorted(at, times, side="right") - 1
    reached = (entry >= 0) & ((times == at[entry]) | ~gaps[entry])
    return TravelledPath(found, np.where(reached, stretch[entry], _NOWHERE).astype(np.int64))


def _read_text(path: Path, encoding: str) -> str:
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected text in UTF-8, got something else") from None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def usual_way(ways: Sequence[float]) -> float:
    """Metres from frame to frame when a camera moves, of these; 0 of none."""
    return float(np.quantile(ways, USUAL_WAY)) if ways else 0.0


def least_way(ways: Sequence[float]) -> float:
    """Metres up to which a camera that goes these ways from frame to frame stands."""
    usual = usual_way(ways)
    return min(STANDSTILL, SHARE_OF_WAY * usual) if usual > 0 else STANDSTILL
