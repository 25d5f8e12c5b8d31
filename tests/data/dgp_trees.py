"""A small DDAD in its true layout: a vehicle that drives a curve, cameras, a LiDAR with a clock of
its own.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from data.tiny_trees import CX, CY, FOCAL, SIZE, write_image
from scipy.spatial.transform import Rotation

SCENE = "000150"
SEQUENCE = f"{SCENE}/CAMERA_01"
STEP = 0.1
"""Seconds from sample to sample."""
LIDAR_DELAY = 0.04
"""Seconds from the exposure of the cameras to the LiDAR's sweep."""
SPEED = 15.0
YAW_RATE = 0.3
START = 1_568_000_000.0
FORWARD = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
"""Of a camera that looks ahead: x right, y down, z forward -> x forward, y left, z up."""
SENSOR_TO_VEHICLE = {
    "CAMERA_01": (FORWARD, (1.5, 0.1, 1.6)),
    "CAMERA_05": (Rotation.from_euler("z", 90, degrees=True) * FORWARD, (1.0, 0.8, 1.6)),
    "LIDAR": (Rotation.from_euler("z", 5, degrees=True), (0.2, 0.0, 1.9)),
}


def vehicle_to_world(time: float) -> np.ndarray:
    """On a road that turns to the left, on a slope, far from the origin; `time` from the start."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("zy", [0.4 + YAW_RATE * time, 0.05]).as_matrix()
    pose[:3, 3] = [1000 + SPEED * time, -500 + 2 * time, 30 + 0.5 * time]
    return pose


def sensor_to_world(name: str, index: int) -> np.ndarray:
    rotation, translation = SENSOR_TO_VEHICLE[name]
    outer = np.eye(4)
    outer[:3, :3], outer[:3, 3] = rotation.as_matrix(), translation
    return vehicle_to_world(index * STEP + (LIDAR_DELAY if name == "LIDAR" else 0)) @ outer


def as_json(pose: np.ndarray) -> dict[str, Any]:
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    return {
        "translation": dict(zip("xyz", pose[:3, 3].tolist(), strict=True)),
        "rotation": {"qw": w, "qx": x, "qy": y, "qz": z},
        "reference_coordinate_system": "",
    }


def write_scene(
    root: Path,
    scene: str = SCENE,
    count: int = 4,
    cameras: Sequence[str] = ("CAMERA_01",),
    lidar: bool = True,
) -> Path:
    """A scene's folder: images, empty sky for the LiDAR, calibration, and the file of them all."""
    folder = root / scene
    names = [*cameras, *(["LIDAR"] if lidar else [])]
    data, samples = [], []
    for index in range(count):
        entries = [_datum(name, index, count) for name in names]
        for entry in entries:
            _write_file(folder, entry["datum"], index)
        data += entries
        samples.append(
            {
                "id": {"log": "", "timestamp": _iso(index * STEP), "name": "", "index": str(index)},
                "datum_keys": [entry["key"] for entry in entries],
                "calibration_key": "c0",
                "metadata": {},
            }
        )
    _write_calibration(folder / "calibration" / "c0.json", names)
    path = folder / "scene_a1b2.json"
    path.write_text(json.dumps({"name": "", "samples": samples, "data": data}))
    return path


def write_list(root: Path, **scenes: Sequence[str]) -> Path:
    """`ddad.json`, which says what is trained and validated on."""
    numbers = {"train": "0", "val": "1", "test": "2"}
    splits = {
        numbers[name]: {"filenames": [f"{scene}/scene_a1b2.json" for scene in members]}
        for name, members in scenes.items()
    }
    path = root / "ddad.json"
    path.write_text(json.dumps({"metadata": {"name": "DDAD"}, "scene_splits": splits}))
    return path


def write_cloud(scene: Path, index: int, world: np.ndarray) -> Path:
    """The points of a sweep, given in the world, as the LiDAR has them, with their intensity."""
    path = scene.parent / "point_cloud" / "LIDAR" / f"{_stamp(index * STEP + LIDAR_DELAY)}.npz"
    world_to_lidar = np.linalg.inv(sensor_to_world("LIDAR", index))
    points = np.column_stack([world, np.ones(len(world))]) @ world_to_lidar[:3].T
    np.savez(path, data=np.column_stack([points, np.zeros(len(points))]))
    return path


def changed(path: Path, change: Any) -> Path:
    """A JSON file after `change` of its content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def _datum(name: str, index: int, count: int) -> dict[str, Any]:
    time = index * STEP + (LIDAR_DELAY if name == "LIDAR" else 0)
    pose = as_json(sensor_to_world(name, index))
    if name == "LIDAR":
        kind = "point_cloud"
        content: dict[str, Any] = {"filename": f"point_cloud/LIDAR/{_stamp(time)}.npz"}
        content |= {"pose": pose, "point_format": ["X", "Y", "Z", "INTENSITY"]}
    else:
        kind = "image"
        content = {"filename": f"rgb/{name}/{_stamp(time)}.png", "pose": pose, "channels": 3}
        content |= {"height": SIZE[0], "width": SIZE[1], "annotations": {}}
    return {
        "id": {"log": "", "timestamp": _iso(time), "name": name, "index": str(index)},
        "key": f"{name}{index}",
        "datum": {kind: content},
        "next_key": f"{name}{index + 1}" if index + 1 < count else "",
        "prev_key": f"{name}{index - 1}" if index else "",
    }


def _write_file(folder: Path, datum: dict[str, Any], index: int) -> None:
    (content,) = datum.values()
    path = folder / content["filename"]
    if path.suffix == ".png":
        write_image(path, seed=index)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, data=np.zeros((0, 4)))


def _write_calibration(path: Path, names: Sequence[str]) -> None:
    inner = {"fx": FOCAL, "fy": FOCAL + 1, "cx": CX, "cy": CY, "skew": 0.0, "k1": 0.0}
    none = dict.fromkeys(inner, 0.0)
    poses = []
    for name in names:
        rotation, translation = SENSOR_TO_VEHICLE[name]
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation.as_matrix(), translation
        poses.append(as_json(pose))
    path.parent.mkdir(parents=True, exist_ok=True)
    intrinsics = [none if name == "LIDAR" else inner for name in names]
    path.write_text(
        json.dumps({"names": list(names), "intrinsics": intrinsics, "extrinsics": poses})
    )


def _stamp(time: float) -> int:
    return round((START + time) * 1e6)


def _iso(time: float) -> str:
    moment = np.datetime64(_stamp(time), "us")
    return f"{moment}Z"
