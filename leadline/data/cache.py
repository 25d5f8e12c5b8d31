"""Images resized once and kept: a training then reads pixels instead of decoding files."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.lib.format import open_memmap
from rich.progress import track
from torch import Tensor

from leadline.data.images import load_image
from leadline.data.sources.base import SIDES, FrameId, Source
from leadline.files import atomic_path

FRAMES_PER_CHUNK = 256
"""94 MB at 640x192: few enough files, and little lost when a run is stopped."""
RESIZING = "bicubic-antialias-1"
"""Name of what `load_image` does; another name makes older caches stale."""
_GIGABYTE = 1e9


@dataclass(frozen=True)
class Filled:
    """How many images a run resized, and how many were there already."""

    written: int
    kept: int


@dataclass(frozen=True)
class _Chunk:
    """Consecutive frames of one camera and the file that holds them."""

    path: Path
    frames: tuple[FrameId, ...]


class ImageCache:
    """The images of `source` at `size` (h, w) that `fill_cache` put into `folder`.

    One `.npy` of 8-bit pixels (n 3 h w) per `FRAMES_PER_CHUNK` frame numbers of a camera,
    memory-mapped: measured against a JPEG of quality 95 it is read in a thirtieth of the time at
    four times the size. The file's name holds a digest of the size, of the way of resizing and
    of each original's length and time of change: what is stale is not found, and decoded instead.
    """

    def __init__(self, source: Source, folder: Path, size: tuple[int, int]) -> None:
        self._rows = {
            frame: (chunk.path, row)
            for chunk in _chunks(source, folder, size)
            if chunk.path.is_file()
            for row, frame in enumerate(chunk.frames)
        }

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, frame: FrameId) -> UInt8[Tensor, "3 h w"] | None:
        """The resized image, or None where the cache has none that is up to date."""
        place = self._rows.get(frame)
        if place is None:
            return None
        path, row = place
        return torch.from_numpy(np.array(_pixels(path)[row]))


def fill_cache(source: Source, folder: Path, size: tuple[int, int], workers: int = 1) -> Filled:
    """Resize every whole image of `source` to `size` (h, w) that `folder` does not have yet.

    `workers` threads share the work. A chunk is written whole or not at all, so that a stopped
    run goes on where it was and several runs may fill one folder; what a chunk replaces is removed,
    so that each data set wants a folder of its own. Images found damaged by their head or end are
    left out.

    Raises:
        OSError: there is not enough space.
        ValueError: an image proves damaged when it is decoded.
    """
    chunks = list(_chunks(source, folder, size))
    todo = [chunk for chunk in chunks if not chunk.path.is_file()]
    written = sum(len(chunk.frames) for chunk in todo)
    _check_space(folder, written * 3 * size[0] * size[1])
    jobs = [
        (chunk.path, [(source.image_path(f), source.size(f)) for f in chunk.frames], size)
        for chunk in todo
    ]
    for _ in track(_run(jobs, workers), description="resizing", total=len(jobs)):
        pass
    return Filled(written, sum(len(chunk.frames) for chunk in chunks) - written)


_Job = tuple[Path, list[tuple[Path, tuple[int, int]]], tuple[int, int]]


def _run(jobs: list[_Job], workers: int) -> Iterator[None]:
    # Threads are enough: decoding and resizing leave Python to the others while they work.
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(_write, jobs)
        finally:
            pool.shutdown(cancel_futures=True)


def _write(job: _Job) -> None:
    path, images, size = job
    with atomic_path(path) as temporary:
        rows = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(len(images), 3, *size))
        for row, (image, native) in enumerate(images):
            rows[row] = load_image(image, size, native).numpy()
        rows.flush()
    _remove_stale(path)


def _remove_stale(path: Path) -> None:
    prefix = path.name.rsplit("_", 1)[0]
    for other in path.parent.glob(f"{prefix}_*.npy"):
        if other != path:
            other.unlink(missing_ok=True)


def _chunks(source: Source, folder: Path, size: tuple[int, int]) -> Iterator[_Chunk]:
    place = folder / f"{size[1]}x{size[0]}"
    for sequence, frames in source.sequences.items():
        whole = sorted((f for f in frames if _is_readable(source, f)), key=_chunk_of)
        for (camera, number), group in groupby(whole, key=_chunk_of):
            members = tuple(group)
            digest = _digest([source.image_path(frame) for frame in members], size)
            name = f"{SIDES[camera]}_{number:04d}_{digest}.npy"
            yield _Chunk(place / sequence / name, members)


def _chunk_of(frame: FrameId) -> tuple[int, int]:
    return frame.camera, frame.index // FRAMES_PER_CHUNK


def _is_readable(source: Source, frame: FrameId) -> bool:
    try:
        source.size(frame)
    except (ValueError, OSError):
        return False
    return True


def _digest(images: list[Path], size: tuple[int, int]) -> str:
    states = [path.stat() for path in images]
    content = [
        RESIZING,
        size,
        *((p.name, s.st_size, s.st_mtime_ns) for p, s in zip(images, states, strict=True)),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _check_space(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder}: the cache needs {needed / _GIGABYTE:.1f} GB and {free / _GIGABYTE:.1f} GB "
            "are free; choose another folder, a smaller size, or train without a cache"
        )


@cache
def _pixels(path: Path) -> np.ndarray:
    pixels: np.ndarray = np.load(path, mmap_mode="r")
    return pixels
