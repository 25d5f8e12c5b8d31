"""DGP's files, the format of DDAD: scenes, calibrations, lists of scenes, point clouds.

DGP writes protocol buffers as JSON, where a number that is 0 may be left out.
"""

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from leadline.data.sources.quaternion import quaternion_to_matrix

_SPLIT_NAMES = {"0": "train", "1": "val", "2": "test"}
"""DGP's numbers of its splits."""
_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_MICROSECOND = 1e-6
_POINTS = "data"
"""The array of a point cloud's `.npz`."""


@dataclass(frozen=True, eq=False, slots=True)
class Datum:
    """What one sensor measured at one moment."""

    path: Path
    seconds: float
    """Since 1970, by the sensor's own clock; NaN where unknown."""
    sensor_to_world: Float64[np.ndarray, "4 4"] | None
    """At that very moment, metres."""
    size: tuple[int, int] | None = None
    """(h, w) of an image."""


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """A sample of a scene: what the sensors measured at about one time."""

    calibration: Path
    images: Mapping[str, Datum]
    """By the name of the camera."""
    cloud: Datum | None
    cloud_sensor: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class SensorCalibration:
    """One sensor by its calibration file."""

    intrinsics: Float64[np.ndarray, "3 3"]
    """Pixels; all 0 of a LiDAR."""
    distortion: Mapping[str, float]
    """Coefficients that are not 0."""
    sensor_to_vehicle: Float64[np.ndarray, "4 4"] | None


def read_scene(path: Path) -> tuple[Moment, ...]:
    """The moments of a scene in the order of the file.

    Raises:
        ValueError: one line: the file holds something else.
    """
    content = _read_json(path)
    try:
        data = {entry["key"]: entry for entry in content["data"]}
        return tuple(_moment(path.parent, sample, data) for sample in content["samples"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a DGP scene with samples and data, got {error!r}; copy it again"
        ) from None


def read_calibration(path: Path) -> Mapping[str, SensorCalibration]:
    """Every sensor of a calibration file by its name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: one line: the file holds something else.
    """
    content = _read_json(path)
    try:
        sensors = zip(content["names"], content["intrinsics"], content["extrinsics"], strict=True)
        return {name: _sensor(inner, outer) for name, inner, outer in sensors}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected names, intrinsics and extrinsics of the sensors, one each, got "
            f"{error!r}; copy it again"
        ) from None


def read_scene_lists(path: Path) -> Mapping[str, tuple[str, ...]]:
    """The scene files of each split by a data set's own file, relative to it; none where the file
    is about something else.

    Raises:
        ValueError: one line: the file is damaged.
    """
    content = _read_json(path)
    splits = content.get("scene_splits") if isinstance(content, dict) else None
    if not isinstance(splits, dict):
        return {}
    try:
        return {
            _SPLIT_NAMES.get(str(number), str(number)): tuple(map(str, split.get("filenames", ())))
            for number, split in splits.items()
        }
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"{path}: expected filenames under each of scene_splits, got {error!r}; copy it again"
        ) from None


def read_cloud(path: Path) -> Float32[np.ndarray, "p 3"]:
    """Points in metres in the frame of the LiDAR; what else is known of them is left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: one line: the file is damaged or holds something else.
    """
    try:
        # Nothing is unpickled.
        with np.load(path, allow_pickle=False) as content:
            points = np.asarray(content[_POINTS])
    except FileNotFoundError:
        raise
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: expected an npz file with the array '{_POINTS}', got {error}; copy it again"
        ) from None
    numbers = np.issubdtype(points.dtype, np.floating)
    if points.ndim != 2 or points.shape[1] < 3 or not numbers:
        raise ValueError(
            f"{path}: expected '{_POINTS}' as points x (x, y, z, ...), got {points.dtype} of shape "
            f"{points.shape}; copy it again"
        )
    xyz = points[:, :3].astype(np.float32)
    return xyz[np.isfinite(xyz).all(axis=1)]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected JSON, got {error}; copy the file again") from None


def _moment(folder: Path, sample: Any, data: Mapping[str, Any]) -> Moment:
    entries = [data[key] for key in sample["datum_keys"]]
    clouds = dict(_measured(folder, entries, "point_cloud"))
    sensor = "LIDAR" if "LIDAR" in clouds else next(iter(clouds), "")
    return Moment(
        folder / "calibration" / f"{sample['calibration_key']}.json",
        dict(_measured(folder, entries, "image")),
        clouds.get(sensor),
        sensor,
    )


def _measured(folder: Path, entries: list[Any], kind: str) -> Iterator[tuple[str, Datum]]:
    for entry in entries:
        content = entry["datum"].get(kind)
        if content is None:
            continue
        height, width = (int(content.get(side, 0)) for side in ("height", "width"))
        yield (
            entry["id"]["name"],
            Datum(
                folder / content["filename"],
                _seconds(entry["id"].get("timestamp")),
                _rigid(content.get("pose") or entry.get("pose")),
                (height, width) if height and width else None,
            ),
        )


def _sensor(inner: Any, outer: Any) -> SensorCalibration:
    fx, fy, cx, cy, skew = (float(inner.get(key, 0)) for key in ("fx", "fy", "cx", "cy", "skew"))
    coefficients = {key: float(inner.get(key, 0)) for key in _DISTORTION}
    return SensorCalibration(
        np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]]),
        {key: value for key, value in coefficients.items() if value != 0},
        _rigid(outer),
    )


def _seconds(stamp: Any) -> float:
    """A time as text of ISO 8601 or as microseconds; NaN where it is neither."""
    if isinstance(stamp, int | float) or (isinstance(stamp, str) and stamp.isdigit()):
        return float(stamp) * _MICROSECOND
    try:
        time = datetime.fromisoformat(stamp)
    except (TypeError, ValueError):
        return math.nan
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _rigid(pose: Any) -> Float64[np.ndarray, "4 4"] | None:
    """A motion from its rotation (quaternion) and translation; None where it says no rotation."""
    if not pose:
        return None
    rotation, translation = pose.get("rotation") or {}, pose.get("translation") or {}
    quaternion = [float(rotation.get(key, 0)) for key in ("qx", "qy", "qz", "qw")]
    moved = np.array([float(translation.get(key, 0)) for key in ("x", "y", "z")])
    if not np.isfinite(moved).all():
        return None
    matrix = np.eye(4)
    try:
        matrix[:3, :3] = quaternion_to_matrix(*quaternion)
    except ValueError:
        return None
    matrix[:3, 3] = moved
    return matrix
