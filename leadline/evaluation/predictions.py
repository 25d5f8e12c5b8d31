"""Folders of predictions and of truth, made by this program or by another."""

from contextlib import suppress
from pathlib import Path

from leadline.data.depth_files import KITTI_DIVIDE
from leadline.data.prediction_record import DEPTH_OUTPUTS, PredictionSettings, find_record
from leadline.evaluation.depth_folder import DepthFolder


def open_predictions(
    folder: Path, divide: float | None = None
) -> tuple[DepthFolder, PredictionSettings | None]:
    """Predicted depth, and what made it where `leadline` did.

    Of a folder by `leadline predict` that kind of output is read which has the most images, of
    several such the most exact; one kind may also be named by its own folder. `divide` is needed
    for PNGs of another program.

    Raises:
        FileNotFoundError: there is no such folder, or no depth map in it.
        ValueError: the record of the predictions cannot be read.
    """
    found = find_record(folder)
    if found is None:
        return DepthFolder.open(folder, divide), None
    home, record = found
    if home != folder:
        return DepthFolder.open(folder, divide), record.settings
    kinds: list[DepthFolder] = []
    for kind in DEPTH_OUTPUTS:
        with suppress(FileNotFoundError):
            kinds.append(DepthFolder.open(folder / kind, divide))
    if not kinds:
        raise FileNotFoundError(
            f"expected predicted depth in {folder}, got none; give `leadline predict` again, with "
            "npy among its --outputs"
        )
    return max(kinds, key=lambda depths: len(depths.files)), record.settings


def open_truth(folder: Path, divide: float | None = None) -> DepthFolder:
    """True depth: npz (`velodyne_depth`, `depth` or its first array), npy, or PNG.

    `divide` is the units of a PNG in one metre, by default what it records, or KITTI's.

    Raises:
        FileNotFoundError: there is no such folder, or no depth map in it.
    """
    return DepthFolder.open(folder, divide, assumed=KITTI_DIVIDE)
