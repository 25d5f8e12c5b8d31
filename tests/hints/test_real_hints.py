from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest

from leadline.data.depth_files import read_disparity
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.jobs import source_jobs
from leadline.hints.method import HintMethod
from leadline.hints.pair import make_hints

PAIRS = 2


def d1_all(hint: np.ndarray, truth: np.ndarray) -> float:
    """Share of true disparities that the hint misses by over 3 px and 5 %, or does not have."""
    height, width = truth.shape
    native = cv2.resize(hint, (width, height), interpolation=cv2.INTER_NEAREST)
    native = native * width / hint.shape[1]
    error = np.abs(native - truth)
    wrong = ((error > 3) & (error > 0.05 * truth)) | (native == 0)
    return float(wrong[truth > 0].mean())


@pytest.mark.real
def test_hints_are_right_on_streets_and_better_than_as_published(
    real_data: Path, tmp_path: Path
) -> None:
    source = KittiStereo2015(real_data / "kitti_stereo_2015")
    lefts = [frame for frame in source.frames if frame.camera == 0][:PAIRS]
    wrong: dict[str, float] = {"consistent": 0, "valid": 0, "published": 0}
    for mode in wrong:
        for frame, job in zip(lefts, source_jobs(source, lefts).jobs, strict=True):
            make_hints(job, HintMethod(mode), tmp_path / mode)  # type: ignore[arg-type]
            truth = source.true_disparity(frame)
            assert truth is not None
            hint = read_disparity(tmp_path / mode / PurePosixPath(source.hint_path(frame)))
            wrong[mode] += d1_all(hint, truth) / PAIRS
    assert wrong["valid"] < 0.8 * wrong["published"] < 0.2
    assert wrong["consistent"] < 0.5 * wrong["published"]
