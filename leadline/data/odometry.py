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
FASTEST = 70.0
"""m/s; what is faster than 250 km/h was most likely written in km/h."""
STANDSTILL = 0.01
"""Metres from frame to frame below which a camera stands."""
_OTHER_UNITS = ("km", "kph", "mph", "mile", "knot")
"""In the header of a file of speeds: what is not m/s."""
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
            if times is not None:
                _refuse_too_fast(path, times, places)
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
    lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines()) if any(line)]
    if lines and not _is_number(lines[0][0]):
        header = " ".join(lines[0]).lower()
        if any(unit in header for unit in _OTHER_UNITS):
            raise ValueError(
                f"{path}: expected speeds in m/s, got a column headed {', '.join(lines[0])!r}; "
                "bring them to m/s (km/h divided by 3.6) and name the column so"
            )
        lines = lines[1:]
    try:
        values = np.array([[float(cell) for cell in line[:2]] for line in lines], np.float64)
    except ValueError:
        values = np.zeros((0, 2))
    if values.ndim != 2 or len(values) < 2 or values.shape[1] != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"{path}: expected lines 'timestamp, speed' in seconds and m/s, two and more; write "
            "e.g. 12.34, 8.9"
        )
    times, speeds = values.T
    if np.abs(speeds).max() > FASTEST:
        raise ValueError(
            f"{path}: expected speeds in m/s, got up to {np.abs(speeds).max():g}, which looks like "
            "km/h; divide by 3.6"
        )
    return times, np.abs(speeds)


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
    if not rows or len({len(row) for row in rows}) > 1:
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
