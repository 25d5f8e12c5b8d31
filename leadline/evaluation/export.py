"""A model and a data set -> a folder of predictions and a folder of truth, ready to be scored."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from leadline.data.depth_files import write_depth
from leadline.data.sources.base import FrameId, Source
from leadline.evaluation.names import id_to_stem
from leadline.evaluation.predictions import PredictionExport
from leadline.inference.predictor import DepthPredictor, to_native


def frames_with_truth(source: Source, frames: Sequence[FrameId] | None = None) -> list[FrameId]:
    """The frames that can be scored: those of `frames`, or all of the left camera.

    Raises:
        ValueError: none has true depth.
    """
    asked = [frame for frame in source.frames if frame.camera == 0] if frames is None else frames
    found = [frame for frame in asked if frame in source and source.has_depth(frame)]
    if not found:
        raise ValueError(
            f"expected true depth for some of {len(asked)} frames, found none: give a data set "
            "with LiDAR (KITTI raw, or one by `leadline synthetic`), or depth maps of your own by "
            "--predictions and --truth"
        )
    return found


def export_predictions(
    model: DepthPredictor,
    name: str,
    source: Source,
    frames: Sequence[FrameId],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionExport:
    """Predict the frames at native size; what is there already is kept."""
    ids = [str(frame) for frame in frames]
    export = PredictionExport.start(folder, ids, model=name, metric=model.config.metric)
    pending = set(export.pending)
    for done, frame in enumerate(frames, start=1):
        if str(frame) in pending:
            image, native = model.load_image(source.image_path(frame))
            export.write(str(frame), to_native(model.inverse_depth(image[None])[0], native))
        progress(done, len(frames))
    return export


def export_truth(source: Source, frames: Sequence[FrameId], folder: Path) -> None:
    """Write the true depth of the frames, to be scored by this or by another program."""
    for frame in frames:
        path = folder / f"{id_to_stem(str(frame))}.npz"
        depth = source.true_depth(frame)
        if depth is not None and not path.exists():
            write_depth(path, np.nan_to_num(depth))
