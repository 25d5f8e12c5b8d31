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
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from hints_plain import BASELINE, FOCAL_X, plain_hint
from stereo_drive import PNG_DRIVE, setting

from leadline.data.depth_files import read_disparity
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.consistent import ConsistentSetting
from leadline.hints.jobs import source_jobs
from leadline.hints.match import PUBLISHED_SETTINGS
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, make_hints
from leadline.types import STEREO

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


def judge(disparity: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Density, D1 given, end-point error, D1-all."""
    height, width = truth.shape
    scale = width / disparity.shape[1]
    native = cv2.resize(disparity, (width, height), interpolation=cv2.INTER_NEAREST) * scale
    known, given = truth > 0, (truth > 0) & (native > 0)
    error = np.abs(native - truth)
    bad = (error > D1_PIXELS) & (error > D1_SHARE * truth)
    return (
        float(given.sum() / known.sum()),
        float(bad[given].mean()),
        float(error[given].mean()),
        float((bad | (native == 0))[known].mean()),
    )


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
    if options.raw:
        drive_by_lidar(options.raw)


if __name__ == "__main__":
    main()
