"""The file formats of disparity (hints) and depth: type, scale, 0 = missing, settings recorded.

Every file is written whole or not at all. Formats with 16 bits hold whole multiples of their step:
a present value below half a step becomes one step, never 0; a value beyond the largest that 16
bits hold becomes missing, because a clamped one would be a lie; the writer returns how many did.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64, Shaped, UInt16
from PIL import Image, UnidentifiedImageError

from leadline.data.image_files import image_size
from leadline.data.png_files import PNG_END, read_png, write_png
from leadline.data.png_texts import plain_texts
from leadline.files import atomic_path

DISPARITY_STEPS_PER_PIXEL = 256
"""Scale of a hint file, the one of KITTI's own disparity files."""
MILLIMETRES = 1000
"""`divide` of a depth PNG in millimetres, up to 65.5 m, the habit of RGB-D cameras."""
KITTI_DIVIDE = 256
"""`divide` of KITTI's own depth PNGs, up to 256 m."""
MOST_STEPS = np.iinfo(np.uint16).max
"""What 16 bits hold."""
DEPTH_SUFFIXES = (".npy", ".npz", ".png")
KNOWN_ARRAYS = ("velodyne_depth", "depth")
"""What is taken from an `.npz`, in this order; else its first array."""
_HEAD = 4096
"""Bytes in which a file of ours has all its text."""
_DEPTH_AND_COLOUR, _SIXTEEN_GREY = 24, b"\x10\x00"
"""Where a PNG says how many bits its channels have and which they are, and what it should say."""


def write_disparity(
    path: Path, disparity: Float[np.ndarray, "h w"], settings: Mapping[str, str]
) -> int:
    """Write disparity in pixels at the file's own width as uint16 PNG x 256, 0 = missing.

    `settings` go into the PNG's text, one entry each, for `read_settings`. Returns how many values
    are beyond the format (256 pixels or more) and became missing.

    Raises:
        ValueError: the map holds NaN, infinity or a negative value.
    """
    steps, beyond = _to_steps(path, disparity, DISPARITY_STEPS_PER_PIXEL, "disparity")
    write_png(path, steps, settings)
    return beyond


def read_disparity(path: Path) -> Float32[np.ndarray, "h w"]:
    """Disparity in pixels at the file's own width, 0 = missing.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or is no 16-bit PNG of one channel.
    """
    return _read_steps(path).astype(np.float32) / DISPARITY_STEPS_PER_PIXEL


def read_settings(path: Path) -> dict[str, str]:
    """What was recorded in the PNG's text when it was written; pixels are not decoded.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no PNG or its head is damaged.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            texts = [(key, text) for key, text in image.info.items() if isinstance(text, str)]
            return {str(key): text for key, text in texts}
    except FileNotFoundError:
        raise
    except (
        *(UnidentifiedImageError, Image.DecompressionBombError),
        *(OSError, SyntaxError, ValueError),
    ) as error:
        raise ValueError(f"{path}: damaged or no PNG ({error}); write the file anew") from None


def settings_of_whole(path: Path) -> dict[str, str]:
    """What a complete PNG recorded of itself.

    Looks at the head and the last bytes only, so that a long job can check its past work fast.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no PNG, its head is damaged, or it was cut short.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(-len(PNG_END), 2)
            end = file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: damaged or no PNG ({error}); write the file anew") from None
    settings = plain_texts(head)
    if settings is None:
        settings = read_settings(path)
    if end != PNG_END:
        raise ValueError(f"{path}: truncated PNG; write the file anew")
    return settings


def write_depth(path: Path, depth: Float[np.ndarray, "h w"], divide: float = MILLIMETRES) -> int:
    """Write depth in metres, 0 = missing, in the format that the suffix names.

    `.png`: uint16 of depth x `divide` (1000 for millimetres, 256 as KITTI does), recorded in the
    PNG's text; `.npy` and `.npz` (key `depth`): float32 metres, where `divide` plays no part.
    Returns how many values are beyond a PNG's range (65535 / `divide` metres) and became missing.

    Raises:
        ValueError: another suffix, or the map holds NaN, infinity or a negative value.
    """
    suffix = _depth_suffix(path)
    if suffix == ".png":
        steps, beyond = _to_steps(path, depth, divide, "depth")
        write_png(path, steps, {"divide": f"{divide:g}"})
        return beyond
    _check_values(path, depth, "depth")
    with atomic_path(path) as temporary:
        if suffix == ".npy":
            np.save(temporary, depth.astype(np.float32))
        else:
            np.savez_compressed(temporary, depth=depth.astype(np.float32))
    return 0


def read_depth(path: Path, divide: float | None = None) -> Float32[np.ndarray, "h w"]:
    """Depth in metres, 0 = missing, from any of the formats of `write_depth`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as `load_depth`, or a value is infinite.
    """
    depth = load_depth(path, divide).astype(np.float32)
    _check_values(path, depth, "depth")
    return depth


