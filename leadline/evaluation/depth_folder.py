"""Reads a folder of depth maps, one file per image: npy, npz or 16-bit PNG."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float64

from leadline.evaluation.names import name_some, stem_to_id

SUFFIXES = (".npy", ".npz", ".png")
KNOWN_KEYS = ("velodyne_depth", "depth")
"""Read first from an npz, in this order; else its first array."""


@dataclass(frozen=True)
class DepthFolder:
    """Depth maps by image id; nothing is read until it is asked for."""

    folder: Path
    files: Mapping[str, Path]
    divide: float | None = None
    """Units of a 16-bit PNG in one metre: 256 for KITTI, 1000 for millimetres."""

    @classmethod
    def open(cls, folder: Path, divide: float | None = None) -> "DepthFolder":
        """List a folder and what lies below it; the id of a file is its path there without suffix.

        Raises:
            FileNotFoundError: there is no such folder, or no depth map in it.
            ValueError: two files have one id.
        """
        if not folder.is_dir():
            raise FileNotFoundError(f"expected a folder of depth maps, got no folder {folder}")
        files: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file():
                continue
            image_id = stem_to_id((relative.parent / relative.stem).as_posix())
            if image_id in files:
                raise ValueError(
                    f"expected one file per image in {folder}, got {files[image_id].name} and "
                    f"{path.name} for {image_id!r}; keep one of them"
                )
            files[image_id] = path
        if not files:
            raise FileNotFoundError(
                f"expected depth maps ({', '.join(SUFFIXES)}) in {folder}, got none"
            )
        return cls(folder, files, divide)

    @property
    def ids(self) -> tuple[str, ...]:
        """The images, in the order of their names."""
        return tuple(self.files)

    def read(self, image_id: str) -> Float64[np.ndarray, "h w"]:
        """One depth map in metres, 0 = missing; infinitely far is allowed.

        Raises:
            ValueError: the folder has no such id, or the file is not a depth map: its shape, its
                values or its format.
        """
        if image_id not in self.files:
            raise ValueError(
                f"expected an id of {self.folder}, e.g. {name_some(self.ids)}, got {image_id!r}"
            )
        path = self.files[image_id]
        values = self._read_png(path) if path.suffix.lower() == ".png" else _read_numpy(path)
        return _checked_depth(values, path)

    def _read_png(self, path: Path) -> np.ndarray:
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if values is None:
            raise ValueError(f"expected a 16-bit PNG, got {path}, which cannot be read")
        if values.dtype != np.uint16:
            raise ValueError(
                f"expected a 16-bit PNG of depth, got {path} with {values.dtype} of shape "
                f"{values.shape}: a picture, not a measurement; export depth as npy or 16-bit PNG"
            )
        if self.divide is None:
            raise ValueError(
                f"expected the units per metre of {path}, got none; "
                "pass divide=256 (KITTI) or divide=1000 (millimetres), `--divide` of the command"
            )
        return np.asarray(values, dtype=np.float64) / self.divide


def _read_numpy(path: Path) -> np.ndarray:
    # Nothing is unpickled: np.load refuses object arrays by itself.
    try:
        loaded = np.load(path)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            key = next((key for key in KNOWN_KEYS if key in loaded.files), None) or loaded.files[0]
            return np.asarray(loaded[key])
    except (ValueError, OSError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"expected an array of numbers in {path}, got a file that cannot be read so: {error}"
        ) from error


def _checked_depth(values: np.ndarray, path: Path) -> Float64[np.ndarray, "h w"]:
    # Singleton axes only in front: a map one pixel high or wide keeps its two axes.
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"expected a depth map of h x w in {path}, got the shape {values.shape}; "
            "write one file per image"
        )
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise ValueError(f"expected metres in {path}, got {values.dtype}")
    depth = values.astype(np.float64)
    wrong = np.count_nonzero(~(depth >= 0))
    if wrong:
        raise ValueError(
            f"expected depth of 0 (missing) or more metres in {path}, "
            f"got NaN or negative values at {wrong} of {depth.size} pixels"
        )
    return depth
