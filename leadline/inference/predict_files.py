"""Photographs on disk -> depth on disk: resumable, atomic, one clear line for what went wrong."""

import glob
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from leadline.colour import DepthScale, colour_depth
from leadline.data.depth_files import write_depth
from leadline.data.images import IMAGE_SUFFIXES, list_images
from leadline.files import atomic_path
from leadline.inference.model_folder import fingerprint
from leadline.inference.predictor import DepthPredictor, to_native

MANIFEST = "predictions.json"
Output = Literal["millimetres", "kitti", "npy", "colour"]
SUFFIX: dict[Output, str] = {
    "millimetres": ".png",
    "kitti": ".png",
    "npy": ".npy",
    "colour": ".png",
}
DIVIDE: dict[Output, int] = {"millimetres": 1000, "kitti": 256}
"""Units of the 16-bit PNG in one metre."""


@dataclass
class PredictionSummary:
    """What a prediction run did."""

    written: int = 0
    kept: int = 0
    """Made by an earlier run of the same model."""
    failed: dict[str, str] = field(default_factory=dict)
    beyond: int = 0
    """Pixels too far for 16 bits, written as missing."""


def find_photographs(inputs: Sequence[str]) -> dict[Path, Path]:
    """Each image that is meant by files, folders and globs, with the path of its result.

    Results mirror the layout below the folder that was named.

    Raises:
        FileNotFoundError: an input means no image; it is named.
    """
    found: dict[Path, Path] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            images = _images_below(path)
            results = [image.relative_to(path).with_suffix("") for image in images]
        else:
            matches = [path] if path.is_file() else [Path(m) for m in sorted(glob.glob(text))]
            images = [m for m in matches if m.suffix.lower() in IMAGE_SUFFIXES]
            results = [Path(image.stem) for image in images]
        if not images:
            raise FileNotFoundError(
                f"{text}: expected an image, a folder of images or a glob, found no image there"
            )
        found |= dict(zip(images, results, strict=True))
    _refuse_collisions(found)
    return found


def predict_files(
    model: DepthPredictor,
    model_folder: Path,
    inputs: Sequence[str],
    out: Path,
    outputs: Sequence[Output],
    batch_size: int = 1,
    scale: DepthScale | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionSummary:
    """Predict every photograph; what an earlier run of the same model wrote is kept.

    Colours span one range for all pictures, so that a video does not flicker: `scale`, or else the
    range of the first picture.

    Raises:
        FileNotFoundError: an input means no image.
        ValueError: `out` holds predictions of another model or other settings.
    """
    photographs = find_photographs(inputs)
    settings = _settings(model, model_folder)
    scale = _begin(out, settings, scale)
    summary = PredictionSummary()
    pending = {
        path: result
        for path, result in photographs.items()
        if not all(_target(out, kind, result).exists() for kind in outputs)
    }
    summary.kept = len(photographs) - len(pending)
    for path, depth in _predicted(model, list(pending), batch_size, summary.failed):
        if scale is None and "colour" in outputs:
            scale = DepthScale.spanning(depth)
            _write_manifest(out, settings, scale)
        for kind in outputs:
            summary.beyond += _write(_target(out, kind, pending[path]), kind, depth, scale)
        summary.written += 1
        progress(summary.kept + summary.written + len(summary.failed), len(photographs))
    return summary


def _predicted(
    model: DepthPredictor, paths: Sequence[Path], batch_size: int, failed: dict[str, str]
) -> Iterator[tuple[Path, Float32[np.ndarray, "_ _"]]]:
    """Each readable photograph with its depth, the next batch being decoded meanwhile."""
    groups = [paths[i : i + batch_size] for i in range(0, len(paths), batch_size)]
    with ThreadPoolExecutor(batch_size) as pool:
        coming = deque(
            [pool.submit(model.load_image, path) for path in group] for group in groups[:1]
        )
        for k, group in enumerate(groups):
            if k + 1 < len(groups):
                coming.append([pool.submit(model.load_image, path) for path in groups[k + 1]])
            loaded = {}
            for path, future in zip(group, coming.popleft(), strict=True):
                try:
                    loaded[path] = future.result()
                except (OSError, ValueError) as error:
                    failed[str(path)] = str(error)
            if not loaded:
                continue
            inverse = model.inverse_depth(torch.stack([image for image, _ in loaded.values()]))
            for (path, (_, native)), one in zip(loaded.items(), inverse, strict=True):
                yield path, to_native(one, native)


def _images_below(folder: Path) -> list[Path]:
    folders = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
    return [image for one in folders for image in list_images(one)]


def _refuse_collisions(found: dict[Path, Path]) -> None:
    owner: dict[Path, Path] = {}
    for path, result in found.items():
        other = owner.setdefault(result, path)
        if other != path:
            raise ValueError(
                f"{other} and {path} would both be written as {result}: name their common folder "
                "instead, so that results mirror its layout"
            )


def _target(out: Path, kind: Output, result: Path) -> Path:
    folder = out / kind
    return folder / result.with_name(result.name + SUFFIX[kind])


def _write(
    target: Path, kind: Output, depth: Float32[np.ndarray, "_ _"], scale: DepthScale | None
) -> int:
    """Write one result; returns how many pixels its format could not hold."""
    if kind == "colour":
        picture = colour_depth(depth, scale)
        with atomic_path(target) as temporary:
            if not cv2.imwrite(str(temporary), picture[..., ::-1]):
                raise OSError(f"{target}: could not be written; is the disk full?")
        return 0
    return write_depth(target, depth, DIVIDE.get(kind, 1))


def _settings(model: DepthPredictor, folder: Path) -> dict[str, Any]:
    return {
        "model": fingerprint(folder),
        "recipe": model.config.recipe,
        "metric": model.config.metric,
        "unit": "metre" if model.config.metric else "arbitrary",
        "size": list(model.size),
        "flip": model.flip,
    }


def _begin(out: Path, settings: dict[str, Any], scale: DepthScale | None) -> DepthScale | None:
    """Start or continue a folder of predictions; the range of colours that it already has."""
    path = out / MANIFEST
    if path.exists():
        recorded = json.loads(path.read_text())
        colours = recorded.pop("colours", None)
        if recorded != settings:
            raise ValueError(
                f"{out} holds predictions of model {recorded.get('model')} with other settings; "
                "give another folder for `--out`"
            )
        if scale is None and colours is not None:
            scale = DepthScale(**colours)
    _write_manifest(out, settings, scale)
    return scale


def _write_manifest(out: Path, settings: dict[str, Any], scale: DepthScale | None) -> None:
    colours = {} if scale is None else {"colours": asdict(scale)}
    with atomic_path(out / MANIFEST) as temporary:
        temporary.write_text(json.dumps(settings | colours, indent=1))
