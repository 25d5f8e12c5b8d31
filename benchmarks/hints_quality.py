"""Quality of hints against the true disparity of KITTI Stereo 2015, by mode.

usage: python benchmarks/hints_quality.py .../kitti_stereo_2015/training [--raw .../kitti_raw]

Left views at native size, pixels with truth that both cameras see: density; D1 (error above 3 px
and above 5 %) and end-point error among hints given; D1-all, where a missing hint counts as wrong.
Per pair, then averaged. `same` is the share of pixels equal to those of the plain procedure.

`--raw` judges drive 0023 as well, both views, by its LiDAR, whose points see past edges a little.
"""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from hints_plain import BASELINE, FOCAL_X, plain_hint
from stereo_drive import PNG_DRIVE, setting

from leadline.data.confidence_files import CERTAIN, confidence_path, read_confidence
from leadline.data.depth_files import read_disparity
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.consistent import ConsistentSetting
from leadline.hints.jobs import source_jobs
from leadline.hints.match import PUBLISHED_SETTINGS
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, make_hints
from leadline.offset import STEREO

METHODS = {
    "published, 8 distinct matchers in full": HintMethod("published", PUBLISHED_SETTINGS),
    "published": HintMethod("published"),
    "valid, published matchers": HintMethod("valid", PUBLISHED_SETTINGS),
    "valid": HintMethod("valid"),
    "consistent": HintMethod(),
    "consistent, filled": HintMethod(consistent=ConsistentSetting(fill=True)),
    "single": HintMethod("single"),
    "random": HintMethod("random"),
}
D1_PIXELS, D1_SHARE = 3, 0.05
CONFIDENCES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.1)
"""Bounds between the levels at which confidence is written."""


def judge(disparity: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Density, D1 given, end-point error, D1-all."""
    native = at_native_size(disparity, truth)
    known, given = truth > 0, (truth > 0) & (native > 0)
    error, bad = np.abs(native - truth), is_bad(native, truth)
    return (
        float(given.sum() / known.sum()),
        float(bad[given].mean()),
        float(error[given].mean()),
        float((bad | (native == 0))[known].mean()),
    )


def at_native_size(disparity: np.ndarray, truth: np.ndarray) -> np.ndarray:
    height, width = truth.shape
    scale = width / disparity.shape[1]
    return cv2.resize(disparity, (width, height), interpolation=cv2.INTER_NEAREST) * scale


def is_bad(disparity: np.ndarray, truth: np.ndarray) -> np.ndarray:
    error = np.abs(disparity - truth)
    return (error > D1_PIXELS) & (error > D1_SHARE * truth)


def pairs_of_2015(training: Path) -> None:
    source = KittiStereo2015(training)
    rows: dict[str, list[tuple[float, ...]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for frame in (frame for frame in source.frames if frame.camera == 0):
            partner, truth = source.neighbour(frame, STEREO), source.true_disparity(frame)
            if partner is None or truth is None:
                continue
            left, right = source.image_path(frame), source.image_path(partner)
            plain_hint(left, right, Path(name, "plain.npy"))
            depth = np.load(Path(name, "plain.npy"))[0]
            plain = np.where(depth > 0, FOCAL_X * BASELINE / np.where(depth > 0, depth, 1), 0)
            rows.setdefault("plain, as published", []).append((*judge(plain, truth), 1.0))
            for what, method in METHODS.items():
                view = PurePosixPath(f"{frame.index}.png")
                make_hints(HintJob(left, right, left_hint=view), method, Path(name))
                hint = read_disparity(Path(name) / view)
                same = float(np.mean(np.abs(hint - plain) < 1 / 32))
                rows.setdefault(what, []).append((*judge(hint, truth), same))
    print_table(("density", "D1 given", "EPE px", "D1-all", "same"), rows)


def by_confidence(training: Path) -> None:
    """D1 of the hints of the default mode, pooled, by the confidence beside them."""
    source = KittiStereo2015(training)
    confidences, wrongs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for job in source_jobs(source, [f for f in source.frames if f.camera == 0]).jobs:
            make_hints(job, HintMethod(), folder)
        for frame in (frame for frame in source.frames if frame.camera == 0):
            truth, path = source.true_disparity(frame), source.hint_path(frame)
            if truth is None or not (folder / path).is_file():
                continue
            hint = read_disparity(folder / path)
            native = at_native_size(hint, truth)
            beside = read_confidence(confidence_path(folder, path), hint.shape)
            confidence = cv2.resize(beside, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
            given = (truth > 0) & (native > 0)
            confidences.append(confidence[given] / CERTAIN)
            wrongs.append(is_bad(native, truth)[given])
    confidence, wrong = np.concatenate(confidences), np.concatenate(wrongs)
    print("\n| confidence | share of hints | D1 given |\n|---|---:|---:|")
    for low, high in pairwise(CONFIDENCES):
        band = (confidence >= low) & (confidence < high)
        if not band.any():
            continue
        print(f"| {(low + high) / 2:.1f} | {band.mean():.1%} | {wrong[band].mean():.4f} |")


def drive_by_lidar(root: Path) -> None:
    source = KittiRaw(root)
    rows: dict[str, list[tuple[float, ...]]] = {}
    frames = [frame for frame in source.frames if frame.sequence.endswith(PNG_DRIVE)]
    with tempfile.TemporaryDirectory() as name:
        for what, method in METHODS.items():
            for job in source_jobs(source, frames).jobs:
                make_hints(job, method, Path(name))
            for frame in frames:
                depth, camera = source.true_depth(frame), source.camera(frame)
                baseline = source.baseline(frame.sequence)
                assert depth is not None
                assert camera is not None
                assert baseline is not None
                reach = float(camera.intrinsics[0, 0]) * baseline
                truth = np.where(depth > 0, reach / np.where(depth > 0, depth, 1), 0)
                hint = read_disparity(Path(name) / source.hint_path(frame))
                rows.setdefault(what, []).append(judge(hint, truth.astype(np.float32)))
    print_table(("density", "D1 given", "EPE px", "D1-all"), rows)


def print_table(columns: Sequence[str], rows: dict[str, list[tuple[float, ...]]]) -> None:
    print(f"\n| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for what, values in rows.items():
        means = " | ".join(f"{value:.4f}" for value in np.mean(values, axis=0))
        print(f"| {what} | {means} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path, help="folder with image_2, image_3, disp_noc_0")
    parser.add_argument("--raw", type=Path, help="KITTI raw, with drive 0023")
    options = parser.parse_args()
    print(setting())
    pairs_of_2015(options.training)
    by_confidence(options.training)
    if options.raw:
        drive_by_lidar(options.raw)


if __name__ == "__main__":
    main()