def load_depth(
    path: Path, divide: float | None = None, assumed: float | None = None
) -> Float64[np.ndarray, "h w"]:
    """Depth in metres as anyone's file holds it, 0 = missing, infinity = infinitely far.

    A PNG is divided by what it records of itself; one of other origin by `divide`, else by
    `assumed`. Of an `.npz` the first of `KNOWN_ARRAYS` is taken, else its first array. Axes of
    length 1 beside h x w are dropped.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, of another format or shape, holds NaN or negative values,
            or is a PNG whose `divide` nobody knows, or which records another one.
    """
    if _depth_suffix(path) == ".png":
        steps = _read_steps(path)
        return steps.astype(np.float64) / _divide(path, divide, assumed)
    depth = _as_map(path, _load_array(path))
    wrong = np.count_nonzero(~(depth >= 0))
    if wrong:
        raise ValueError(
            f"{path}: expected depth of 0 (missing) or more metres, got NaN or negative values at "
            f"{wrong} of {depth.size} pixels; mark missing pixels by 0"
        )
    return depth.astype(np.float64)


def depth_size(path: Path) -> tuple[int, int]:
    """(h, w) of a depth file, by its head and its last bytes, so that many can be looked at.

    Of an `.npz` more is read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short, of another format or shape, or a picture.
    """
    if _depth_suffix(path) != ".png":
        height, width = _as_map(path, _load_array(path, mapped=True)).shape
        return height, width
    size = image_size(path)
    with path.open("rb") as file:
        head = file.read(_DEPTH_AND_COLOUR + 2)
    if head[_DEPTH_AND_COLOUR:] != _SIXTEEN_GREY:
        raise ValueError(
            f"{path}: expected a 16-bit PNG of one channel, got a picture, not a measurement; "
            "export npy or 16-bit PNG"
        )
    return size


def recorded_divide(path: Path) -> float | None:
    """Units per metre that a PNG records of itself, or None.

    Raises:
        FileNotFoundError, ValueError: as `read_settings`, or it records no number.
    """
    text = read_settings(path).get("divide")
    try:
        return None if text is None else float(text)
    except ValueError:
        raise ValueError(
            f"{path}: expected a number as its recorded divide, got {text!r}; write the file anew"
        ) from None


def _divide(path: Path, given: float | None, assumed: float | None) -> float:
    """Steps per metre of a PNG: what it records of itself, else what is given."""
    recorded = recorded_divide(path)
    if None not in (recorded, given) and recorded != given:
        raise ValueError(
            f"{path}: was written with divide={recorded:g}, not {given:g}; "
            f"read it with divide={recorded:g}"
        )
    divide = next((each for each in (recorded, given, assumed) if each is not None), None)
    if divide is None:
        raise ValueError(
            f"{path}: expected a PNG that records its units per metre, got none; pass divide=256 "
            "(KITTI) or divide=1000 (millimetres), `--divide` of the command"
        )
    if not divide > 0:
        raise ValueError(f"divide: expected a positive number of units per metre, got {divide:g}")
    return divide


def _as_map(path: Path, values: np.ndarray) -> Shaped[np.ndarray, "h w"]:
    depth = _without_single_axes(values)
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(
            f"{path}: expected a depth map of h x w, got the shape {depth.shape}; "
            "write one file per image"
        )
    if not np.issubdtype(depth.dtype, np.number) or np.iscomplexobj(depth):
        raise ValueError(f"{path}: expected metres, got {depth.dtype}; write numbers")
    return depth


def _without_single_axes(values: np.ndarray) -> np.ndarray:
    # A map one pixel high or wide keeps its two axes.
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    return values


def _depth_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in DEPTH_SUFFIXES:
        raise ValueError(f"{path}: expected a depth file named *{', *'.join(DEPTH_SUFFIXES)}")
    return suffix


def _check_values(path: Path, values: Float[np.ndarray, "h w"], quantity: str) -> None:
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f"{path}: {quantity} must be finite and not negative, got NaN, infinity or values "
            "below 0; mark missing pixels by 0"
        )


def _to_steps(
    path: Path, values: Float[np.ndarray, "h w"], steps_per_unit: float, quantity: str
) -> tuple[UInt16[np.ndarray, "h w"], int]:
    _check_values(path, values, quantity)
    steps = np.rint(values.astype(np.float64) * steps_per_unit)
    steps = np.where(values > 0, np.maximum(steps, 1), 0)
    beyond = steps > MOST_STEPS
    return np.where(beyond, 0, steps).astype(np.uint16), int(beyond.sum())


def _read_steps(path: Path) -> UInt16[np.ndarray, "h w"]:
    steps = read_png(path)
    if steps.dtype != np.uint16 or steps.ndim != 2:
        raise ValueError(
            f"{path}: expected a 16-bit PNG of one channel, got {steps.dtype} of shape "
            f"{steps.shape}: a picture, not a measurement; export npy or 16-bit PNG"
        )
    return steps


def _load_array(path: Path, mapped: bool = False) -> np.ndarray:
    # Nothing is unpickled: np.load refuses object arrays by itself.
    try:
        content = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content:
            key = next((key for key in KNOWN_ARRAYS if key in content.files), None)
            return np.asarray(content[key or content.files[0]])
    except FileNotFoundError:
        raise
    except (OSError, EOFError, IndexError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: damaged or no numpy file of numbers ({error}); write it anew"
        ) from None
