"""Small archives in the layouts of NYUv2 and Make3D, as MATLAB writes them."""

from pathlib import Path

import cv2
import h5py
import numpy as np
from data.tiny_trees import write_image
from scipy.io import savemat

COUNT, SIZE = 4, (48, 64)
"""Frames of the small NYUv2, and (h, w)."""
USER_BLOCK = 512
"""Bytes that MATLAB writes before what is HDF5."""
PICTURE_SIZE = (96, 72)
"""(h, w) of the small Make3D; 3:4, as its pictures are."""


def nyu_frame(index: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture (h, w, RGB) and its depth in metres, all different."""
    generator = np.random.default_rng(index)
    picture = generator.integers(0, 256, (*SIZE, 3), np.uint8)
    return picture, generator.uniform(0.7, 9.9, SIZE).astype(np.float32)


def write_nyu(path: Path, count: int = COUNT, **datasets: np.ndarray | None) -> Path:
    """`images` and `depths` with MATLAB's axes backwards; others given replace them, None leaves
    one out."""
    frames = [nyu_frame(index) for index in range(count)]
    content: dict[str, np.ndarray | None] = {
        "images": np.stack([picture.transpose(2, 1, 0) for picture, _ in frames]),
        "depths": np.stack([depth.T for _, depth in frames]),
        "labels": np.zeros((count, *SIZE[::-1]), np.uint16),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=USER_BLOCK) as file:
        for name, values in (content | datasets).items():
            if values is not None:
                file.create_dataset(name, data=values, chunks=(1, *values.shape[1:]))
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def write_splits(path: Path, train: object = (1, 4), test: object = (2, 3)) -> Path:
    """The official lists, as columns of doubles, counted from 1."""
    columns = {
        "trainNdxs": np.array(train, np.float64)[:, None],
        "testNdxs": np.array(test, np.float64)[:, None],
    }
    savemat(path, columns)
    return path


def make3d_grid(seed: int = 0) -> np.ndarray:
    """Position3DGrid: three coordinates, then depth in metres."""
    return np.random.default_rng(seed).uniform(1, 80, (55, 305, 4))


def write_make3d_picture(folder: Path, name: str, size: tuple[int, int] = PICTURE_SIZE) -> Path:
    return write_image(folder / f"img-{name}.jpg", size, seed=len(name))


def write_make3d_scan(folder: Path, name: str, **variables: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"depth_sph_corr-{name}.mat"
    savemat(path, variables or {"Position3DGrid": make3d_grid(), "Other": np.eye(2)})
    return path


def make3d_picture(path: Path) -> np.ndarray:
    """What the JPEG holds, in RGB."""
    return cv2.imread(str(path))[..., ::-1]
