"""Make3D: pictures, and laser depth in files of MATLAB -> images, depth and lists."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from leadline.data.depth_files import write_depth
from leadline.data.image_files import image_size, read_picture, write_picture
from leadline.data.sparse import resize_nearest
from leadline.data.unpack.folder import (
    DEPTH,
    EVERYTHING,
    IMAGES,
    UnpackedFrame,
    UnpackSummary,
    claim,
    is_there,
    write_lists,
)
from leadline.data.unpack.matlab import read_variables

Crop = Literal["central", "none"]
GRID = "Position3DGrid"
GRID_SHAPE, DEPTH_CHANNEL = (55, 305, 4), 3
"""Rows, columns, and channels of which the last is depth in metres."""
CENTRAL_ROWS = slice(17, 38)
"""Of the laser's grid, as [monodepth] scores them: they cover the picture's central 2:1 part."""
CENTRAL_SIZE = (CENTRAL_ROWS.stop - CENTRAL_ROWS.start, GRID_SHAPE[1])
"""(h, w) of the truth of the central part."""
WHOLE_SIZE = (460, 345)
"""(h, w) to which [fcrn] brings the truth of whole pictures."""
_IMAGE_NAME, _DEPTH_NAME = "img-", "depth_sph_corr-"
_ROWS_MISMATCH = 0.02
"""Most by which the shares of rows kept of picture and grid may differ; 0.375 and 0.382 do."""


def unpack_make3d(
    folder: Path,
    out: Path,
    crop: Crop = "central",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> UnpackSummary:
    """Write every picture below `folder` that has a laser scan to `out`, and lists of them: all,
    and those below folders called test… and train….

    `central`: of each picture the central rows, half as many as it has columns, and of the scan the
    rows that they show, 21x305. `none`: the whole picture, and the scan resized to 460x345 by the
    nearest value. Pictures and scans belong together by the id in their names; what has no partner
    is counted and named, as is what cannot be read. Frames that are there are kept.

    Raises:
        ImportError: SciPy is not installed.
        FileNotFoundError: no pictures, no scans.
        ValueError: none belong together or none can be read; two have one id; `out` holds something
            else.
        OSError: `out` cannot be written.
    """
    pictures = _by_id(folder, _IMAGE_NAME, ".jpg", "pictures")
    scans = _by_id(folder, _DEPTH_NAME, ".mat", "laser scans")
    ids = sorted(pictures.keys() & scans.keys())
    if not ids:
        raise ValueError(
            f"{folder}: expected pictures and scans of the same ids, found none: the first are "
            f"{next(iter(pictures.values()))} and {next(iter(scans.values()))}; give the folder "
            "that holds both"
        )
    claim(out, {"data": "Make3D", "crop": crop})
    summary = UnpackSummary(unmatched=tuple(_unmatched(pictures, scans)))
    done: dict[str, UnpackedFrame] = {}
    for number, name in enumerate(ids, start=1):
        frame = UnpackedFrame(f"{IMAGES}/{_IMAGE_NAME}{name}.png", f"{DEPTH}/{name}.npy")
        try:
            if is_there(out, frame, *_sizes(pictures[name], crop)):
                summary.kept += 1
            else:
                picture, depth = _read(pictures[name], scans[name], crop)
                write_picture(out / frame.image, picture)
                write_depth(out / frame.depth, depth)
                summary.written += 1
            done[name] = frame
        except ValueError as error:
            summary.failed.append(str(error))
        progress(number, len(ids))
    if not done:
        raise ValueError(summary.failed[0])
    lists = {EVERYTHING: list(done.values())}
    for part in ("train", "test"):
        members = [frame for name, frame in done.items() if _is_of(part, pictures[name], folder)]
        if members:
            lists[part] = members
    summary.lists = write_lists(out, lists, focal=None)
    return summary


def _by_id(folder: Path, start: str, suffix: str, what: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder of Make3D, found none")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob(f"{start}*{suffix}")):
        name = path.name.removeprefix(start).removesuffix(suffix)
        if name in found:
            raise ValueError(
                f"{path}: expected one file of each id, found {found[name]} as well; remove one"
            )
        found[name] = path
    if not found:
        raise FileNotFoundError(
            f"{folder}: expected {what} of Make3D ({start}*{suffix}) in it or below, found none; "
            "unpack the archives of pictures and of depth into it"
        )
    return found


def _unmatched(pictures: Mapping[str, Path], scans: Mapping[str, Path]) -> Iterator[str]:
    for what, these, others in (
        ("pictures without a laser scan", pictures, scans),
        ("laser scans without a picture", scans, pictures),
    ):
        alone = sorted(these.keys() - others.keys())
        if alone:
            yield f"{len(alone)} {what}, left out, first: {these[alone[0]]}"


def _is_of(part: str, picture: Path, folder: Path) -> bool:
    places = [folder.resolve().name, *picture.relative_to(folder).parent.parts]
    return any(place.lower().startswith(part) for place in places)


def _rows_of(path: Path, size: tuple[int, int]) -> slice:
    """The central rows of a picture of (h, w)."""
    height, width = size
    share = (CENTRAL_ROWS.stop - CENTRAL_ROWS.start) / GRID_SHAPE[0]
    if abs(width // 2 / height - share) > _ROWS_MISMATCH:
        raise ValueError(
            f"{path}: expected an upright picture of 3:4, as 1704x2272, got {width}x{height}; "
            "its central part is not that of the laser scan"
        )
    top = (height - width // 2) // 2
    return slice(top, top + width // 2)


def _sizes(path: Path, crop: Crop) -> tuple[tuple[int, int], tuple[int, int]]:
    """(h, w) of what is written of a picture and of its scan."""
    size = image_size(path, upright=True)
    if crop == "none":
        return size, WHOLE_SIZE
    rows = _rows_of(path, size)
    return (rows.stop - rows.start, size[1]), (
        CENTRAL_ROWS.stop - CENTRAL_ROWS.start,
        GRID_SHAPE[1],
    )


def _read(
    picture_path: Path, scan_path: Path, crop: Crop
) -> tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "_ _"]]:
    picture = read_picture(picture_path)
    grid = read_variables(scan_path, [GRID])[GRID]
    if grid.shape != GRID_SHAPE or not np.issubdtype(grid.dtype, np.floating):
        raise ValueError(
            f"{scan_path}: expected {GRID} of {' x '.join(map(str, GRID_SHAPE))} numbers, got "
            f"{grid.dtype} of shape {grid.shape}; fetch the file again"
        )
    depth = grid[..., DEPTH_CHANNEL].astype(np.float32)
    if not (np.isfinite(depth).all() and (depth >= 0).all()):
        raise ValueError(
            f"{scan_path}: expected depth of 0 or more metres, got NaN, infinity or less; fetch "
            "the file again"
        )
    if crop == "none":
        return picture, resize_nearest(depth, WHOLE_SIZE)
    size = (picture.shape[0], picture.shape[1])
    return picture[_rows_of(picture_path, size)], depth[CENTRAL_ROWS]
