"""Frames of a data set -> depth by a network that is refined on them first."""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from jaxtyping import Float32

from leadline.data.randomness import Purpose, counted_generator
from leadline.data.sources.base import FrameId
from leadline.data.ways import ways_to_neighbours
from leadline.inference.frames import FrameAndDepth, FrameReader, has_neighbour
from leadline.inference.frames_record import FramesSummary
from leadline.inference.refine import Refined, Refiner, RefineSettings, online_objective
from leadline.losses.term import Need
from leadline.offset import STEREO
from leadline.training.supply import supplied_by_predictor
from leadline.types import Batch, Sample


class FrameRefinement:
    """A trained recipe, ready to be refined on frames of a source.

    Per sample each frame is for itself, so that what is interrupted can go on; per sequence the
    network is refined again, and comes to the same weights.

    Raises:
        ValueError: nothing of the recipe's objective can be had from the frames that explains
            pictures by their neighbours.
    """

    def __init__(self, reader: FrameReader, settings: RefineSettings) -> None:
        self.summary = FramesSummary()
        self._reader, self._settings = reader, settings
        recipe = reader.recipe
        online = online_objective(recipe.objective, _offered(reader), recipe.config.steps)
        self.summary.left_out = online.left_out
        self._refiner = Refiner(recipe.predictor, recipe.explainer, online.objective, settings)

    def predicted(
        self, frames: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[FrameAndDepth]:
        """See `FramePredictor`; of a sequence frames come in their order."""
        if self._settings.per == "sample":
            for frame in frames:
                yield from self._from_sample(frame, failed)
            return
        wanted = set(frames)
        everything = sorted(self._reader.frames)
        for _, group in groupby(everything, key=lambda frame: (frame.sequence, frame.camera)):
            sequence = list(group)
            if wanted & set(sequence):
                yield from self._from_sequence(sequence, wanted, failed)

    def _from_sample(self, frame: FrameId, failed: dict[FrameId, str]) -> Iterator[FrameAndDepth]:
        sample = self._reader.read(frame, failed)
        if sample is None:
            return
        start = time.perf_counter()
        with self._refiner.restored():
            if has_neighbour(sample):
                batch = self._reader.batch([sample])
                self.summary.refined[str(frame)] = self._refiner.on_sample(batch)
            else:
                self.summary.alone += 1
            depth = self._reader.depth(frame, sample)
        self.summary.seconds += time.perf_counter() - start
        yield frame, depth

    def _from_sequence(
        self, sequence: Sequence[FrameId], wanted: set[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[FrameAndDepth]:
        """Frames whose own loss did not fall are predicted by the trained weights. Frames are read
        when they are looked at: a long sequence does not fit into memory.
        """
        start = time.perf_counter()
        before = self._losses(sequence, failed)
        asked = [frame for frame in sequence if frame in wanted and frame not in failed]
        depths: dict[FrameId, Float32[np.ndarray, "_ _"]] = {}
        with self._refiner.restored():
            if before:
                self._refiner.on_sequence(lambda number: self._shuffled(list(before), number))
            for frame in asked:
                sample = self._reader.read(frame, failed)
                if sample is None or frame not in before:
                    continue
                after = self._refiner.loss(self._reader.batch([sample]))
                better = after < before[frame]
                outcome = Refined(before[frame], after if better else before[frame])
                self.summary.refined[str(frame)] = outcome
                if better:
                    depths[frame] = self._reader.depth(frame, sample)
        self.summary.seconds += time.perf_counter() - start
        self.summary.alone += sum(frame not in before for frame in asked)
        for frame in asked:
            depth = depths.pop(frame, None)
            if depth is None:
                sample = self._reader.read(frame, failed)
                depth = None if sample is None else self._reader.depth(frame, sample)
            if depth is not None:
                yield frame, depth

    def _losses(
        self, frames: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> Mapping[FrameId, float]:
        """Of each frame that has a neighbour, by the weights as they are."""
        found = {}
        for frame in frames:
            sample = self._reader.read(frame, failed)
            if sample is not None and has_neighbour(sample):
                found[frame] = self._refiner.loss(self._reader.batch([sample]))
        return found

    def _shuffled(self, frames: Sequence[FrameId], number: int) -> Iterator[Batch]:
        """The frames in batches, in an order of their own for each pass."""
        generator = counted_generator(self._settings.seed, number, 0, Purpose.ORDER)
        order, size = generator.permutation(len(frames)), self._settings.batch_size
        for first in range(0, len(order), size):
            read = [self._reader.read(frames[k], {}) for k in order[first : first + size]]
            samples: list[Sample] = [sample for sample in read if sample is not None]
            if samples:
                yield self._reader.batch(samples)


def _offered(reader: FrameReader) -> frozenset[Need]:
    """What can be had of these frames."""
    recipe, found = reader.recipe, set[Need]({"predicted", "identity"})
    if reader.extras.hints is not None and STEREO in recipe.offsets:
        found |= {"hint", "proxy"}
    if reader.extras.hint_confidence:
        found.add("confidence")
    if "distance" in recipe.objective.needed():
        in_time = [offset for offset in recipe.offsets if offset.time and offset.camera == 0]
        ways = ways_to_neighbours(reader.source, reader.frames, in_time)
        ways.check()
        found |= {"distance"} if ways.give_metres else set()
    return frozenset(found) | supplied_by_predictor(recipe.predictor)
