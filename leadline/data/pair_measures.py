"""What is measured between two pictures of one camera, kept until something that it holds of
changes.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from jaxtyping import UInt8
from rich.progress import track

from leadline.data.image_tensors import load_image
from leadline.data.sources.base import FrameId, Source
from leadline.files import atomic_path, file_state
from leadline.offset import Offset

WIDTH = 320
"""Pixels to which images are shrunk before they are compared."""
BLOCK = 100
"""Items that one thread works on at a time."""

Pair = tuple[FrameId, FrameId]
"""Two frames of one camera in the order of time."""
Grey = UInt8[np.ndarray, "h w"]
Json = Any
Ask = Callable[[Pair], Json]
"""What is found in a pair; None: nothing."""
Item = TypeVar("Item")
Result = TypeVar("Result")
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class PairMeasure(Generic[Seen]):
    """How pairs are measured."""

    name: str
    """Another name makes older records stale."""
    record: str
    """The file of what is kept."""
    title: str
    """What is done, as a bar says it."""
    look: Callable[[Grey], Seen]
    """What is seen in one grey picture of `WIDTH`."""
    compare: Callable[[Pair, Seen, Seen], Json]
    """What is found, of pictures of one size; None: nothing."""
    holds_of: Callable[[Pair], Json] = lambda _: None
    """What it depends on beside the pictures."""
    kept: int = 4
    """What was seen in so many pictures is kept while they are compared with others."""


def small_size(native: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of a picture of `native` (h, w) as it is compared: never larger."""
    height, width = native
    shrink = min(WIDTH / width, 1)
    return max(round(height * shrink), 1), round(width * shrink)


def pair_at(source: Source, frame: FrameId, offset: Offset) -> Pair | None:
    """A frame and its neighbour, in the order of time, or None where there is no neighbour."""
    other = source.neighbour(frame, offset)
    if other is None:
        return None
    return (other, frame) if offset.time < 0 else (frame, other)


def measured_pairs(
    source: Source,
    pairs: Sequence[Pair],
    measure: PairMeasure[Seen],
    cache: Path | None,
    workers: int,
) -> dict[Pair, Json]:
    """What is found in each of `pairs` in which something is; see `work_on_pairs`."""

    def work(some: Sequence[Pair], ask: Ask) -> list[tuple[Pair, Json]]:
        return [(pair, ask(pair)) for pair in some]

    def camera(pair: Pair) -> tuple[str, int]:
        return pair[0].sequence, pair[0].camera

    found = work_on_pairs(source, pairs, camera, work, measure, cache, workers)
    return {pair: value for some in found for pair, value in some if value is not None}


def work_on_pairs(
    source: Source,
    items: Sequence[Item],
    camera: Callable[[Item], tuple[str, int]],
    work: Callable[[Sequence[Item], Ask], Result],
    measure: PairMeasure[Seen],
    cache: Path | None,
    workers: int,
) -> Iterator[Result]:
    """The result of `work` on each block of `items` of one `camera`, in the order given; it asks
    for pairs.

    A pair is measured where the record in the folder `cache` does not know it as it now is; what
    is new is noted there at the end, also of work that was cut off. `workers` threads share the
    blocks.
    """
    if not items:
        return
    entries = _read_record(cache, measure)
    new: dict[str, dict[str, Json]] = {}

    def job(some: Sequence[Item]) -> Result:
        @lru_cache(maxsize=measure.kept)
        def seen(frame: FrameId) -> tuple[tuple[int, ...], Seen] | None:
            grey = _grey(source, frame)
            return None if grey is None else (grey.shape, measure.look(grey))

        def ask(pair: Pair) -> Json:
            states = [list(file_state(source.image_path(frame))) for frame in pair]
            basis = [states, measure.holds_of(pair)]
            # A neighbour after one frame is the neighbour before another.
            entry = new.get(_name(pair)) or entries.get(_name(pair), {})
            if entry.get("basis") == basis:
                return entry["found"]
            first, second = seen(pair[0]), seen(pair[1])
            found = None
            if first is not None and second is not None and first[0] == second[0]:
                found = measure.compare(pair, first[1], second[1])
            new[_name(pair)] = {"basis": basis, "found": found}
            return found

        return work(some, ask)

    blocks = [
        tuple(group)[start : start + BLOCK]
        for group in _by_camera(items, camera)
        for start in range(0, len(group), BLOCK)
    ]
    # Threads are enough: decoding and comparing leave Python to the others while they work.
    with ThreadPoolExecutor(workers) as pool:
        try:
            done = pool.map(job, blocks)
            watched = sys.stdout.isatty()
            yield from track(done, measure.title, len(blocks), disable=not watched)
        finally:
            pool.shutdown(cancel_futures=True)
            if cache is not None and new:
                _write_record(cache, measure, entries | new)


def _by_camera(
    items: Sequence[Item], camera: Callable[[Item], tuple[str, int]]
) -> list[list[Item]]:
    return [list(group) for _, group in groupby(sorted(items, key=camera), key=camera)]


def _grey(source: Source, frame: FrameId) -> Grey | None:
    """The picture at `WIDTH`, or None where it is damaged, which is told when it is trained on."""
    try:
        native = source.size(frame)
        colours = load_image(source.image_path(frame), small_size(native), native)
    except (ValueError, OSError):
        return None
    return np.asarray(cv2.cvtColor(colours.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY))


def _name(pair: Pair) -> str:
    return " > ".join(map(str, pair))


def _read_record(cache: Path | None, measure: PairMeasure[Any]) -> dict[str, dict[str, Json]]:
    path = None if cache is None else cache / measure.record
    if path is None or not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["pairs"]) if content["measure"] == measure.name else {}
    except (ValueError, KeyError, TypeError):  # damaged: measured anew
        return {}


def _write_record(
    cache: Path, measure: PairMeasure[Any], entries: dict[str, dict[str, Json]]
) -> None:
    with atomic_path(cache / measure.record) as temporary:
        content = {"measure": measure.name, "pairs": entries}
        temporary.write_text(json.dumps(content), encoding="utf-8")
