"""Small data sets in the layouts that the sources read, made of numpy noise, for tests."""

import struct
from pathlib import Path
from zlib import compress, crc32

import cv2
import numpy as np

DATE = "2011_09_26"
DRIVE = "2011_09_26_drive_0001_sync"
SEQUENCE = f"{DATE}/{DRIVE}"
SIZE = (24, 64)
FOCAL, CX, CY, BASELINE = 40.0, 30.5, 11.0, 0.5
LIDAR_ROTATION = "0 -1 0 0 0 -1 1 0 0"
"""x forward, y left, z up -> x right, y down, z forward."""
LIDAR_TRANSLATION = "0.01 -0.08 -0.27"


def write_image(path: Path, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """A smooth random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    pixels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), pixels)
    return path


def write_giant(path: Path, side: int = 20_000) -> Path:
    """A PNG that says it has `side` x `side` pixels, with hardly any of them in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", compress(bytes(100))), chunk(b"IEND", b""))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def write_calibration(
    folder: Path, size: tuple[int, int] = SIZE, lidar: bool = True, focal: float = FOCAL
) -> None:
    """A date's calibration: cameras 0.1 m left and `BASELINE` - 0.1 m right of camera 0."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["calib_time: 09-Jan-2012 13:57:47", "R_rect_00: 1 0 0 0 1 0 0 0 1"]
    for number, x in (("02", -0.1), ("03", BASELINE - 0.1)):
        row = f"{focal} 0 {CX} {-focal * x} 0 {focal} {CY} 0 0 0 1 0"
        lines += [f"S_rect_{number}: {size[1]} {size[0]}", f"P_rect_{number}: {row}"]
    (folder / "calib_cam_to_cam.txt").write_text("\n".join(lines))
    if lidar:
        text = f"calib_time: x\nR: {LIDAR_ROTATION}\nT: {LIDAR_TRANSLATION}\n"
        (folder / "calib_velo_to_cam.txt").write_text(text)


def write_drive(
    root: Path,
    count: int = 4,
    sequence: str = SEQUENCE,
    size: tuple[int, int] = SIZE,
    suffix: str = ".png",
    cameras: tuple[str, ...] = ("image_02", "image_03"),
) -> Path:
    """The images of a drive, without anything beside them."""
    for number, camera in enumerate(cameras):
        for index in range(count):
            path = root / sequence / camera / "data" / f"{index:010d}{suffix}"
            write_image(path, size, seed=100 * number + index)
    return root / sequence


def write_motion(drive: Path, count: int = 4, speed: float = 10.0, step: float = 0.1) -> None:
    """oxts packets of a steady forward speed (the velocity leans upwards) and timestamps."""
    (drive / "oxts" / "data").mkdir(parents=True)
    for index in range(count):
        values = np.zeros(30)
        values[8], values[10] = speed * 0.6, speed * 0.8
        text = " ".join(f"{value:g}" for value in values)
        (drive / "oxts" / "data" / f"{index:010d}.txt").write_text(text)
    stamps = [f"2011-09-26 13:02:{25 + index * step:012.9f}" for index in range(count)]
    for camera in ("image_02", "image_03"):
        (drive / camera / "timestamps.txt").write_text("\n".join(stamps) + "\n")


def write_sweep(drive: Path, index: int, points: np.ndarray) -> Path:
    """A LiDAR sweep of points (x forward, y left, z up)."""
    path = drive / "velodyne_points" / "data" / f"{index:010d}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.hstack([points, np.zeros((len(points), 1))]).astype(np.float32).tofile(path)
    return path


def write_kitti(root: Path, count: int = 4) -> Path:
    """A whole small tree: one drive with calibration, motion and no depth."""
    write_calibration(root / DATE)
    write_motion(write_drive(root, count), count)
    return root


def write_camera_file(folder: Path, **changes: object) -> Path:
    """`camera.yaml` for images of `SIZE`; a change to None leaves the key out."""
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, object] = {
        "model": "pinhole",
        "K": f"[[{FOCAL}, 0, {CX}], [0, {FOCAL}, {CY}], [0, 0, 1]]",
        "width": SIZE[1],
        "height": SIZE[0],
        "baseline": BASELINE,
    }
    content |= changes
    lines = [f"{key}: {value}" for key, value in content.items() if value is not None]
    path = folder / "camera.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_rig(root: Path, count: int = 3, **camera: object) -> Path:
    """A stereo folder with `left/`, `right/` and its camera file."""
    for number, side in enumerate(("left", "right")):
        for index in range(count):
            write_image(root / side / f"f{index}.png", seed=100 * number + index)
    write_camera_file(root, **camera)
    return root


def cut_short(path: Path) -> Path:
    """Keep the first two thirds of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path
