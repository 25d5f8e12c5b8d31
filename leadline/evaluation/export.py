"""A model and a data set -> a folder of predictions, ready to be scored."""

from collections.abc import Callable, Sequence
from pathlib import Path

from leadline.data.prediction_record import PredictionSettings
from leadline.data.sources.base import FrameId, Source
from leadline.evaluation.names import id_to_stem
from leadline.inference.predict_files import predict_photographs
from leadline.inference.predictor import DepthPredictor
from leadline.inference.refine_frames import FrameRefinement, refine_photographs
from leadline.inference.refinement_record import RefinementSummary


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


def export_refined(
    refinement: FrameRefinement,
    settings: PredictionSettings,
    source: Source,
    frames: Sequence[FrameId],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RefinementSummary:
    """The same by a network that is refined on the frames first.

    Raises:
        ValueError: as `export_predictions`.
    """
    photographs = {
        frame: (source.image_path(frame), Path(id_to_stem(str(frame)))) for frame in frames
    }
    summary = refine_photographs(
        refinement, settings, photographs, folder, ("npy",), progress=progress
    )
    if summary.predictions.failed:
        raise ValueError(next(iter(summary.predictions.failed.values())))
    return summary
