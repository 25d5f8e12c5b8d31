"""Quality of hints against the true disparity of KITTI Stereo 2015, by mode.

usage: python benchmarks/hints_quality.py .../kitti_stereo_2015/training

Left views at native size, pixels with truth that both cameras see: density; D1 (error above 3 px
and above 5 %) and end-point error among hints given; D1-all, where a missing hint counts as wrong.
Per pair, then averaged. `same` is the share of pixels equal to those of the plain procedure.
"""

import argparse
import tempfile
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from hints_plain import BASELINE, FOCAL_X, plain_hint

from leadline.data.depth_files import read_disparity
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.consistent import ConsistentSetting
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path, help="folder with image_2, image_3, disp_noc_0")
    source = KittiStereo2015(parser.parse_args().training)
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
    print("| | density | D1 given | EPE px | D1-all | same |\n|---|---:|---:|---:|---:|---:|")
    for what, values in rows.items():
        means = " | ".join(f"{value:.4f}" for value in np.mean(values, axis=0))
        print(f"| {what} | {means} |")


if __name__ == "__main__":
    main()
