"""Frames of a data set -> depth by a network that is refined on them first, on disk."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from leadline.colour import DepthScale
from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_resize import Resize
from leadline.data.prediction_record import Output, PredictionSettings
from leadline.data.randomness import Purpose, counted_generator
from leadline.data.sources.base import FrameId, Source
from leadline.data.ways import ways_to_neighbours
from leadline.inference.predict_files import PathAndDepth, write_predictions
from leadline.inference.predictor import DepthPredictor, to_native
from leadline.inference.refine import Refined, Refiner, RefineSettings, online_objective
from leadline.inference.refinement_record import RefinementSummary, write_losses
from leadline.inference.trained_recipe import TrainedRecipe
from leadline.losses.term import Need
from leadline.offset import STEREO, TARGET
from leadline.training.supply import supplied_by_predictor
from leadline.types import Batch, Sample


class FrameRefinement:
    """A trained recipe, ready to be refined on frames of a source.

    Args:
        model: the recipe's own network as a predictor of pictures.
        hints: folder of hints, for recipes that learn from them; the others never look.
        resize: how depth is brought to the size of its picture.

    Raises:
        ValueError: the source has no cameras, none of the frames that the recipe looks at, or
            nothing of the recipe's objective can be had from it.
    """

    def __init__(
        self,
        model: DepthPredictor,
        recipe: TrainedRecipe,
        source: Source,
        frames: Sequence[FrameId],
        settings: RefineSettings,
        hints: Path | None = None,
        resize: Resize = "inverse_depth",
    ) -> None:
        self.summary = RefinementSummary()
        self._model, self._recipe, self._source, self._settings = model, recipe, source, settings
        self._resize = resize
        needed = recipe.objective.needed()
        extras = Extras(hints, hint_confidence=hints is not None and "confidence" in needed)
        self._data = DepthDataset(
            source,
            frames,
            recipe.offsets,
            model.size,
            extras=extras,
            crop_bottom=model.crop_bottom,
            seed=settings.seed,
        )
        self._check_frames(frames)
        online = online_objective(
            recipe.objective, self._offered(frames, extras), recipe.config.steps
        )
        self.summary.left_out = online.left_out
        self._refiner = Refiner(recipe.predictor, recipe.explainer, online.objective, settings)

    def predicted(
        self, frames: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[tuple[FrameId, Float32[np.ndarray, "_ _"]]]:
        """The depth of each frame at its own size; frames that cannot be read are noted in `failed`
        with the reason.
        """
        if self._settings.per == "sample":
            for frame in frames:
                yield from self._from_sample(frame, failed)
            return
        wanted = set(frames)
        everything = sorted(self._data.frames)
        for _, group in groupby(everything, key=lambda frame: (frame.sequence, frame.camera)):
            sequence = list(group)
            if wanted & set(sequence):
                yield from self._from_sequence(sequence, wanted, failed)

    def _from_sample(
        self, frame: FrameId, failed: dict[FrameId, str]
    ) -> Iterator[tuple[FrameId, Float32[np.ndarray, "_ _"]]]:
        sample = self._read(frame, failed)
        if sample is None:
            return
        start = time.perf_counter()
        with self._refiner.restored():
            if _has_neighbour(sample):
                self.summary.refined[str(frame)] = self._refiner.on_sample(self._batch([sample]))
            else:
                self.summary.alone += 1
            depth = self._depth(frame, sample)
        self.summary.seconds += time.perf_counter() - start
        yield frame, depth

    def _from_sequence(
        self, sequence: Sequence[FrameId], wanted: set[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[tuple[FrameId, Float32[np.ndarray, "_ _"]]]:
        """Frames whose own loss did not fall are predicted by the trained weights."""
        read = {frame: self._read(frame, failed) for frame in sequence}
        samples = {frame: sample for frame, sample in read.items() if sample is not None}
        together = [sample for sample in samples.values() if _has_neighbour(sample)]
        start = time.perf_counter()
        asked = {frame: samples[frame] for frame in samples if frame in wanted}
        refiner, before = self._refiner, self._losses(asked)
        depths: dict[FrameId, Float32[np.ndarray, "_ _"]] = {}
        with refiner.restored():
            if together:
                refiner.on_sequence(lambda iteration: self._shuffled(together, iteration))
            for frame, after in self._losses(asked).items():
                better = after < before[frame]
                outcome = Refined(before[frame], after if better else before[frame])
                self.summary.refined[str(frame)] = outcome
                if better:
                    depths[frame] = self._depth(frame, asked[frame])
        self.summary.alone += len(asked) - len(before)
        for frame, sample in asked.items():
            depth = depths.get(frame)
            yield frame, self._depth(frame, sample) if depth is None else depth
        self.summary.seconds += time.perf_counter() - start

    def _losses(self, samples: Mapping[FrameId, Sample]) -> dict[FrameId, float]:
        """Of each frame that has a neighbour, by the weights as they are."""
        return {
            frame: self._refiner.loss(self._batch([sample]))
            for frame, sample in samples.items()
            if _has_neighbour(sample)
        }

    def _shuffled(self, samples: Sequence[Sample], iteration: int) -> list[Batch]:
        generator = counted_generator(self._settings.seed, iteration, 0, Purpose.ORDER)
        order, size = generator.permutation(len(samples)), self._settings.batch_size
        return [
            self._batch([samples[k] for k in order[first : first + size]])
            for first in range(0, len(order), size)
        ]

    def _batch(self, samples: Sequence[Sample]) -> Batch:
        offsets, unit = self._recipe.offsets, self._recipe.config.unit
        return collate(samples, offsets, unit).to(self._model.device)

    def _depth(self, frame: FrameId, sample: Sample) -> Float32[np.ndarray, "_ _"]:
        inverse_depth = self._model.inverse_depth(sample.images[TARGET][None])[0]
        native = self._source.size(frame)
        return to_native(inverse_depth, native, self._model.crop_bottom, self._resize)

    def _read(self, frame: FrameId, failed: dict[FrameId, str]) -> Sample | None:
        try:
            sample = self._data.read(frame)
        except (OSError, ValueError) as error:
            failed[frame] = str(error)
            return None
        if sample.intrinsics is None:
            failed[frame] = f"{frame}: expected the camera's intrinsics to refine, found none"
            return None
        return sample

    def _check_frames(self, frames: Sequence[FrameId]) -> None:
        sources = [offset for offset in self._recipe.offsets if offset != TARGET]
        for frame in frames:
            if any(self._source.neighbour(frame, offset) is not None for offset in sources):
                return
        wanted = ", ".join(str(offset) for offset in sources) or "none: it learns from single ones"
        raise ValueError(
            f"{self._source.root}: expected frames with a neighbour that the recipe looks at "
            f"({wanted}), found none among {len(frames)}; refinement needs a sequence or pairs"
        )

    def _offered(self, frames: Sequence[FrameId], extras: Extras) -> frozenset[Need]:
        found: set[Need] = {"predicted", "identity"}
        offsets = self._recipe.offsets
        if extras.hints is not None and STEREO in offsets:
            found |= {"hint", "proxy"}
        if extras.hint_confidence:
            found.add("confidence")
        in_time = [offset for offset in offsets if offset.time != 0 and offset.camera == 0]
        if "distance" in self._recipe.objective.needed():
            ways = ways_to_neighbours(self._source, frames, in_time)
            ways.check()
            found |= {"distance"} if ways.give_metres else set()
        return frozenset(found) | supplied_by_predictor(self._recipe.predictor)


def photographs_of(source: Source, frames: Sequence[FrameId]) -> dict[FrameId, tuple[Path, Path]]:
    """Each frame's image, and where its results lie: as the images do below the data set."""
    found = {}
    for frame in frames:
        path = source.image_path(frame)
        found[frame] = path, path.relative_to(source.root).with_suffix("")
    return found


