"""Hints and confidence as PNG: bytes, and time to write and to read, by writer.

usage: python benchmarks/png_writers.py [STEREO_2015/training] [--pairs 10]

Hints of the mode `valid` at 1024x320; confidence is by how much each pixel is explained better by
its hint than by no motion, the noisiest that there could be. CPU time on one core, medians over the
pairs.
"""

import argparse
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from loading import milliseconds
from PIL import Image
from stereo_drive import setting

from leadline.data.confidence_files import CERTAIN, LEVEL_STEP, read_confidence, write_confidence
from leadline.data.depth_files import DISPARITY_STEPS_PER_PIXEL
from leadline.data.png_files import read_png, write_png
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.fuse import SIXTEENTHS
from leadline.hints.jobs import source_jobs
from leadline.hints.method import HintMethod
from leadline.hints.pair import load_pair, view_hints

RUN_LENGTHS = 3
"""Pillow's name of zlib's strategy."""

Writer = Callable[[Path, np.ndarray], None]


def pillow(**settings: int) -> Writer:
    def write(path: Path, values: np.ndarray) -> None:
        data = io.BytesIO()
        Image.fromarray(values).save(data, format="PNG", **settings)
        path.write_bytes(data.getvalue())

    return write


def opencv(row_filter: int) -> Writer:
    def write(path: Path, values: np.ndarray) -> None:
        encoded = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_FILTER, row_filter])[1]
        path.write_bytes(encoded.tobytes())

    return write


WRITERS: dict[str, Writer] = {
    "Pillow, level 6 (its default)": pillow(compress_level=6),
    "Pillow, run lengths": pillow(compress_level=1, compress_type=RUN_LENGTHS),
    "**ours: OpenCV's default**": lambda p, v: write_png(p, v, {}),
    "OpenCV, differences to the row above": opencv(cv2.IMWRITE_PNG_FILTER_UP),
    "OpenCV, the values themselves": opencv(cv2.IMWRITE_PNG_FILTER_NONE),
}


def views(data: Path, pairs: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Disparity as it is stored and confidence in 255ths, of the left views."""
    method = HintMethod("valid")
    for job in source_jobs(KittiStereo2015(data)).jobs[:pairs]:
        left, right = load_pair(job.left, job.right, method.size)
        (hint,) = view_hints(replace(job, right_hint=None), left, right, method).values()
        steps = hint.disparity.astype(np.uint16) * (DISPARITY_STEPS_PER_PIXEL // SIXTEENTHS)
        gain = 1 - hint.error / np.maximum(hint.identity, 1e-3)
        confidence = np.rint(CERTAIN * np.clip(gain, 0, 1) * (steps > 0)).astype(np.uint8)
        yield steps, confidence


def costs(maps: list[np.ndarray], writer: Writer, path: Path) -> str:
    """Mean kB, and median CPU milliseconds to write and to read."""
    sizes, writing, reading = [], [], []
    for values in maps:
        writing.append(milliseconds(lambda values=values: writer(path, values)))
        reading.append(milliseconds(lambda: read_png(path)))
        sizes.append(path.stat().st_size / 1e3)
    return f"{np.mean(sizes):.0f} | {median(writing):.1f} | {median(reading):.1f}"


def coarse(confidence: np.ndarray, path: Path) -> np.ndarray:
    """The levels that are written."""
    write_confidence(path, confidence)
    levels = read_confidence(path, confidence.shape)
    assert not (levels % LEVEL_STEP).any()
    return levels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path("../shared/data/kitti_stereo_2015/training")
    parser.add_argument("data", type=Path, nargs="?", default=default)
    parser.add_argument("--pairs", type=int, default=10)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as name:
        path = Path(name) / "map.png"
        hints, confidence = map(list, zip(*views(arguments.data, arguments.pairs), strict=True))
        kinds = {
            "hints": hints,
            "confidence, 256 levels": confidence,
            "confidence, 16 levels": [coarse(values, path) for values in confidence],
        }
        print(f"### {setting()}")
        for kind, maps in kinds.items():
            print(f"\n| {kind} | kB | encode ms | decode ms |\n|---|---:|---:|---:|")
            for writer, write in WRITERS.items():
                print(f"| {writer} | {costs(maps, write, path)} |")


if __name__ == "__main__":
    main()
