"""`camera.yaml`, the one file that a user writes: text -> a checked pinhole camera."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import numpy as np
import yaml
from jaxtyping import Float64

from leadline.data.odometry import PathKind

CAMERA_FILE = "camera.yaml"
EXAMPLE = (
    "model: pinhole, K: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels, width, height and, "
    "for stereo, baseline in metres"
)
_KEYS = (
    "model", "K", "fx", "fy", "cx", "cy", "width", "height", "baseline", "distortion",
    "fps", "timestamps", "left", "right", *get_args(PathKind),
)  # fmt: skip
_SMALLEST_FOCAL = 2.0
"""A focal length below two pixels is one that was divided by the image size."""
_LARGEST_BASELINE = 5.0
"""Metres; rigs are narrower, and anything more is most likely in millimetres."""


@dataclass(frozen=True, eq=False, slots=True)
class CameraFile:
    """What a camera file says, checked: intrinsics in pixels of images of `size` (h, w)."""

    path: Path
    intrinsics: Float64[np.ndarray, "3 3"]
    size: tuple[int, int]
    baseline: float | None = None
    fps: float | None = None
    timestamps: str | None = None
    """Name of a text file in each sequence's folder: seconds, one frame per line."""
    left: str | None = None
    right: str | None = None
    path_kind: PathKind | None = None
    """What tells how far the camera travelled, in a file of each sequence's folder."""
    path_file: str | None = None


def read_camera_file(path: Path) -> CameraFile:
    """Read and check a camera file.

    Raises:
        ValueError: one line that says what was expected, what came and what to change.
    """
    content = _load(path)
    _check_keys(path, content)
    _check_model(path, content)
    size = (_side(path, content, "height"), _side(path, content, "width"))
    intrinsics = _intrinsics(path, content)
    _check_intrinsics(path, intrinsics, size)
    kind, file = _travelled(path, content)
    return CameraFile(
        path,
        intrinsics,
        size,
        baseline=_baseline(path, content),
        fps=_positive(path, content, "fps"),
        timestamps=_name(path, content, "timestamps"),
        left=_name(path, content, "left"),
        right=_name(path, content, "right"),
        path_kind=kind,
        path_file=file,
    )


def _travelled(path: Path, content: Mapping[str, Any]) -> tuple[PathKind, str] | tuple[None, None]:
    found = [kind for kind in get_args(PathKind) if content.get(kind) is not None]
    if len(found) > 1:
        raise ValueError(f"{path}: expected one of {' and '.join(found)}; leave out the other")
    for kind in found:
        name = _name(path, content, kind)
        assert name is not None
        return kind, name
    return None, None


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected YAML, got {reason}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected keys and values ({EXAMPLE}), got {content!r}")
    return content


def _check_keys(path: Path, content: Mapping[str, Any]) -> None:
    for key in content:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
            advice = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_KEYS)}"
            raise ValueError(f"{path}: unknown key '{key}'; {advice}")


def _check_model(path: Path, content: Mapping[str, Any]) -> None:
    model = content.get("model", "pinhole")
    if model != "pinhole":
        raise ValueError(
            f"{path}: expected 'model: pinhole', got {model!r}; undistort (and rectify) the images "
            "first, e.g. with cv2.fisheye or cv2.stereoRectify, and give the new camera"
        )
    distortion = np.asarray(content.get("distortion") or 0)
    if not np.issubdtype(distortion.dtype, np.number) or (distortion != 0).any():
        raise ValueError(
            f"{path}: expected images without distortion, got distortion "
            f"{content['distortion']}; undistort them first, e.g. with cv2.undistort, and leave "
            "the key out"
        )


def _intrinsics(path: Path, content: Mapping[str, Any]) -> Float64[np.ndarray, "3 3"]:
    single = [key for key in ("fx", "fy", "cx", "cy") if key in content]
    if ("K" in content) == bool(single):
        raise ValueError(f"{path}: expected either K or fx, fy, cx, cy in pixels; give one of both")
    if single:
        fx, fy, cx, cy = (_number(path, content, key) for key in ("fx", "fy", "cx", "cy"))
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    try:
        matrix = np.array(content["K"], np.float64).reshape(3, 3)
    except (ValueError, TypeError):
        matrix = np.full((3, 3), np.nan)
    if not np.isfinite(matrix).all() or (matrix[[1, 2, 2], [0, 0, 1]] != 0).any():
        raise ValueError(
            f"{path}: expected K as [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels, "
            f"got {content['K']}"
        )
    return matrix / matrix[2, 2] if matrix[2, 2] else matrix


def _check_intrinsics(
    path: Path, intrinsics: Float64[np.ndarray, "3 3"], size: tuple[int, int]
) -> None:
    focal = intrinsics[[0, 1], [0, 1]]
    centre = intrinsics[:2, 2]
    sides = np.array(size[::-1])
    if (focal < _SMALLEST_FOCAL).any():
        raise ValueError(
            f"{path}: expected fx and fy in pixels, got {focal[0]:g} and {focal[1]:g}, which look "
            f"divided by the image size; multiply row 1 of K by the width {sides[0]} and row 2 by "
            f"the height {sides[1]}"
        )
    if (centre < 0).any() or (centre > sides).any():
        raise ValueError(
            f"{path}: K does not fit the size: (cx, cy) = ({centre[0]:g}, {centre[1]:g}) lies "
            f"outside an image of {sides[0]}x{sides[1]}; give K in pixels of this very size"
        )


def _baseline(path: Path, content: Mapping[str, Any]) -> float | None:
    if content.get("baseline") is None:
        return None
    baseline = _number(path, content, "baseline")
    if baseline <= 0:
        raise ValueError(
            f"{path}: expected a positive baseline in metres, got {baseline:g}; give the distance "
            "between the cameras (if the images are swapped, swap the folders)"
        )
    if baseline > _LARGEST_BASELINE:
        raise ValueError(
            f"{path}: expected a baseline in metres, got {baseline:g}, which looks like "
            f"millimetres; write {baseline / 1000:g}"
        )
    return baseline


def _side(path: Path, content: Mapping[str, Any], key: str) -> int:
    value = _number(path, content, key)
    if value != int(value) or value < 1:
        raise ValueError(f"{path}: expected {key} in whole pixels, got {value:g}")
    return int(value)


def _positive(path: Path, content: Mapping[str, Any], key: str) -> float | None:
    if content.get(key) is None:
        return None
    value = _number(path, content, key)
    if value <= 0:
        raise ValueError(f"{path}: expected a positive number for '{key}', got {value:g}")
    return value


def _number(path: Path, content: Mapping[str, Any], key: str) -> float:
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        came = "nothing" if value is None else repr(value)
        raise ValueError(f"{path}: expected a number for '{key}', got {came}; it needs {EXAMPLE}")
    return float(value)


def _name(path: Path, content: Mapping[str, Any], key: str) -> str | None:
    value = content.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{path}: expected a name for '{key}', got {value!r}")
    return value
