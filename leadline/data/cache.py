"""Images and hints resized once and kept: a training then reads pixels, and decodes no files."""

import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from rich.progress import track
from torch import Tensor

from leadline.data.confidence_files import confidence_path
from leadline.data.hint_maps import load_confidence, load_hint
from leadline.data.image_tensors import load_image
from leadline.data.sources.base import SIDES, FrameId, Source
from leadline.files import atomic_path, remove_leftovers

FRAMES_PER_CHUNK = 256
"""94 MB at 640x192: few enough files, and little lost when a run is stopped."""
RESIZING = "bicubic-antialias-1"
"""Name of what `load_image`, `load_hint` and `load_confidence` do; another name makes older caches
stale.
"""
_GIGABYTE = 1e9


@dataclass(frozen=True)
class Filled:
    """How many images and hints a run resized, and how many were there already."""

    written: int
    kept: int


@dataclass(frozen=True)
class _Kind:
    """What is kept of a frame: where it comes from, and how it is read."""

    prefix: str
    """Of the file's name."""
    shape: tuple[int, int, int]
    dtype: type[np.generic]
    path: Callable[[FrameId], Path]
    load: Callable[[FrameId], Tensor | None]
    is_there: Callable[[FrameId], bool]
    crop_bottom: float
    """Share of the height that is cut off."""
    depends_on: Callable[[FrameId], list[object]] = lambda frame: []
    """What else decides about the values, for the digest."""


@dataclass(frozen=True)
class _Chunk:
    """Consecutive frames of one camera and the file that holds something of theirs."""

    path: Path
    frames: tuple[FrameId, ...]
    kind: _Kind


_Rows = dict[FrameId, tuple[Path, int]]


