"""KITTI Stereo 2015: pairs without calibration, and true disparity of the left image."""

from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float32

from leadline.data.depth_files import read_disparity
from leadline.data.image_files import list_images
from leadline.data.sources.base import FrameId, Source

Visible = Literal["noc", "occ"]
"""Truth where the right image sees the point as well, or also where it does not."""
_IMAGE_FOLDERS = ("image_2", "image_3")
_SEQUENCE = "training"
_PAIR_ENDING = "_10"
"""Of the two moments of a scene, the one that has truth."""


class KittiStereo2015(Source):
    """The pairs below `root/training`: disparity can be judged, metres cannot, without cameras.

    Raises:
        FileNotFoundError: no pairs.
    """

    def __init__(self, root: str | Path) -> None:
        given = Path(root)
        self.root = given if (given / _IMAGE_FOLDERS[0]).is_dir() else given / _SEQUENCE
        self._paths = {
            FrameId(_SEQUENCE, int(path.stem.removesuffix(_PAIR_ENDING)), camera): path
            for camera, folder in enumerate(_IMAGE_FOLDERS)
            for path in list_images(self.root / folder)
            if path.stem.endswith(_PAIR_ENDING) and path.stem.removesuffix(_PAIR_ENDING).isdigit()
        }
        if not self._paths:
            raise FileNotFoundError(
                f"{root}: expected training/image_2/000000_10.png and so on, found none; "
                "give the folder of the KITTI Stereo 2015 archive"
            )
        super().__init__(self._paths)

    def image_path(self, frame: FrameId) -> Path:
        return self._paths[frame]

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        return PurePosixPath(_SEQUENCE, _IMAGE_FOLDERS[frame.camera], self._file_name(frame))

    def rig(self, sequence: str) -> None:
        return None

    def remarks(self) -> tuple[str, ...]:
        return ("no calibration comes with KITTI Stereo 2015: disparity only, no metres",)

    def true_disparity(
        self, frame: FrameId, visible: Visible = "noc"
    ) -> Float32[np.ndarray, "h w"] | None:
        """Disparity in pixels of a left image, 0 = none; None for right images and absent files.

        Raises:
            ValueError: the file is damaged.
        """
        path = self.root / f"disp_{visible}_0" / self._file_name(frame)
        return read_disparity(path) if frame.camera == 0 and path.is_file() else None

    def _file_name(self, frame: FrameId) -> str:
        return f"{frame.index:06d}{_PAIR_ENDING}.png"
