"""One stereo item with its hint, loaded and augmented: the published way against ours.

usage: python benchmarks/loading.py [--data FOLDER] [--items 40] [--record]

From 1242x375 to 640x192, hints and their confidence at 1024x320; CPU time on one core. Ours is
counted to the end: the item, its share of a collated batch of four and the change of colours, which
happens after collation. The ways take turns batch by batch, so that a busy machine slows all alike;
files are in the system's cache. `--record` adds the tables to loading.md.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from plain import loading as plain
from stereo_drive import (
    HEIGHT,
    JPEG_DRIVE,
    PNG_DRIVE,
    WIDTH,
    data_argument,
    left_frames,
    open_drives,
    record,
    setting,
    write_hints,
)

from leadline.data.augment import Augmentation, apply_jitter
from leadline.data.cache import SampleCache, fill_cache
from leadline.data.collate import collate
from leadline.data.confidence_files import (
    CERTAIN,
    confidence_path,
    read_confidence,
    write_confidence,
)
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_files import read_disparity
from leadline.data.image_tensors import load_image
from leadline.data.sampler import Draw
from leadline.data.sources.base import FrameId, Source
from leadline.hints.fuse import SIXTEENTHS, fuse, identity_error
from leadline.hints.method import PUBLISHED_SIZE
from leadline.hints.pair import load_pair
from leadline.offset import STEREO, TARGET

SIZE = (HEIGHT, WIDTH)
BATCH_SIZE = 4
PAGE = Path(__file__).with_suffix(".md")

Work = Callable[[int], object]
"""Does a batch, given its number."""


@dataclass(frozen=True)
class Files:
    """A drive's left frames and their hints in both formats."""

    source: Source
    frames: list[FrameId]
    hints: Path

    def paths(self, item: int) -> tuple[Path, Path, Path]:
        """Target, source and hint of an item, as the published way reads them."""
        frame = self.frames[item % len(self.frames)]
        partner = self.source.neighbour(frame, STEREO)
        assert partner is not None
        hint = self.hints / self.source.hint_path(frame).with_suffix(".npy")
        return self.source.image_path(frame), self.source.image_path(partner), hint


def open_files(source: Source, drive: str, hints: Path) -> Files:
    """Hints as disparity in a PNG, ours, with confidence beside, and as float32 depth (1, h, w), as
    published.
    """
    files = Files(source, left_frames(source, drive, 20), hints)
    write_hints(source, files.frames, hints)
    for item, frame in enumerate(files.frames):
        disparity = read_disparity(hints / source.hint_path(frame))
        focal = plain.INTRINSICS[0][0] * disparity.shape[1]
        depth = np.where(disparity > 0, focal * plain.BASELINE / (disparity + 1e-7), 0)
        np.save(files.paths(item)[2], depth[None].astype(np.float32))
        path = confidence_path(hints, source.hint_path(frame))
        write_confidence(path, confidence_in(disparity, *files.paths(item)[:2]))
    return files


def confidence_in(disparity: np.ndarray, target: Path, source: Path) -> np.ndarray:
    """By how much the hint explains each pixel better than no motion, in 255ths: not smoothed, so
    that no confidence should cost more to decode.
    """
    height, width = disparity.shape
    pair = load_pair(target, source, (height, width))
    error = fuse(*pair, np.rint(disparity * SIXTEENTHS).astype(np.int16)[None]).error
    gain = np.clip(1 - error / np.maximum(identity_error(*pair), 1e-3), 0, 1)
    return np.rint(CERTAIN * gain * (disparity > 0)).astype(np.uint8)


def items_of(batch: int) -> range:
    return range(batch * BATCH_SIZE, (batch + 1) * BATCH_SIZE)


def published(files: Files) -> Work:
    draw = random.Random(0)
    return lambda batch: [
        plain.plain_item(*files.paths(item), SIZE, draw) for item in items_of(batch)
    ]


