"""A folder of hints as training sees it: samples in metres, how far to trust them, what is missing,
how it was made.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from leadline.data.confidence_files import CONFIDENCE_FOLDER, confidence_path, read_confidence
from leadline.data.crop_bottom import upper_rows
from leadline.data.depth_files import read_disparity, read_settings
from leadline.data.png_files import png_size
from leadline.data.sources.base import FrameId, Source
from leadline.data.sparse import resize_nearest
from leadline.geometry.depth import disparity_to_depth

_METHOD_KEYS = ("hints", "matchers", "images")
"""What a hint file records of its method, the mode first."""
_LOOKED_AT = 20
"""Files: the first hints of a folder of ours say it, and others' folders may be large."""


def load_hint(
    source: Source,
    folder: Path,
    target: FrameId,
    size: tuple[int, int],
    crop_bottom: float = 0.0,
) -> Float[Tensor, "1 h w"] | None:
    """Metres from the disparity in `folder`, at `size` (h, w), 0 = missing; None without a file.

    `crop_bottom` is the share of its height, at the bottom, that is cut off before.

    A hint is disparity at the width of its own file: the true focal length, brought to that
    width, and the true baseline turn it into depth.

    Raises:
        ValueError: the file is damaged, or the rig that it belongs to is unknown.
    """
    path = folder / source.hint_path(target)
    if not path.is_file():
        return None
    camera, baseline = source.camera(target), source.baseline(target.sequence)
    if camera is None or baseline is None:
        raise ValueError(
            f"{path}: a hint needs the focal length and the baseline of {target.sequence}, "
            "which are unknown; add its calibration"
        )
    disparity = read_disparity(path)
    focal = float(camera.intrinsics[0, 0]) * disparity.shape[1] / camera.size[1]
    kept = disparity[: upper_rows(len(disparity), crop_bottom)]
    resized = torch.from_numpy(resize_nearest(kept, size))
    return disparity_to_depth(resized, focal, baseline)[None]


def load_confidence(
    source: Source,
    folder: Path,
    target: FrameId,
    size: tuple[int, int],
    crop_bottom: float = 0.0,
) -> UInt8[Tensor, "1 h w"] | None:
    """How far to trust the hint in `folder`, in 255ths, at `size` (h, w); None without a file.

    `crop_bottom` as for the hint.

    Raises:
        ValueError: the file is damaged, or is not of its hint's size.
    """
    hint = source.hint_path(target)
    path = confidence_path(folder, hint)
    if not path.is_file():
        return None
    confidence = read_confidence(path, png_size(folder / hint))
    kept = confidence[: upper_rows(len(confidence), crop_bottom)]
    return torch.from_numpy(resize_nearest(kept, size))[None]


def absent_hint(path: Path) -> str:
    """What to say of a hint that is not there: its file, and a `.npy` found in its place."""
    other = path.with_suffix(".npy")
    if not other.is_file():
        return str(path)
    return (
        f"{path}: expected disparity as 16-bit PNG, found {other.name}, which is not read (it does "
        "not say its unit and may hold NaN); make hints by `leadline hints`"
    )


def check_hints(hints: Path | None, confidence: bool) -> None:
    """Refuse hints that are not there, and confidence in none.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: confidence is wanted without hints.
    """
    if hints is not None and not hints.is_dir():
        raise FileNotFoundError(
            f"{hints}: expected a folder of hints, found none; `leadline hints` makes them"
        )
    if confidence and hints is None:
        raise ValueError(
            "hint_confidence: expected hints to be confident of, got none; make them "
            "(`leadline hints`) and give `--hints FOLDER`"
        )


def hints_description(folder: Path) -> str | None:
    """How the hints of a folder were made, in a few words: mode, matchers, images.

    As the first of its hint files recorded it, since `summary.json` is there only after a whole
    run. None where none of the first files records it: others made them.
    """
    for path in islice(_pngs(folder), _LOOKED_AT):
        try:
            settings = read_settings(path)
        except (OSError, ValueError):
            continue
        if all(key in settings for key in _METHOD_KEYS):
            seed = [f"seed {settings['seed']}"] if "seed" in settings else []
            return "; ".join([*(settings[key] for key in _METHOD_KEYS), *seed])
    return None


def _pngs(folder: Path) -> Iterator[Path]:
    # In an order that does not depend on the machine, without listing the whole tree first.
    for place, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name != CONFIDENCE_FOLDER)
        whole = (name for name in sorted(names) if not name.startswith("."))
        yield from (Path(place, name) for name in whole if name.endswith(".png"))
