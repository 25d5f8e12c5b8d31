"""The labelled frames of NYUv2, one large file of MATLAB -> images, depth and lists."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from leadline.data.depth_files import write_depth
from leadline.data.image_files import write_picture
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
from leadline.data.unpack.matlab import open_datasets, read_variables

FOCAL = 518.8579
"""Pixels; of the colour camera, by the data set's own toolbox."""
STEPS_PER_METRE = 5000
"""Depth up to 13.1 m in 16 bits; the camera measures up to 10 m."""
_DATASETS = ("images", "depths")
_SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
"""Names of our lists and of the variables in the official file."""


def unpack_nyu(
    path: Path,
    out: Path,
    splits: Path | None = None,
    focal: float = FOCAL,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> UnpackSummary:
    """Write every frame of `nyu_depth_v2_labeled.mat` to `out`, and lists of them: all, and those
    of the official `splits.mat` if it is given. Frames bear the numbers of the file, from 1.

    Images become PNG, the filled depth 16-bit PNG of 1/5000 m; what is beyond 13.1 m becomes
    missing, and is counted. One frame is in memory at a time. Frames that are there are kept; what
    cannot be read is counted and named, and is in no list.

    Raises:
        ImportError: h5py, or SciPy for the splits, is not installed.
        FileNotFoundError: there is no such file.
        ValueError: a file is of another kind, does not fit the other, or no frame of it can be
            read; `out` holds something else; the focal length is none.
        OSError: `out` cannot be written.
    """
    if not 1 < focal < math.inf:
        raise ValueError(f"focal: expected pixels of the images, got {focal:g}")
    with open_datasets(path, _DATASETS) as (images, depths):
        _check_shapes(path, images, depths)
        count, _, width, height = images.shape
        chosen = {} if splits is None else read_splits(splits, count)
        claim(
            out,
            {
                "data": "NYUv2, labelled",
                "bytes": path.stat().st_size,
                "frames": count,
                "focal": focal,
            },
        )
        summary = UnpackSummary()
        frames = [_frame(number) for number in range(1, count + 1)]
        usable = set[int]()
        for number, frame in enumerate(frames, start=1):
            try:
                if is_there(out, frame, (height, width), (height, width), STEPS_PER_METRE):
                    summary.kept += 1
                else:
                    picture, depth = _read(path, images, depths, number - 1)
                    write_picture(out / frame.image, picture)
                    summary.beyond += write_depth(out / frame.depth, depth, STEPS_PER_METRE)
                    summary.written += 1
                usable.add(number)
            except ValueError as error:
                summary.failed.append(str(error))
            progress(number, count)
    if not usable:
        raise ValueError(summary.failed[0])
    lists = {EVERYTHING: range(1, count + 1), **chosen}
    members = {
        name: [frames[number - 1] for number in each if number in usable]
        for name, each in lists.items()
    }
    summary.lists = write_lists(out, members, focal)
    return summary


def read_splits(path: Path, count: int) -> dict[str, Sequence[int]]:
    """The numbers, from 1 to `count`, of the frames to train and to test on, rising.

    Raises:
        ImportError, FileNotFoundError: as `read_variables`.
        ValueError: as `read_variables`; or numbers are out of range, or one is there twice.
    """
    found = read_variables(path, list(_SPLITS.values()))
    numbers = {name: _numbers(path, found[key], key, count) for name, key in _SPLITS.items()}
    everything = np.concatenate(list(numbers.values()))
    values, times = np.unique(everything, return_counts=True)
    if (times > 1).any():
        raise ValueError(
            f"{path}: expected each frame once, got {int((times > 1).sum())} twice, first "
            f"{values[times > 1][0]}; give the official splits.mat"
        )
    return {name: sorted(each.tolist()) for name, each in numbers.items()}


def _numbers(path: Path, values: np.ndarray, key: str, count: int) -> Int64[np.ndarray, "_"]:
    is_numbers = np.issubdtype(values.dtype, np.number) and values.size > 0
    if not is_numbers or not (values == np.floor(values.real)).all():
        raise ValueError(
            f"{path}: expected whole numbers of frames in {key}, got {values.dtype} of shape "
            f"{values.shape}; give the official splits.mat"
        )
    numbers = values.real.ravel().astype(np.int64)
    if numbers.min() < 1 or numbers.max() > count:
        raise ValueError(
            f"{path}: expected numbers of frames from 1 to {count} in {key}, got {numbers.min()} "
            f"to {numbers.max()}; give the splits of this file"
        )
    return numbers


def _frame(number: int) -> UnpackedFrame:
    return UnpackedFrame(f"{IMAGES}/{number:04d}.png", f"{DEPTH}/{number:04d}.png")


def _check_shapes(path: Path, images: Any, depths: Any) -> None:
    n, *rest = images.shape
    channels, width, height = rest if len(rest) == 3 else (0, 0, 0)
    fits = channels == 3 and depths.shape == (n, width, height)
    # A portrait would be the work of another program, which has rows before columns.
    is_laid_out = fits and n > 0 and width >= height > 0
    if not is_laid_out or images.dtype != np.uint8 or not np.issubdtype(depths.dtype, np.floating):
        raise ValueError(
            f"{path}: expected images of N x 3 x width x height (uint8) and depths of N x width x "
            f"height (float32), as MATLAB lays them out, got {_said(images)} and {_said(depths)}; "
            "give the original file"
        )


def _said(dataset: Any) -> str:
    return f"{' x '.join(map(str, dataset.shape))} ({dataset.dtype})"


def _read(
    path: Path, images: Any, depths: Any, index: int
) -> tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
    try:
        picture, depth = images[index], depths[index]
    except OSError as error:
        raise ValueError(
            f"{path}: frame {index + 1} cannot be read ({error}); fetch the file again"
        ) from None
    if not (np.isfinite(depth).all() and (depth >= 0).all()):
        raise ValueError(
            f"{path}: expected depth of 0 or more metres, got NaN, infinity or less in frame "
            f"{index + 1}; fetch the file again"
        )
    return picture.transpose(2, 1, 0), depth.T.astype(np.float32)
