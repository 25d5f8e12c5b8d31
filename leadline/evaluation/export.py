"""A model and a data set -> a folder of predictions, ready to be scored."""

from collections.abc import Callable, Sequence
from pathlib import Path

from leadline.data.prediction_record import PredictionSettings
from leadline.data.sources.base import FrameId, Source
from leadline.evaluation.names import id_to_stem
from leadline.inference.frames import FramePredictor, predict_frames
from leadline.inference.frames_record import FramesSummary
from leadline.inference.predict_files import predict_photographs
from leadline.inference.predictor import DepthPredictor


def export_predictions(
    model: DepthPredictor,
    settings: PredictionSettings,
    source: Source,
    frames: Sequence[FrameId],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Predict the frames at native size; what is there already is kept.

    Raises:
        ValueError: an image cannot be read, found when all others have been predicted.
    """
    photographs = {source.image_path(frame): Path(id_to_stem(str(frame))) for frame in frames}
    summary = predict_photographs(model, settings, photographs, folder, ("npy",), progress=progress)
    if summary.failed:
        raise ValueError(next(iter(summary.failed.values())))


def export_frames(
    predictor: FramePredictor,
    settings: PredictionSettings,
    source: Source,
    frames: Sequence[FrameId],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FramesSummary:
    """The same by what looks at a frame's neighbours too.

    Raises:
        ValueError: as `export_predictions`.
    """
    photographs = {
        frame: (source.image_path(frame), Path(id_to_stem(str(frame)))) for frame in frames
    }
    summary = predict_frames(predictor, settings, photographs, folder, ("npy",), progress=progress)
    if summary.predictions.failed:
        raise ValueError(next(iter(summary.predictions.failed.values())))
    return summary
