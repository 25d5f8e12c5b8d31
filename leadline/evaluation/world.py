"""What a synthetic world knows beyond depth, for `score_details`: which pixels are poles and other
thin structures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from leadline.data.image_files import decoded
from leadline.data.sources.base import FrameId, Source
from leadline.data.synthetic.kinds import Kind
from leadline.evaluation.details import DetailedFrame
from leadline.evaluation.predictions import open_predictions, open_truth

THIN = (Kind.POLE, Kind.SIGN, Kind.FENCE, Kind.TRUNK)
LEFT = 0


def detailed_frames(
    source: Source, frames: Sequence[FrameId], world: Path, predictions: Path, truth: Path
) -> Iterator[DetailedFrame]:
    """The left ones of `frames` with their exported prediction, exact truth and thin pixels."""
    predicted, true = open_predictions(predictions)[0], open_truth(truth)
    for frame in frames:
        camera, baseline = source.camera(frame), source.baseline(frame.sequence)
        if frame.camera != LEFT or camera is None or baseline is None:
            continue
        path = world / frame.sequence / "kinds" / "image_02" / f"{frame.index:010d}.png"
        kinds = np.asarray(decoded(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
        yield DetailedFrame(
            prediction=predicted.read(str(frame)),
            truth=true.read(str(frame)),
            poles=kinds == Kind.POLE,
            thin=np.isin(kinds, THIN),
            focal=float(camera.intrinsics[0, 0]),
            baseline=baseline,
        )
