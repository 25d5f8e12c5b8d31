"""What a synthetic world knows beyond depth: what each pixel shows, and for `score_details` which
are poles and other thin structures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from leadline.data.image_files import decoded
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.kitti import IMAGE_FOLDERS
from leadline.data.synthetic.kinds import Kind
from leadline.evaluation.details import DetailedFrame
from leadline.evaluation.predictions import open_predictions, open_truth

THIN = (Kind.POLE, Kind.SIGN, Kind.FENCE, Kind.TRUNK)
LEFT = 0


def label_picture(source: Source, kind: str, frame: FrameId) -> np.ndarray | None:
    """Labels of a synthetic world (`kinds`, `instances`) as a picture; None where there is none."""
    if frame.camera >= len(IMAGE_FOLDERS):
        return None
    folder = source.root / frame.sequence / kind / IMAGE_FOLDERS[frame.camera]
    path = folder / f"{frame.index:010d}.png"
    if not path.is_file():
        return None
    return decoded(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def detailed_frames(
    source: Source, frames: Sequence[FrameId], predictions: Path, truth: Path
) -> Iterator[DetailedFrame]:
    """The left ones of `frames` that have labels, with exported prediction and exact truth."""
    predicted, true = open_predictions(predictions)[0], open_truth(truth)
    for frame in frames:
        camera, baseline = source.camera(frame), source.baseline(frame.sequence)
        kinds = label_picture(source, "kinds", frame)
        if frame.camera != LEFT or camera is None or baseline is None or kinds is None:
            continue
        yield DetailedFrame(
            prediction=predicted.read(str(frame)),
            truth=true.read(str(frame)),
            poles=kinds == Kind.POLE,
            thin=np.isin(kinds, THIN),
            focal=float(camera.intrinsics[0, 0]),
            baseline=baseline,
        )
