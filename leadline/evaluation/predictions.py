"""Folders of predictions and of truth, made by this program or by another."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from leadline.data.depth_files import KITTI_DIVIDE, MOST_STEPS
from leadline.data.prediction_record import (
    DEPTH_OUTPUTS,
    DIVIDE,
    PredictionSettings,
    find_record,
)
from leadline.evaluation.depth_folder import DepthFolder


def open_predictions(
    folder: Path, divide: float | None = None
) -> tuple[DepthFolder, PredictionSettings | None]:
    """Predicted depth, and what made it where `leadline` did.

    Of a folder by `leadline predict` that kind of output is read which has the most images, of
    several such the most exact; one kind may also be named by its own folder. A network predicts
    every pixel, so that 0 in a PNG of ours is what was too far for it, and is read as the largest
    depth that it holds. `divide` is needed for PNGs of another program.

    Raises:
        FileNotFoundError: there is no such folder, or no depth map in it.
        ValueError: the record of the predictions cannot be read.
    """
    found = find_record(folder)
    if found is None:
        return DepthFolder.open(folder, divide), None
    home, record = found
    crop_bottom = record.settings.crop_bottom
    if home != folder:
        return _own(folder, divide, crop_bottom), record.settings
    kinds: list[DepthFolder] = []
    for kind in DEPTH_OUTPUTS:
        with suppress(FileNotFoundError):
            kinds.append(_own(folder / kind, divide, crop_bottom))
    if not kinds:
        raise FileNotFoundError(
            f"expected predicted depth in {folder}, got none; give `leadline predict` again, with "
            "npy among its --outputs"
        )
    return max(kinds, key=lambda depths: len(depths.files)), record.settings


def _own(folder: Path, divide: float | None, crop_bottom: float) -> DepthFolder:
    """One kind of output of ours."""
    own_divide = {str(kind): value for kind, value in DIVIDE.items()}.get(folder.resolve().name)
    farthest = None if own_divide is None else MOST_STEPS / own_divide
    depths = DepthFolder.open(folder, divide)
    return replace(depths, farthest=farthest, crop_bottom=crop_bottom)


def open_truth(folder: Path, divide: float | None = None) -> DepthFolder:
    """True depth: npz (`velodyne_depth`, `depth` or its first array), npy, or PNG.

    `divide` is the units of a PNG in one metre, by default what it records, or KITTI's.

    Raises:
        FileNotFoundError: there is no such folder, or no depth map in it.
    """
    return DepthFolder.open(folder, divide, assumed=KITTI_DIVIDE)
