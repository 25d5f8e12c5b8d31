"""Photographs on disk -> depth on disk: resumable, atomic, one clear line for what went wrong."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from leadline.colour import DepthScale, colour_depth
from leadline.data.depth_files import write_depth
from leadline.data.depth_resize import Resize
from leadline.data.image_files import write_picture
from leadline.data.prediction_record import DIVIDE, Output, PredictionSettings
from leadline.files import remove_leftovers
from leadline.inference.model_folder import fingerprint
from leadline.inference.photographs import find_photographs
from leadline.inference.prediction_folder import PredictionFolder
from leadline.inference.predictor import DepthPredictor, to_native

PathAndDepth = tuple[Path, Float32[np.ndarray, "_ _"]]
"""An image, and its depth at its own size."""


@dataclass
class PredictionSummary:
    """What a prediction run did."""

    written: int = 0
    kept: int = 0
    """Made by an earlier run of the same model."""
    failed: dict[str, str] = field(default_factory=dict)
    beyond: int = 0
    """Pixels too far for 16 bits, written as missing."""


def default_outputs(metric: bool) -> tuple[Output, ...]:
    """What a user most likely wants: 16-bit PNG needs metres."""
    return ("millimetres", "colour") if metric else ("npy", "colour")


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
    """Predict every photograph, turned upright as its camera noted; what an earlier run of the same
    model wrote is kept.

    Raises:
        FileNotFoundError: an input means no image.
        ValueError, OSError: as `predict_photographs`.
    """
    photographs = find_photographs(inputs, out)
    settings = prediction_settings(model, model_folder, upright=True)
    return predict_photographs(
        model, settings, photographs, out, outputs, batch_size, scale, progress
    )


def predict_photographs(
    model: DepthPredictor,
    settings: PredictionSettings,
    photographs: Mapping[Path, Path],
    out: Path,
    outputs: Sequence[Output],
    batch_size: int = 1,
    scale: DepthScale | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionSummary:
    """Predict images into `out`, each under the relative path beside it in `photographs`.

    A photograph that cannot be read costs one line in `failed`.

    Raises:
        ValueError, OSError: as `write_predictions`.
    """
    _check_batch(batch_size)

    def predicted(paths: Sequence[Path], failed: dict[str, str]) -> Iterator[PathAndDepth]:
        return _predicted(model, paths, batch_size, settings, failed)

    return write_predictions(predicted, settings, photographs, out, outputs, scale, progress)


def write_predictions(
    predicted: Callable[[Sequence[Path], dict[str, str]], Iterator[PathAndDepth]],
    settings: PredictionSettings,
    photographs: Mapping[Path, Path],
    out: Path,
    outputs: Sequence[Output],
    scale: DepthScale | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionSummary:
    """Write what `predicted` makes of those images that have no results in `out` yet; it notes the
    images that it cannot do in the mapping that it is given.

    Colours span one range for all pictures, so that a video does not flicker: `scale`, or else the
    range of the first picture.

    Raises:
        ValueError: `out` holds predictions of another model or other settings, or the outputs
            cannot hold what the model predicts.
        OSError: a result cannot be written; those written before are whole.
    """
    _check_outputs(settings.metric, outputs)
    folder = PredictionFolder.begin(out, settings, photographs, scale)
    results = [folder.path(kind, result) for result in photographs.values() for kind in outputs]
    remove_leftovers([out, *(path.parent for path in results)])
    pending = {
        path: result
        for path, result in photographs.items()
        if not all(folder.path(kind, result).exists() for kind in outputs)
    }
    summary = PredictionSummary(kept=len(photographs) - len(pending))
    for path, depth in predicted(list(pending), summary.failed):
        if folder.colours is None and "colour" in outputs:
            folder.keep_colours(DepthScale.spanning(depth))
        for kind in outputs:
            target = folder.path(kind, pending[path])
            summary.beyond += _write(target, kind, depth, folder.colours)
        summary.written += 1
        progress(summary.kept + summary.written + len(summary.failed), len(photographs))
    return summary


def prediction_settings(
    model: DepthPredictor,
    model_folder: Path,
    upright: bool = False,
    resize: Resize = "inverse_depth",
    manner: str = "",
) -> PredictionSettings:
    """What a record says of predictions by `model`, which was loaded from `model_folder`."""
    return PredictionSettings(
        model=fingerprint(model_folder),
        recipe=model.config.recipe,
        metric=model.config.metric,
        size=model.size,
        flip=model.flip,
        upright=upright,
        crop_bottom=model.crop_bottom,
        resize=resize,
        manner=manner,
    )


def _check_batch(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch size: expected 1 or more, got {batch_size}")


def _check_outputs(metric: bool, outputs: Sequence[Output]) -> None:
    in_metres = [kind for kind in outputs if kind in DIVIDE]
    if in_metres and not metric:
        raise ValueError(
            f"outputs: {in_metres[0]} holds metres, but depth of this model is right only up to an "
            "unknown factor; choose npy and colour"
        )


def _predicted(
    model: DepthPredictor,
    paths: Sequence[Path],
    batch_size: int,
    settings: PredictionSettings,
    failed: dict[str, str],
) -> Iterator[PathAndDepth]:
    """Each readable photograph with its depth, the next batch being decoded meanwhile."""
    groups = [paths[i : i + batch_size] for i in range(0, len(paths), batch_size)]
    with ThreadPoolExecutor(batch_size) as pool:
        coming = deque(
            [pool.submit(model.load_image, path, settings.upright) for path in group]
            for group in groups[:1]
        )
        for k, group in enumerate(groups):
            if k + 1 < len(groups):
                coming.append(
                    [
                        pool.submit(model.load_image, path, settings.upright)
                        for path in groups[k + 1]
                    ]
                )
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
                yield path, to_native(one, native, settings.crop_bottom, settings.resize)


def _write(
    target: Path, kind: Output, depth: Float32[np.ndarray, "_ _"], scale: DepthScale | None
) -> int:
    """Write one result; returns how many pixels its format could not hold."""
    if kind == "colour":
        write_picture(target, colour_depth(depth, scale))
        return 0
    return write_depth(target, depth, DIVIDE.get(kind, 1))