def refine_photographs(
    refinement: FrameRefinement,
    settings: PredictionSettings,
    photographs: Mapping[FrameId, tuple[Path, Path]],
    out: Path,
    outputs: Sequence[Output],
    scale: DepthScale | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RefinementSummary:
    """Refine and predict frames into `out`, each image under the relative path beside it.

    What an earlier call made is kept: per sample each frame is for itself; per sequence the network
    is refined again, and comes to the same weights.

    Raises:
        ValueError, OSError: as `write_predictions`.
    """
    frame_of = {path: frame for frame, (path, _) in photographs.items()}
    path_of = {frame: path for path, frame in frame_of.items()}

    def predicted(paths: Sequence[Path], failed: dict[str, str]) -> Iterator[PathAndDepth]:
        unread: dict[FrameId, str] = {}
        for frame, depth in refinement.predicted([frame_of[path] for path in paths], unread):
            yield path_of[frame], depth
            write_losses(out, refinement.summary.refined)
        failed |= {str(path_of[frame]): reason for frame, reason in unread.items()}

    results = dict(photographs.values())
    refinement.summary.predictions = write_predictions(
        predicted, settings, results, out, outputs, scale, progress
    )
    return refinement.summary


def _has_neighbour(sample: Sample) -> bool:
    return len(sample.images) > 1
