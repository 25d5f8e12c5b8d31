"""Frames of a data set -> depth by a network that is refined on them first."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from leadline.data.randomness import Purpose, counted_generator
from leadline.data.sources.base import FrameId
from leadline.data.ways import ways_to_neighbours
from leadline.inference.frames import FrameAndDepth, FrameReader, has_neighbour
from leadline.inference.frames_record import FramesSummary
from leadline.inference.refine import Refined, Refiner, RefineSettings, online_objective
from leadline.losses.term import Need, Objective
from leadline.offset import STEREO, TARGET
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
        online = online_objective(
            recipe.objective, _offered(reader), max(recipe.config.steps - 1, 0)
        )
        self.summary.left_out = online.left_out
        self.summary.may_drift = recipe.config.metric and not _gives_scale(reader, online.objective)
        self._refiner = Refiner(
            recipe.predictor, recipe.explainer, online.objective, settings, recipe.groups
        )

    def predicted(
        self, frames: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[FrameAndDepth]:
        """See `FramePredictor`; of a sequence those frames come first that are better for it."""
        if self._settings.per == "sample":
            for frame in frames:
                yield from self._from_sample(frame, failed)
            return
        wanted = set(frames)
        for _, group in groupby(sorted(self._reader.frames), key=lambda frame: frame.sequence):
            sequence = list(group)
            if wanted & set(sequence):
                yield from self._from_sequence(sequence, wanted, failed)

    def _from_sample(self, frame: FrameId, failed: dict[FrameId, str]) -> Iterator[FrameAndDepth]:
        sample = self._reader.read(frame, failed)
        if sample is None:
            return
        with self._refiner.restored(), self._at_work():
            if has_neighbour(sample):
                batch = self._reader.batch([sample])
                self.summary.refined[str(frame)] = self._refiner.on_sample(batch)
            else:
                self.summary.alone += 1
            depth = self._reader.depth(frame, sample)
        yield frame, depth

    def _from_sequence(
        self, sequence: Sequence[FrameId], wanted: set[FrameId], failed: dict[FrameId, str]
    ) -> Iterator[FrameAndDepth]:
        """Frames whose own loss did not fall are predicted by the trained weights. Frames are read
        when they are looked at: a long sequence does not fit into memory.
        """
        with self._at_work():
            before = self._losses(sequence, failed)
        asked = [frame for frame in sequence if frame in wanted and frame not in failed]
        as_trained = [frame for frame in asked if frame not in before]
        self.summary.alone += len(as_trained)
        with self._refiner.restored():
            with self._at_work():
                if before:
                    self._refiner.on_sequence(lambda k: self._shuffled(list(before), k))
            for frame in asked:
                sample = self._reader.read(frame, failed) if frame in before else None
                if sample is None:
                    continue
                with self._at_work():
                    after = self._refiner.loss(self._reader.batch([sample]))
                    better = after < before[frame]
                    outcome = Refined(before[frame], after if better else before[frame])
                    depth = self._reader.depth(frame, sample) if better else None
                self.summary.refined[str(frame)] = outcome
                if depth is None:
                    as_trained.append(frame)
                else:
                    yield frame, depth
        for frame in as_trained:
            sample = self._reader.read(frame, failed)
            if sample is not None:
                with self._at_work():
                    depth = self._reader.depth(frame, sample)
                yield frame, depth

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Seconds that are not spent on waiting for whoever takes the results."""
        start = time.perf_counter()
        yield
        self.summary.seconds += time.perf_counter() - start

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


def described(
    reader: FrameReader, settings: RefineSettings | None, source_settings: Sequence[str] = ()
) -> str:
    """All on which depth depends beside the model and the pictures, where neighbours are looked at
    and perhaps learnt from, for the record of predictions: what was made otherwise is made anew.
    """
    neighbours = " ".join(str(offset) for offset in reader.recipe.offsets if offset != TARGET)
    manner = f"with {neighbours}" if settings is None else f"refined by {settings}"
    if reader.recipe.hand_held.chooses:
        manner += f", {reader.recipe.hand_held}"
    parts = [manner, *sorted(source_settings)]
    if reader.extras.hints is not None:
        parts.append(f"hints {reader.extras.hints.resolve()}")
    if settings is not None and settings.per == "sequence":
        names = "\n".join(map(str, sorted(reader.frames)))
        digest = hashlib.sha256(names.encode()).hexdigest()[:8]
        parts.append(f"{len(reader.frames)} frames {digest}")
    return ", ".join(parts)


def _gives_scale(reader: FrameReader, objective: Objective) -> bool:
    """Whether something that is looked at here keeps depth in metres: a term, a partner, poses."""
    if objective.gives_scale:
        return True
    source, offsets = reader.source, [o for o in reader.recipe.offsets if o != TARGET]
    pairs = ((f, source.neighbour(f, offset)) for f in reader.frames for offset in offsets)
    return any(
        other is not None and source.target_to_source(frame, other) is not None
        for frame, other in pairs
    )


def _offered(reader: FrameReader) -> frozenset[Need]:
    """What can be had of these frames."""
    recipe, found = reader.recipe, set[Need]({"predicted", "identity"})
    if reader.extras.hints is not None and STEREO in recipe.offsets:
        found |= {"hint", "proxy"}
    if reader.extras.hint_confidence:
        found.add("confidence")
    # Only asked of those that look at it: every frame is.
    if "distance" in recipe.objective.needed():
        in_time = [offset for offset in recipe.offsets if offset.time and offset.camera == 0]
        ways = ways_to_neighbours(reader.source, reader.frames, in_time)
        ways.check()
        found |= {"distance"} if ways.give_metres else set()
    return frozenset(found) | supplied_by_predictor(recipe.predictor, recipe.offsets)
