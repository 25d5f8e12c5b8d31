"""CPU seconds per view of hints, from JPEG files to hint files, step by step.

usage: python benchmarks/hints_speed.py .../kitti_stereo_2015/training [--pairs N]

One process, one thread, CPU time (not wall time); procedures take turns pair by pair, so that a
busy machine slows all of them alike; medians over pairs. The first pair only warms up.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from statistics import median

import cv2
import numpy as np
import torch
from hints_plain import plain_error, plain_hint, plain_match
from PIL import Image
from stereo_drive import setting

from leadline.data.confidence_files import write_confidence
from leadline.data.depth_files import write_disparity
from leadline.hints.consistent import ConsistentSetting, consistent_hints
from leadline.hints.fuse import SIXTEENTHS, fuse, identity_error
from leadline.hints.match import (
    DEFAULT_SETTINGS,
    PUBLISHED_SETTINGS,
    PUBLISHED_SETTINGS_IN_PART,
    candidates,
    distinct,
)
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, load_pair, make_hints
from leadline.hints.semi_global import match_views
from leadline.memory import keep_freed_memory

SIZE = (320, 1024)
JPEG_QUALITY = 95
NEAR = 128
"""Disparities at full size that most streets need."""
EIGHT = distinct(PUBLISHED_SETTINGS)


def whole_procedures(left: Path, right: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """Each makes the hints of both views."""
    job = HintJob(left, right, PurePosixPath("left.png"), PurePosixPath("right.png"))

    def plain() -> None:
        plain_hint(left, right, folder / "left.npy")
        plain_hint(left, right, folder / "right.npy", right_view=True)

    def ours(method: HintMethod) -> Callable[[], object]:
        return lambda: make_hints(job, method, folder)

    return {
        "plain, as published": plain,
        "published, 8 distinct matchers in full": ours(HintMethod("published", PUBLISHED_SETTINGS)),
        "published": ours(HintMethod("published")),
        "valid": ours(HintMethod("valid")),
        "consistent": ours(HintMethod()),
        "single": ours(HintMethod("single")),
    }


def parts(left: Path, right: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """The steps of one view, each on its own (reading: the whole pair)."""
    images = load_pair(left, right, SIZE)
    found = candidates(*images, EIGHT)
    fused = fuse(*images, found)
    disparity = fused.disparity.astype(np.float32) / SIXTEENTHS
    depth = plain_match(*images, right_view=False)
    steps = np.rint(disparity * 256).astype(np.uint16)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    halves = [cv2.resize(grey, None, fx=0.5, fy=0.5) for grey in greys]
    matching = ConsistentSetting().matching
    narrow = replace(matching, num_disparities=matching.num_disparities // 2)
    guide = match_views(*halves, narrow, keep_guide=True).guide
    near = replace(matching, num_disparities=NEAR)
    hint = consistent_hints(*images, ConsistentSetting(), (True, False))[0]
    assert hint is not None
    confidence = hint.confidence
    assert confidence is not None
    return {
        "read and resize both images": lambda: load_pair(left, right, SIZE),
        "match: 12 settings": lambda: candidates(*images, PUBLISHED_SETTINGS),
        "match: the 8 that differ": lambda: candidates(*images, EIGHT),
        "match: these, middle ranges near the border": lambda: candidates(
            *images, PUBLISHED_SETTINGS_IN_PART
        ),
        "match: 4 on grey images, three directions": lambda: candidates(*images, DEFAULT_SETTINGS),
        "explain 12 candidates: torch": lambda: plain_error(*images, depth, right_view=False),
        "explain 8 candidates: compiled": lambda: fuse(*images, found),
        "error of identity": lambda: identity_error(*images),
        "consistent: half size": lambda: match_views(*halves, narrow, keep_guide=True),
        f"consistent: full size, {NEAR} disparities": lambda: match_views(*greys, near, guide),
        "consistent: both views whole": lambda: consistent_hints(*images, ConsistentSetting()),
        "write: float32 .npy": lambda: np.save(folder / "a.npy", depth[:1]),
        "write: PNG, Pillow's default": lambda: Image.fromarray(steps).save(folder / "b.png"),
        "write: PNG, ours": lambda: write_disparity(folder / "c.png", disparity, {}),
        "write: its confidence": lambda: write_confidence(folder / "d.png", confidence),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path, help="folder with image_2 and image_3")
    parser.add_argument("--pairs", type=int, default=10)
    arguments = parser.parse_args()
    print(setting())
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    keep_freed_memory()
    originals = sorted((arguments.training / "image_2").glob("*.png"))[: arguments.pairs]
    whole: dict[str, list[float]] = {}
    part: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as photographs:
        for original in [originals[0], *originals]:
            left = as_jpeg(original, Path(photographs) / "left.jpg")
            other = arguments.training / "image_3" / original.name
            right = as_jpeg(other, Path(photographs) / "right.jpg")
            for table, functions in ((whole, whole_procedures), (part, parts)):
                for what, function in functions(left, right, Path(name)).items():
                    table.setdefault(what, []).append(cpu_seconds(function))
        sizes = {path.name: path.stat().st_size for path in Path(name).iterdir()}
    print_table("CPU s per view", {what: median(t[1:]) / 2 for what, t in whole.items()})
    print_table("CPU ms", {what: median(t[1:]) * 1000 for what, t in part.items()}, ratios=False)
    print("bytes:", sizes)


def as_jpeg(original: Path, path: Path) -> Path:
    """The photograph as cameras and KITTI raw keep it."""
    with Image.open(original) as image:
        image.save(path, quality=JPEG_QUALITY, subsampling=0)
    return path


def cpu_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def print_table(unit: str, times: dict[str, float], ratios: bool = True) -> None:
    first = next(iter(times.values()))
    print(f"\n| | {unit} |" + (" times cheaper |" if ratios else ""))
    print("|---|---:|" + ("---:|" if ratios else ""))
    for what, seconds in times.items():
        digits = 3 if ratios else 1
        ratio = f" {first / seconds:.1f} |" if ratios else ""
        print(f"| {what} | {seconds:.{digits}f} |{ratio}")


if __name__ == "__main__":
    main()