def ours(files: Files, cache: SampleCache | None = None, confidence: bool = False) -> Work:
    count = len(files.frames)
    dataset = DepthDataset(
        files.source,
        files.frames,
        [STEREO],
        SIZE,
        extras=Extras(files.hints, confidence),
        augmentation=Augmentation(),
        cache=cache,
    )

    def work(batch: int) -> object:
        samples = [dataset[Draw(item // count, item % count)] for item in items_of(batch)]
        return apply_jitter(collate(samples, [TARGET, STEREO]))

    return work


def cpu_seconds(works: dict[str, Work], batches: int) -> dict[str, float]:
    """Mean CPU seconds per item: half the items are flipped, and half change colours."""
    total = dict.fromkeys(works, 0.0)
    for batch in range(-1, batches):
        for name, work in works.items():
            start = time.process_time()
            work(max(batch, 0))
            # The first round only warms up.
            total[name] += time.process_time() - start if batch >= 0 else 0
    return {name: seconds / (batches * BATCH_SIZE) for name, seconds in total.items()}


def milliseconds(work: Callable[[], object], repeats: int = 15) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times) * 1e3


def parts(jpeg: Files, png: Files, cache: SampleCache) -> dict[str, float]:
    """CPU milliseconds of single operations."""
    jpeg_path, png_path = jpeg.paths(0)[0], png.paths(0)[0]
    native = jpeg.source.size(jpeg.frames[0])
    encoded = {path: np.fromfile(path, np.uint8) for path in (jpeg_path, png_path)}
    picture = plain.load(jpeg_path, flip=False)
    levels = plain.pyramid(picture, SIZE)
    change = plain.colour_change(random.Random(0))
    dataset = DepthDataset(
        jpeg.source, jpeg.frames, [STEREO], SIZE, extras=Extras(jpeg.hints), cache=cache
    )
    samples = [dataset[item] for item in range(BATCH_SIZE)]
    batch = collate(samples, [TARGET, STEREO])
    factors = torch.tensor([1.1, 0.9, 1.1, 0.05]).repeat(BATCH_SIZE, 1)
    hint = jpeg.hints / jpeg.source.hint_path(jpeg.frames[0])
    confidence = confidence_path(jpeg.hints, jpeg.source.hint_path(jpeg.frames[0]))
    works: dict[str, Callable[[], object]] = {
        "plain, an image: decode JPEG (PIL)": lambda: plain.load(jpeg_path, flip=False),
        "plain, an image: decode PNG (PIL)": lambda: plain.load(png_path, flip=False),
        "plain, an image: Lanczos pyramid": lambda: plain.pyramid(picture, SIZE),
        "plain, an image: colours of four levels": lambda: [change(level) for level in levels],
        "plain, an image: tensors of four levels": lambda: [plain.tensor(x) for x in levels],
        "ours, an image: decode JPEG (OpenCV)": lambda: cv2.imdecode(encoded[jpeg_path], 1),
        "ours, an image: decode PNG (OpenCV)": lambda: cv2.imdecode(encoded[png_path], 1),
        "ours, an image: decode and resize JPEG": lambda: load_image(jpeg_path, SIZE, native),
        "ours, an image: decode and resize PNG": lambda: load_image(png_path, SIZE, native),
        "ours, an image: from the cache": lambda: cache.image(jpeg.frames[0]),
        "ours, an item: hint": lambda: read_disparity(hint),
        "ours, an item: its confidence": lambda: read_confidence(confidence, PUBLISHED_SIZE),
        "ours, an item: everything, from the cache": lambda: dataset[0],
        "ours, four items: collate": lambda: collate(samples, [TARGET, STEREO]),
        "ours, four items: colours of all": lambda: apply_jitter(replace(batch, jitter=factors)),
    }
    return {name: milliseconds(work) for name, work in works.items()}


def report(data: Path, items: int) -> str:
    header = f"### {setting()}"
    source = open_drives(data)
    with TemporaryDirectory() as name:
        folder = Path(name)
        jpeg = open_files(source, JPEG_DRIVE, folder / "hints")
        png = open_files(source, PNG_DRIVE, folder / "hints")
        kept = {"hints": folder / "hints", "hint_confidence": True}
        fill_cache(source, folder / "cache", SIZE, **kept)
        cache = SampleCache(source, folder / "cache", SIZE, **kept)
        works = {
            "published, JPEG": published(jpeg),
            "leadline, JPEG": ours(jpeg),
            "leadline, JPEG, with confidence": ours(jpeg, confidence=True),
            "published, PNG": published(png),
            "leadline, PNG": ours(png),
            "leadline, PNG, with confidence": ours(png, confidence=True),
            "leadline, cache": ours(jpeg, cache),
            "leadline, cache, with confidence": ours(jpeg, cache, confidence=True),
        }
        seconds = cpu_seconds(works, -(-items // BATCH_SIZE))
        single = parts(jpeg, png, cache)
    return "\n".join((header, "", *whole_table(seconds), "", *parts_table(single)))


def whole_table(seconds: dict[str, float]) -> Sequence[str]:
    from_jpeg, from_png = seconds["published, JPEG"], seconds["published, PNG"]
    rows = (
        f"| {name} | {value * 1e3:.1f} | {from_jpeg / value:.1f} | {from_png / value:.1f} |"
        for name, value in seconds.items()
    )
    return (
        "| one stereo item | CPU ms | times cheaper than published from JPEG | from PNG |",
        "|---|---:|---:|---:|",
        *rows,
    )


def parts_table(times: dict[str, float]) -> Sequence[str]:
    rows = (f"| {name} | {value:.2f} |" for name, value in times.items())
    return "| part | CPU ms |", "|---|---:|", *rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_argument(parser)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--record", action="store_true", help=f"add the tables to {PAGE.name}")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    text = report(arguments.data, arguments.items)
    print(text)
    if arguments.record:
        record(PAGE, text)


if __name__ == "__main__":
    main()
