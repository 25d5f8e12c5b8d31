"""A small Cityscapes in its true layout, at its true size: pictures of one brightness."""

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

SIZE = (1024, 2048)
CITY = "train/aachen"
SEQUENCE = f"{CITY}/aachen_000000"
FX, FY, U0, V0, BASELINE = 2262.5, 2265.3, 1096.9, 513.1, 0.2093


def write_frames(
    root: Path,
    numbers: Iterable[int] = (19,),
    sequence: str = SEQUENCE,
    kinds: Iterable[str] = ("leftImg8bit", "rightImg8bit"),
    ending: str = "",
) -> Path:
    """Images of the annotated frames or, by the ending `_sequence`, of whole snippets."""
    place, _, name = sequence.rpartition("/")
    for kind in kinds:
        for number in numbers:
            path = root / f"{kind}{ending}" / place / f"{name}_{number:06d}_{kind}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((*SIZE, 3), 60 + number, np.uint8))
    return root


def write_camera(root: Path, number: int = 19, sequence: str = SEQUENCE, fx: float = FX) -> Path:
    content = {
        "extrinsic": {"baseline": BASELINE, "pitch": 0.038, "roll": 0.0, "x": 1.7, "z": 1.22},
        "intrinsic": {"fx": fx, "fy": FY, "u0": U0, "v0": V0},
    }
    path = _path(root, "camera", number, sequence, ".json")
    path.write_text(json.dumps(content))
    return path


def write_disparity(root: Path, values: np.ndarray, number: int = 19) -> Path:
    """The PNG's own whole numbers: 0 is none, else disparity x 256 + 1."""
    path = _path(root, "disparity", number, SEQUENCE, ".png")
    cv2.imwrite(str(path), values.astype(np.uint16))
    return path


def write_speed(root: Path, number: int, speed: float) -> Path:
    path = _path(root, "vehicle", number, SEQUENCE, ".json", "_sequence")
    path.write_text(json.dumps({"gpsHeading": 281, "speed": speed, "yawRate": 0.01}))
    return path


def write_time(root: Path, number: int, seconds: float) -> Path:
    path = _path(root, "timestamp", number, SEQUENCE, ".txt", "_sequence")
    path.write_text(f"{round(seconds * 1e9)}\n")
    return path


def _path(root: Path, kind: str, number: int, sequence: str, suffix: str, ending: str = "") -> Path:
    place, _, name = sequence.rpartition("/")
    path = root / f"{kind}{ending}" / place / f"{name}_{number:06d}_{kind}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
