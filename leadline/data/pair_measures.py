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

WIDTH = 320
"""Pixels to which images are shrunk before they are compared."""
PAIRS_PER_JOB = 100
KEPT = 32
"""What was seen in so many pictures is kept while their neighbours are compared with them."""

Pair = tuple[FrameId, FrameId]
"""Two frames of one camera in the order of time."""
Grey = UInt8[np.ndarray, "h w"]
Json = Any
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


def measured_pairs(
    source: Source,
    pairs: Sequence[Pair],
    measure: PairMeasure[Seen],
    cache: Path | None,
    workers: int,
) -> dict[Pair, Json]:
    """What is found in each of `pairs` in which something is, by the record in the folder `cache`
    or measured now, by `workers` threads.
    """
    if not pairs:
        return {}
    entries = _read_record(cache, measure)
    bases = {
        pair: [[list(file_state(source.image_path(f))) for f in pair], measure.holds_of(pair)]
        for pair in pairs
    }
    missing = [pair for pair in pairs if entries.get(_name(pair), {}).get("basis") != bases[pair]]
    for pair, found in _measured(source, missing, measure, workers):
        entries[_name(pair)] = {"basis": bases[pair], "found": found}
    if cache is not None and missing:
        _write_record(cache, measure, entries)
    everything = {pair: entries[_name(pair)]["found"] for pair in pairs}
    return {pair: found for pair, found in everything.items() if found is not None}


def _measured(
    source: Source, pairs: Sequence[Pair], measure: PairMeasure[Seen], workers: int
) -> Iterator[tuple[Pair, Json]]:
    def job(some: Sequence[Pair]) -> list[tuple[Pair, Json]]:
        @lru_cache(maxsize=KEPT)
        def seen(frame: FrameId) -> tuple[tuple[int, ...], Seen] | None:
            grey = _grey(source, frame)
            return None if grey is None else (grey.shape, measure.look(grey))

        def found(pair: Pair) -> Json:
            first, second = seen(pair[0]), seen(pair[1])
            if first is None or second is None or first[0] != second[0]:
                return None
            return measure.compare(pair, first[1], second[1])

        return [(pair, found(pair)) for pair in some]

    jobs = [
        tuple(group)[start : start + PAIRS_PER_JOB]
        for group in _by_camera(pairs)
        for start in range(0, len(group), PAIRS_PER_JOB)
    ]
    # Threads are enough: decoding and comparing leave Python to the others while they work.
    with ThreadPoolExecutor(workers) as pool:
        try:
            done = pool.map(job, jobs)
            watched = sys.stdout.isatty()
            for results in track(done, measure.title, len(jobs), disable=not watched):
                yield from results
        finally:
            pool.shutdown(cancel_futures=True)


def _by_camera(pairs: Sequence[Pair]) -> list[list[Pair]]:
    def camera(pair: Pair) -> tuple[str, int]:
        return pair[0].sequence, pair[0].camera

    return [list(group) for _, group in groupby(sorted(pairs, key=camera), key=camera)]


def _grey(source: Source, frame: FrameId) -> Grey | None:
    """The picture at `WIDTH`, or None where it is damaged, which is told when it is trained on."""
    try:
        height, width = native = source.size(frame)
        shrink = min(WIDTH / width, 1)
        size = (max(round(height * shrink), 1), round(width * shrink))
        colours = load_image(source.image_path(frame), size, native)
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
