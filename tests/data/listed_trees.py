"""Small sets of listed images with depth beside them, as lists of NYUv2 and KITTI name them."""

from pathlib import Path

import numpy as np
from data.rgbd_trees import write_depth_png
from data.tiny_trees import SIZE, write_image

from leadline.data.depth_files import write_depth

FOCAL = 518.8579


def depth_of(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Metres, a hole in a corner."""
    depth = np.tile(1 + 0.05 * np.arange(size[1]) + number, (size[0], 1)).astype(np.float32)
    depth[0, :5] = 0
    return depth


def write_listed(
    root: Path, count: int = 4, folder: str = "kitchen", focal: float | None = FOCAL
) -> Path:
    """Images and depth that records its units, and a list with the slash of some lists."""
    lines = []
    for number in range(count):
        image, depth = f"{folder}/rgb_{number:05d}.png", f"{folder}/sync_depth_{number:05d}.png"
        write_image(root / image, seed=number)
        write_depth(root / depth, depth_of(number), 5000)
        lines.append(f"/{image} /{depth}" + (f" {focal}" if focal else ""))
    return write_lines(root / "list.txt", *lines)


def write_lines(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_foreign_depth(path: Path, depth: np.ndarray, divide: float = 1000) -> Path:
    """A PNG that says nothing of its units."""
    return write_depth_png(path, np.rint(depth * divide))


def damage_middle(path: Path) -> Path:
    """Keep head and end, so that only decoding can tell."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = bytes(100)
    path.write_bytes(data)
    return path
