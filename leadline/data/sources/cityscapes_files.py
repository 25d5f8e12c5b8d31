"""Cityscapes' small files: camera, speed of the vehicle, time of a frame."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leadline.data.sources.base import RigCamera

NATIVE_SIZE = (1024, 2048)
"""(h, w) of all images; camera files do not say it."""
_NANOSECOND = 1e-9


def read_rig(path: Path) -> tuple[RigCamera, RigCamera]:
    """The rectified pair of a camera file, left first; the rig's frame is that of the left camera.

    Raises:
        ValueError: one line: the file is damaged or lacks a number.
    """
    content = _read(path)
    fx, fy, u0, v0 = (_number(path, content, "intrinsic", key) for key in ("fx", "fy", "u0", "v0"))
    baseline = _number(path, content, "extrinsic", "baseline")
    if min(fx, fy, baseline) <= 0:
        raise ValueError(
            f"{path}: expected positive fx, fy and baseline, got {fx:g}, {fy:g} and {baseline:g}; "
            "copy it again"
        )
    intrinsics = np.array([[fx, 0, u0], [0, fy, v0], [0, 0, 1]])
    rig_to_right = np.eye(4)
    rig_to_right[0, 3] = -baseline
    return (
        RigCamera(intrinsics, NATIVE_SIZE, np.eye(4)),
        RigCamera(intrinsics, NATIVE_SIZE, rig_to_right),
    )


def read_speed(path: Path) -> float:
    """Metres a second of a vehicle file, NaN where it is absent or damaged."""
    try:
        return abs(_number(path, _read(path), "speed"))
    except (OSError, ValueError):
        return math.nan


def read_time(path: Path) -> float:
    """Seconds of a timestamp file, which counts nanoseconds; NaN where it is absent or damaged."""
    try:
        return float(path.read_text(encoding="utf-8")) * _NANOSECOND
    except (OSError, ValueError):
        return math.nan


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}; copy the file again") from None


def _number(path: Path, content: Any, *keys: str) -> float:
    value = content
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(
            f"{path}: expected a number as {'.'.join(keys)}, got {value!r}; copy the file again"
        )
    return float(value)
