"""Small worlds on disk: a textured wall before a stereo rig that moves sideways, as image files."""

from pathlib import Path

import cv2
import numpy as np
import torch
from scenes import texture

from leadline.data.depth_files import write_disparity
from leadline.data.sources.folder import ImageFolder
from leadline.geometry.camera import pixel_grid

BASELINE, DEPTH = 0.5, 8.0
"""Metres."""


def write_stereo_folder(root: Path, count: int = 8, size: tuple[int, int] = (64, 96)) -> Path:
    """`left/`, `right/`, `camera.yaml` and hints of the true disparity beside `root`."""
    height, width = size
    focal = 0.9 * width
    root.mkdir(parents=True, exist_ok=True)
    (root / "camera.yaml").write_text(
        f"model: pinhole\nwidth: {width}\nheight: {height}\nfx: {focal}\nfy: {focal}\n"
        f"cx: {width / 2}\ncy: {height / 2}\nbaseline: {BASELINE}\n"
    )
    disparity = focal * BASELINE / DEPTH
    u, v, _ = pixel_grid(height, width, torch.zeros(1))
    for index in range(count):
        for side, shift in (("left", 0.0), ("right", disparity)):
            picture = texture(u + shift + 3.0 * index, v).movedim(0, -1).numpy()
            path = root / side / f"{index:06d}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), np.rint(picture * 255).astype(np.uint8)[..., ::-1])
    source = ImageFolder(root)
    for frame in source.frames:
        path = hints_of(root) / source.hint_path(frame)
        write_disparity(path, np.full(size, disparity, np.float32), {"mode": "exact"})
    return root


def hints_of(root: Path) -> Path:
    """Where `write_stereo_folder` puts the hints."""
    return root.with_name(f"{root.name}_hints")
