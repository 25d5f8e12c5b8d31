"""A folder of depth maps, one file per image: npy, npz or 16-bit PNG."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from leadline.data.crop_bottom import upper_rows
from leadline.data.depth_files import DEPTH_SUFFIXES, load_depth
from leadline.evaluation.names import name_some, stem_to_id


@dataclass(frozen=True)
class DepthFolder:
    """Depth maps by image id; nothing is read until it is asked for."""

    folder: Path
    files: Mapping[str, Path]
    divide: float | None = None
    """Units of a 16-bit PNG in one metre, where the files do not record it themselves: 256 for
    KITTI, 1000 for millimetres."""
    assumed: float | None = None
    """The same where nobody says it."""
    farthest: float | None = None
    """Metres that 0 is read as, where it stands for what was too far for the format."""
    crop_bottom: float = 0.0
    """Share of the height, at the bottom, in which nothing is predicted: there 0 is missing."""

    @classmethod
    def open(
        cls, folder: Path, divide: float | None = None, assumed: float | None = None
    ) -> "DepthFolder":
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
            if hidden or path.suffix.lower() not in DEPTH_SUFFIXES or not path.is_file():
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
                f"expected depth maps ({', '.join(DEPTH_SUFFIXES)}) in {folder}, got none"
            )
        return cls(folder, files, divide, assumed)

    @property
    def ids(self) -> tuple[str, ...]:
        """The images, in the order of their names."""
        return tuple(self.files)

    def read(self, image_id: str) -> Float64[np.ndarray, "h w"]:
        """One depth map in metres, 0 = missing if nothing is `farthest`; infinitely far is allowed.

        Raises:
            ValueError: the folder has no such id, or the file is not a depth map: its shape, its
                values or its format, or the units of a PNG are unknown or contradict its own.
        """
        if image_id not in self.files:
            raise ValueError(
                f"expected an id of {self.folder}, e.g. {name_some(self.ids)}, got {image_id!r}"
            )
        depth = load_depth(self.files[image_id], self.divide, self.assumed)
        if self.farthest is not None:
            predicted = depth[: upper_rows(len(depth), self.crop_bottom)]
            predicted[predicted == 0] = self.farthest
        return depth
