"""Folders of predictions as `leadline predict` and evaluations leave them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from leadline.data.depth_files import write_depth
from leadline.data.prediction_record import DIVIDE, SUFFIX, Output, PredictionRecord
from leadline.data.prediction_record import PredictionSettings as Settings
from leadline.evaluation.names import id_to_stem

SETTINGS = Settings(model="0123456789ab", recipe="net", metric=True, size=(64, 96), flip=False)


def depth_path(folder: Path, image_id: str, kind: Output = "npy") -> Path:
    """Where the depth of one image lies."""
    return folder / kind / f"{id_to_stem(image_id)}{SUFFIX[kind]}"


def write_predictions(
    folder: Path,
    depths: Mapping[str, np.ndarray],
    settings: Settings = SETTINGS,
    kinds: tuple[Output, ...] = ("npy",),
) -> Path:
    """Depth maps by image id with their record."""
    photographs = {
        id_to_stem(image_id): f"/images/{number}" for number, image_id in enumerate(depths)
    }
    PredictionRecord(settings, photographs).save(folder)
    for image_id, depth in depths.items():
        for kind in kinds:
            write_depth(depth_path(folder, image_id, kind), depth, DIVIDE.get(kind, 1))
    return folder
