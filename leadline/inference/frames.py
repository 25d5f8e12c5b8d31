"""Frames of a data set with their neighbours -> depth: for networks that look at more than one
picture, and for those that go on learning before they predict.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32

from leadline.colour import DepthScale
from leadline.data.augment import flipped
from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_resize import Resize
from leadline.data.hand_held import as_hand_held
from leadline.data.prediction_record import Output, PredictionSettings
from leadline.data.sources.base import FrameId, Source
from leadline.inference.frames_record import FramesSummary, LossTable
from leadline.inference.predict_files import PathAndDepth, write_predictions
from leadline.inference.predictor import DepthPredictor, to_native
from leadline.inference.trained_recipe import TrainedRecipe, load_trained_recipe
from leadline.offset import STEREO, TARGET
from leadline.types import Batch, Sample
from leadline.workers import available_cores

FrameAndDepth = tuple[FrameId, Float32[np.ndarray, "_ _"]]


@runtime_checkable
class FramePredictor(Protocol):
    """What predicts frames of a data set."""

    summary: FramesSummary

    def predicted(
        self, frames: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[FrameAndDepth]:
        """The depth of each frame at its own size; frames that cannot be read are noted in `failed`
        with the reason.
        """
        ...


class FrameReader:
    """Frames of a source as a recipe had them in training, and their depth.

    Args:
        model: the recipe's own network as a predictor of pictures.
        frames: those that may be asked for.
        hints: folder of hints, for recipes that learn from them; the others never look.
        resize: how depth is brought to the size of its picture.

    Raises:
        FileNotFoundError: there is no such folder of hints.
        ValueError: none of the frames has a camera, or a neighbour that the recipe looks at.
    """

    def __init__(
        self,
        model: DepthPredictor,
        recipe: TrainedRecipe,
        source: Source,
        frames: Sequence[FrameId],
        hints: Path | None = None,
        resize: Resize = "inverse_depth",
    ) -> None:
        if hints is not None and not hints.is_dir():
            raise FileNotFoundError(
                f"{hints}: expected a folder of hints, found none; `leadline hints` makes them"
            )
        workers = available_cores()
        source = as_hand_held(source, frames, recipe.offsets, recipe.hand_held, workers=workers)
        self.recipe, self.source, self.frames = recipe, source, tuple(frames)
        self.model, self._resize = model, resize
        wants_confidence = "confidence" in recipe.objective.needed()
        self.extras = Extras(
            hints,
            hint_confidence=hints is not None and wants_confidence,
            looking_as_target=recipe.hand_held.chooses,
        )
        self._data = DepthDataset(
            source,
            frames,
            recipe.offsets,
            model.size,
            extras=self.extras,
            crop_bottom=model.crop_bottom,
        )
        if not any(source.camera(frame) for frame in frames):
            raise ValueError(
                f"{source.root}: expected cameras, by which neighbours are compared, found none; "
                "add the calibration, or predict the images one by one"
            )
        sources = [offset for offset in recipe.offsets if offset != TARGET]
        if not any(source.neighbour(frame, offset) for frame in frames for offset in sources):
            wanted = ", ".join(map(str, sources)) or "none: it learns from single ones"
            raise ValueError(
                f"{source.root}: expected frames with a neighbour that the recipe looks at "
                f"({wanted}), found none among {len(frames)}; give a sequence or pairs"
            )

    def read(self, frame: FrameId, failed: dict[FrameId, str]) -> Sample | None:
        """A frame with the neighbours to which the motion is known or predicted, and a hint where
        there is one; None, and a reason in `failed`, where it cannot be read or has no intrinsics.
        """
        try:
            sample = self._data.shown(frame)
        except (OSError, ValueError) as error:
            failed[frame] = str(error)
            return None
        if sample.intrinsics is None:
            failed[frame] = f"{frame}: expected the camera's intrinsics, found none"
            return None
        return self._usable(sample)

    def _usable(self, sample: Sample) -> Sample:
        """The sample without what would stop the others: sources that nothing tells the way to, and
        the lack of a hint, which becomes one without a pixel.
        """
        predictor = self.recipe.predictor
        predicts = getattr(predictor, "predicts_motion", False)
        images = {
            offset: image
            for offset, image in sample.images.items()
            if offset == TARGET or offset in sample.known_poses or (predicts and offset.camera == 0)
        }
        # To the left it is not the picture whose depth such a network says.
        pose = sample.known_poses.get(STEREO)
        if getattr(predictor, "partner_right", False) and pose is not None and pose[0, 3] >= 0:
            images.pop(STEREO, None)
        hint, confidence = sample.hint, sample.hint_confidence
        if self.extras.hints is not None and hint is None:
            hint = torch.zeros(1, *sample.images[TARGET].shape[-2:])
        if self.extras.hint_confidence and confidence is None and hint is not None:
            confidence = torch.zeros_like(hint)
        return replace(sample, images=images, hint=hint, hint_confidence=confidence)

    def batch(self, samples: Sequence[Sample]) -> Batch:
        """Samples as the network saw them in training, where it is."""
        batch = collate(samples, self.recipe.offsets, self.recipe.config.unit)
        return batch.to(self.model.device)

    def depth(self, frame: FrameId, sample: Sample) -> Float32[np.ndarray, "_ _"]:
        """By the network as it is, at the size of the picture."""
        model = self.model
        if model.looks_at_sources:
            mirrored = self.batch([flipped(sample)]) if model.flip else None
            found = model.inverse_depth_with_sources(self.batch([sample]), mirrored)
        else:
            found = model.inverse_depth(sample.images[TARGET][None])
        return to_native(found[0], self.source.size(frame), model.crop_bottom, self._resize)


def frame_reader(
    model_folder: Path,
    source: Source,
    frames: Sequence[FrameId],
    hints: Path | None = None,
    flip: bool = False,
    crop_bottom: float | None = None,
    device: str | None = None,
    resize: Resize = "inverse_depth",
) -> FrameReader:
    """Frames as the model of a folder wants them, whose network it loads; see `DepthPredictor`.

    Raises:
        FileNotFoundError, ValueError: as `load_trained_recipe`, `DepthPredictor`, `FrameReader`.
    """
    recipe = load_trained_recipe(model_folder)
    model = DepthPredictor(
        recipe.predictor, recipe.config, flip=flip, crop_bottom=crop_bottom, device=device
    )
    return FrameReader(model, recipe, source, frames, hints, resize)


class NeighbourPrediction:
    """Depth by a network that looks at a frame's neighbours too."""

    def __init__(self, reader: FrameReader) -> None:
        self.summary = FramesSummary()
        self._reader = reader

    def predicted(
        self, frames: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[FrameAndDepth]:
        """See `FramePredictor`."""
        for frame in frames:
            sample = self._reader.read(frame, failed)
            if sample is not None:
                self.summary.alone += not has_neighbour(sample)
                yield frame, self._reader.depth(frame, sample)


def has_neighbour(sample: Sample) -> bool:
    """Whether there is something beside the target to look at."""
    return len(sample.images) > 1


def photographs_of(source: Source, frames: Sequence[FrameId]) -> dict[FrameId, tuple[Path, Path]]:
    """Each frame's image, and where its results lie: as the images do below the data set."""
    found = {}
    for frame in frames:
        path = source.image_path(frame)
        found[frame] = path, path.relative_to(source.root).with_suffix("")
    return found


def predict_frames(
    predictor: FramePredictor,
    settings: PredictionSettings,
    photographs: Mapping[FrameId, tuple[Path, Path]],
    out: Path,
    outputs: Sequence[Output],
    scale: DepthScale | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FramesSummary:
    """Predict frames into `out`, each image under the relative path beside it.

    What an earlier call made is kept.

    Raises:
        ValueError, OSError: as `write_predictions`.
    """
    frame_of = {path: frame for frame, (path, _) in photographs.items()}
    path_of = {frame: path for path, frame in frame_of.items()}
    summary = predictor.summary

    def predicted(paths: Sequence[Path], failed: dict[str, str]) -> Iterator[PathAndDepth]:
        unread: dict[FrameId, str] = {}
        table = LossTable.below(out)
        for frame, depth in predictor.predicted([frame_of[path] for path in paths], unread):
            # Before the depth: a frame that has results has its row.
            if str(frame) in summary.refined:
                table.note(str(frame), summary.refined[str(frame)])
            yield path_of[frame], depth
        failed |= {str(path_of[frame]): reason for frame, reason in unread.items()}

    results = dict(photographs.values())
    summary.predictions = write_predictions(
        predicted, settings, results, out, outputs, scale, progress
    )
    return summary
