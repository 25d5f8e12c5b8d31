"""The folders and files of a drive, laid out as KITTI raw with the exact truth beside them.

ROOT/world.json, ROOT/splits/{train,val,test}.txt
ROOT/<date>/calib_cam_to_cam.txt, calib_velo_to_cam.txt, calib_imu_to_velo.txt
ROOT/<date>/<date>_drive_0001_sync/
    image_02|03/data/0000000000.png, timestamps.txt, poses.txt     camera to first, 3x4 per line
    oxts/data/0000000000.txt, timestamps.txt, dataformat.txt
    velodyne_points/data/0000000000.bin, timestamps.txt            float32 x y z reflectance
    proj_depth/exact/image_02|03/0000000000.npz                    "depth": metres, 0 = sky
    instances/image_02|03/0000000000.png                           uint16, 0 = sky
    kinds/image_02|03/0000000000.png                               uint8, legend in world.json
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from leadline.data.synthetic.drive import Drive, Frame, Motion
from leadline.data.synthetic.oxts import FORMAT, record, timestamps
from leadline.data.synthetic.rig import CAMERAS, Rig
from leadline.data.synthetic.settings import DrivePlan, Role, WorldSettings
from leadline.data.synthetic.trajectory import frame_time
from leadline.files import atomic_path

JPEG_QUALITY = 95
GREY_AND_COLOUR_CAMERAS = (0, 1, 2, 3)
SIDES = ("l", "r")


def write_text(path: Path, lines: Iterable[str]) -> None:
    """Write lines, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _row(values: Iterable[float]) -> str:
    return " ".join(f"{value:.12e}" for value in values)


def write_calibration(folder: Path, rig: Rig, date: str) -> None:
    """The three calibration files of a date.

    The cameras are true pinholes without distortion, so that before and after rectification differ
    by a rotation alone.
    """
    time = f"calib_time: {date.replace('_', '-')} 00:00:00"
    cameras = [time, f"corner_dist: {_row([0.0])}"]
    for camera in GREY_AND_COLOUR_CAMERAS:
        position = rig.rectification.T @ [-rig.camera_x(camera), 0.0, 0.0]
        entries: dict[str, Any] = {
            "S": rig.size,
            "K": rig.intrinsics,
            "D": np.zeros(5),
            "R": np.eye(3),
            "T": position,
            "S_rect": rig.size,
            "R_rect": rig.rectification,
            "P_rect": rig.projection(camera),
        }
        cameras += [
            f"{key}_{camera:02d}: {_row(np.ravel(v).astype(np.float64))}"
            for key, v in entries.items()
        ]
    write_text(folder / "calib_cam_to_cam.txt", cameras)
    for name, motion in (
        ("calib_velo_to_cam.txt", rig.velo_to_camera0),
        ("calib_imu_to_velo.txt", rig.imu_to_velo),
    ):
        rotation, shift = _row(motion[:3, :3].ravel()), _row(motion[:3, 3])
        write_text(folder / name, [time, f"R: {rotation}", f"T: {shift}"])


def _image_folder(camera: int) -> str:
    return f"image_{camera:02d}"


def frame_paths(folder: Path, number: int, settings: WorldSettings) -> dict[str, Path]:
    """Every file of one frame, by what it holds."""
    name = f"{number:010d}"
    paths = {}
    for camera in CAMERAS:
        image = _image_folder(camera)
        suffix = settings.image_format
        paths[f"picture {camera}"] = folder / image / "data" / f"{name}.{suffix}"
        paths[f"depth {camera}"] = folder / "proj_depth" / "exact" / image / f"{name}.npz"
        paths[f"instances {camera}"] = folder / "instances" / image / f"{name}.png"
        paths[f"kinds {camera}"] = folder / "kinds" / image / f"{name}.png"
    if settings.velodyne:
        paths["points"] = folder / "velodyne_points" / "data" / f"{name}.bin"
    return paths


def write_frame(folder: Path, number: int, frame: Frame, settings: WorldSettings) -> None:
    """The pictures, the truth and the scan of one frame."""
    paths = frame_paths(folder, number, settings)
    for camera, picture, view in zip(CAMERAS, frame.pictures, frame.views, strict=True):
        _write_image(paths[f"picture {camera}"], picture)
        _write_image(paths[f"instances {camera}"], view.instance.astype(np.uint16))
        _write_image(paths[f"kinds {camera}"], view.kind.astype(np.uint8))
        with atomic_path(paths[f"depth {camera}"]) as temporary:
            np.savez_compressed(temporary, depth=view.depth)
    if frame.points is not None:
        with atomic_path(paths["points"]) as temporary:
            frame.points.astype("<f4").tofile(temporary)


def _write_image(path: Path, pixels: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        # PNG ignores the JPEG options; 0 keeps the colours at full size (4:4:4).
        Image.fromarray(pixels).save(temporary, quality=JPEG_QUALITY, subsampling=0)


def record_paths(folder: Path, settings: WorldSettings) -> list[Path]:
    """Every small file of a drive."""
    sensors = [*map(_image_folder, CAMERAS), "oxts"]
    sensors += ["velodyne_points"] if settings.velodyne else []
    return [
        *(folder / sensor / "timestamps.txt" for sensor in sensors),
        *(folder / _image_folder(camera) / "poses.txt" for camera in CAMERAS),
        folder / "oxts" / "dataformat.txt",
        *(folder / "oxts" / "data" / f"{number:010d}.txt" for number in range(settings.frames)),
    ]


def write_records(folder: Path, drive: Drive) -> None:
    """Time stamps, poses and the inertial unit's records of a drive."""
    settings, motion = drive.settings, drive.motion
    stamps = timestamps(drive.plan, settings.frames)
    for path in record_paths(folder, settings):
        if path.name == "timestamps.txt":
            write_text(path, stamps)
    for camera in CAMERAS:
        poses = _poses(motion, camera, settings.frames)
        write_text(folder / _image_folder(camera) / "poses.txt", poses)
    write_text(folder / "oxts" / "dataformat.txt", FORMAT)
    for number in range(settings.frames):
        values = record(motion.trajectory, frame_time(number))
        write_text(folder / "oxts" / "data" / f"{number:010d}.txt", [values])


def _poses(motion: Motion, camera: int, frames: int) -> list[str]:
    world_to_first = np.linalg.inv(motion.camera_to_world(camera, 0))
    return [
        _row((world_to_first @ motion.camera_to_world(camera, number))[:3].ravel())
        for number in range(frames)
    ]


def write_splits(root: Path, settings: WorldSettings) -> None:
    """Lines `date/drive frame l|r`: both cameras are targets in training, the left one after."""
    plans: Sequence[DrivePlan] = settings.plans()
    for role in Role:
        sides = SIDES if role == Role.TRAIN else SIDES[:1]
        lines = [
            f"{plan.path} {number} {side}"
            for plan in plans
            if role in plan.roles
            for number in range(settings.frames)
            for side in sides
        ]
        write_text(root / "splits" / f"{role}.txt", lines)