class SampleCache:
    """What `fill_cache` put into `folder`: images of `source`, hints of `hints` and, if asked for,
    their confidence, at `size` (h, w), without the share `crop_bottom` of their height.

    One `.npy` per `FRAMES_PER_CHUNK` frame numbers of a camera, memory-mapped: 8-bit pixels (n 3 h
    w), hints in metres (n 1 h w, float32), or confidence in 255ths (n 1 h w, 8 bits). It is larger
    than the files and saves their decoding (benchmarks/loading.md). A file's name holds a digest of
    the size, of the way of resizing, of each original's length and time of change, and of what
    makes metres of a hint: what is stale, or was removed meanwhile, is decoded instead.
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        size: tuple[int, int],
        hints: Path | None = None,
        hint_confidence: bool = False,
        crop_bottom: float = 0.0,
    ) -> None:
        images = _image_kind(source, size, crop_bottom)
        self._images = _rows(_chunks(source, folder, size, images))
        self._hints: _Rows = {}
        self._confidence: _Rows = {}
        if hints is not None and hint_confidence:
            confidence = _confidence_kind(source, size, hints, crop_bottom)
            self._confidence = _rows(_chunks(source, folder, size, confidence))
        if hints is not None:
            kind = _hint_kind(source, size, hints, crop_bottom)
            self._hints = _rows(_chunks(source, folder, size, kind))

    def __len__(self) -> int:
        return len(self._images)

    def image(self, frame: FrameId) -> UInt8[Tensor, "3 h w"] | None:
        """The resized image, or None where the cache has none that is up to date."""
        return _row(self._images, frame)

    def hint(self, frame: FrameId) -> Float[Tensor, "1 h w"] | None:
        """The resized hint in metres, or None where the cache has none that is up to date."""
        return _row(self._hints, frame)

    def hint_confidence(self, frame: FrameId) -> UInt8[Tensor, "1 h w"] | None:
        """How far to trust the hint, in 255ths, or None where the cache does not know."""
        return _row(self._confidence, frame)


def fill_cache(
    source: Source,
    folder: Path,
    size: tuple[int, int],
    workers: int = 1,
    hints: Path | None = None,
    hint_confidence: bool = False,
    crop_bottom: float = 0.0,
) -> Filled:
    """Resize every whole image of `source`, every hint in `hints` and, if wanted, its confidence to
    `size` (h, w), without the share `crop_bottom` of their height, that `folder` does not have yet.

    `workers` threads share the work. A chunk is written whole or not at all, so that a stopped
    run goes on where it was and several runs may fill one folder; what a chunk replaces is removed,
    so that each data set wants a folder of its own. Damaged images and hints are left out.

    Raises:
        OSError: there is not enough space.
    """
    kinds = [_image_kind(source, size, crop_bottom)]
    if hints is not None:
        kinds.append(_hint_kind(source, size, hints, crop_bottom))
    if hints is not None and hint_confidence:
        kinds.append(_confidence_kind(source, size, hints, crop_bottom))
    chunks = [chunk for kind in kinds for chunk in _chunks(source, folder, size, kind)]
    remove_leftovers(chunk.path.parent for chunk in chunks)
    todo = [chunk for chunk in chunks if not chunk.path.is_file()]
    _check_space(folder, sum(_bytes(chunk) for chunk in todo))
    watched = sys.stdout.isatty()
    for _ in track(_run(todo, workers), "resizing", len(todo), disable=not watched):
        pass
    written = sum(len(chunk.frames) for chunk in todo)
    return Filled(written, sum(len(chunk.frames) for chunk in chunks) - written)


def _image_kind(source: Source, size: tuple[int, int], crop_bottom: float) -> _Kind:
    return _Kind(
        prefix="",
        shape=(3, *size),
        dtype=np.uint8,
        path=source.image_path,
        load=lambda frame: load_image(
            source.image_path(frame), size, source.size(frame), crop_bottom=crop_bottom
        ),
        is_there=lambda frame: _is_readable(source, frame),
        crop_bottom=crop_bottom,
    )


def _hint_kind(source: Source, size: tuple[int, int], hints: Path, crop_bottom: float) -> _Kind:
    return _Kind(
        prefix=f"hint_{_short_name(hints)}_",
        shape=(1, *size),
        dtype=np.float32,
        path=lambda frame: hints / source.hint_path(frame),
        load=lambda frame: load_hint(source, hints, frame, size, crop_bottom),
        is_there=lambda frame: (
            source.camera(frame) is not None
            and source.baseline(frame.sequence) is not None
            and (hints / source.hint_path(frame)).is_file()
        ),
        crop_bottom=crop_bottom,
        depends_on=lambda frame: _calibration(source, frame),
    )


def _confidence_kind(
    source: Source, size: tuple[int, int], hints: Path, crop_bottom: float
) -> _Kind:
    return _Kind(
        prefix=f"confidence_{_short_name(hints)}_",
        shape=(1, *size),
        dtype=np.uint8,
        path=lambda frame: confidence_path(hints, source.hint_path(frame)),
        load=lambda frame: load_confidence(source, hints, frame, size, crop_bottom),
        is_there=lambda frame: (
            (hints / source.hint_path(frame)).is_file()
            and confidence_path(hints, source.hint_path(frame)).is_file()
        ),
        crop_bottom=crop_bottom,
    )


def _short_name(hints: Path) -> str:
    # Hints of other folders may lie in the same cache: other ways to match, for a comparison.
    return hashlib.sha256(str(hints.resolve()).encode()).hexdigest()[:8]


def _calibration(source: Source, frame: FrameId) -> list[object]:
    camera = source.camera(frame)
    if camera is None:
        return []
    return [camera.intrinsics.tolist(), camera.size, source.baseline(frame.sequence)]


def _rows(chunks: Iterable[_Chunk]) -> _Rows:
    return {
        frame: (chunk.path, row)
        for chunk in chunks
        if chunk.path.is_file()
        for row, frame in enumerate(chunk.frames)
    }


def _row(rows: _Rows, frame: FrameId) -> Tensor | None:
    place = rows.get(frame)
    if place is None:
        return None
    path, row = place
    try:
        values = np.array(_pixels(path)[row])
    except FileNotFoundError:  # another run has replaced the chunk since
        return None
    # Rows of nothing but 0 stand for files that could not be read: these are asked again.
    return torch.from_numpy(values) if values.any() else None


def _bytes(chunk: _Chunk) -> int:
    return len(chunk.frames) * math.prod(chunk.kind.shape) * np.dtype(chunk.kind.dtype).itemsize


def _run(chunks: list[_Chunk], workers: int) -> Iterator[None]:
    # Threads are enough: decoding and resizing leave Python to the others while they work.
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(_write, chunks)
        finally:
            pool.shutdown(cancel_futures=True)


def _write(chunk: _Chunk) -> None:
    kind = chunk.kind
    shape = (len(chunk.frames), *kind.shape)
    descr = dtype_to_descr(np.dtype(kind.dtype))
    # Written and not mapped: a full disk then is an error and not the end of the process.
    with atomic_path(chunk.path) as temporary, temporary.open("wb") as file:
        write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        for frame in chunk.frames:
            file.write(_values(kind, frame).tobytes())
    _remove_stale(chunk.path)


def _values(kind: _Kind, frame: FrameId) -> np.ndarray:
    loaded = None
    # A file that proves damaged only now gets a row of zeros: see `_row`.
    with suppress(ValueError):
        loaded = kind.load(frame)
    return np.zeros(kind.shape, kind.dtype) if loaded is None else loaded.numpy()


def _remove_stale(path: Path) -> None:
    prefix = path.name.rsplit("_", 1)[0]
    for other in path.parent.glob(f"{prefix}_*.npy"):
        if other != path:
            # It may be another run's, and open: some systems then refuse to remove it.
            with suppress(OSError):
                other.unlink()


def _chunks(source: Source, folder: Path, size: tuple[int, int], kind: _Kind) -> Iterator[_Chunk]:
    place = folder / f"{size[1]}x{size[0]}"
    for sequence, frames in source.sequences.items():
        whole = sorted((f for f in frames if kind.is_there(f)), key=_chunk_of)
        for (camera, number), group in groupby(whole, key=_chunk_of):
            members = tuple(group)
            digest = _digest(kind, members, size)
            name = f"{kind.prefix}{SIDES[camera]}_{number:04d}_{digest}.npy"
            yield _Chunk(place / sequence / name, members, kind)


def _chunk_of(frame: FrameId) -> tuple[int, int]:
    return frame.camera, frame.index // FRAMES_PER_CHUNK


def _is_readable(source: Source, frame: FrameId) -> bool:
    try:
        source.size(frame)
    except (ValueError, OSError):
        return False
    return True


def _digest(kind: _Kind, frames: Iterable[FrameId], size: tuple[int, int]) -> str:
    # Only where something is cut off: caches of before stay good.
    cut = [kind.crop_bottom] if kind.crop_bottom else []
    content = [RESIZING, size, *cut, *(_state(kind, frame) for frame in frames)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _state(kind: _Kind, frame: FrameId) -> list[object]:
    path = kind.path(frame)
    status = path.stat()
    return [path.name, status.st_size, status.st_mtime_ns, *kind.depends_on(frame)]


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
