"""Neighbours in time for a camera that is turned about more than it moves, as in a hand.

From one frame to the next such a camera may move by nothing that depth could be learnt from, and
turn so far that a network's first guesses of its motion miss by more than a loss on colours can
see. So neighbours are chosen by the parallax of their pictures, and shown as they would look had
the camera not turned [weak-rectification].
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from leadline.data.pair_measures import WIDTH, Json, Pair, PairMeasure, measured_pairs
from leadline.data.sources.base import FrameId, RigCamera, Source, WantedTruth
from leadline.data.view_change import Points, described, view_change
from leadline.offset import Offset

RECORD = "view_changes.json"
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""How many frames away neighbours are looked for, one after the other."""
DECIMALS = 7

Turn = Float64[np.ndarray, "3 3"]
Turns = Literal["pictures", "poses", "keep"]
TOO_LITTLE, TOO_MUCH, UNSEEN, UNTURNED = (
    "too little parallax within reach",
    "too much parallax",
    "too little in common to tell",
    "a turn that no pose tells",
)


@dataclass(frozen=True)
class HandHeld:
    """Which neighbours a hand-held camera's frames have, and how they are shown.

    Raises:
        ValueError: a number is out of its range.
    """

    turns: Turns = "pictures"
    """What tells how the camera turned, so that it can be undone: matches between the pictures, or
    the poses of the data set, as a gyroscope's; or nothing is undone."""
    least_parallax: float = 4.0
    """Pixels of a picture 320 wide: the first neighbour with so much is taken."""
    most_parallax: float = 24.0
    """The same; one with more shows too much else."""
    reach: int = 8
    """Up to how many frames away."""

    def __post_init__(self) -> None:
        if not 0 <= self.least_parallax <= self.most_parallax:
            raise ValueError(
                "hand_held: expected 0 <= least_parallax <= most_parallax, got "
                f"{self.least_parallax:g} and {self.most_parallax:g}"
            )
        if not 1 <= self.reach <= STEPS[-1]:
            raise ValueError(
                f"hand_held.reach: expected from 1 to {STEPS[-1]} frames, got {self.reach}"
            )


def check_hand_held(settings: HandHeld | None, offsets: Iterable[Offset]) -> None:
    """Refuse frames that it could not choose.

    Raises:
        ValueError: there is no neighbour in time, or one that is not the next.
    """
    in_time = [offset for offset in offsets if offset.time != 0]
    if settings is None or (in_time and all(abs(o.time) == 1 and not o.camera for o in in_time)):
        return
    raise ValueError(
        "hand_held: expected -1, 1 or both as neighbours in time in `frames:`, got "
        f"{', '.join(map(str, in_time)) or 'none'}; how far they are away is for `reach` and the "
        "parallax to say"
    )


@dataclass(frozen=True)
class Neighbours:
    """What was chosen."""

    chosen: Mapping[tuple[FrameId, int], FrameId] = field(default_factory=dict)
    """By frame and direction, -1 or 1."""
    turns: Mapping[Pair, Turn] = field(default_factory=dict)
    """first_to_second, where they are to be undone."""
    without: Counter[str] = field(default_factory=Counter)
    """Why frames have none in a direction in which there are frames."""
    asked: int = 0
    """Frames."""

    def __str__(self) -> str:
        before, after = (sum(way == side for _, way in self.chosen) for side in (-1, 1))
        text = f"hand-held: of {self.asked} frames {before} have a neighbour before and {after} one"
        text += " after"
        if self.chosen:
            apart = [abs(frame.index - other.index) for (frame, _), other in self.chosen.items()]
            text += f", {np.median(apart):g} numbers away in the median"
        others = [f"{count} {reason}" for reason, count in self.without.most_common()]
        return f"{text}; others: {', '.join(others)}" if others else text


def choose_neighbours(
    source: Source,
    frames: Sequence[FrameId],
    settings: HandHeld,
    cache: Path | None = None,
    workers: int = 1,
) -> Neighbours:
    """For each of `frames`, before and after it, the nearest neighbour with enough parallax.

    What was measured is kept in the folder `cache`; `workers` threads share the work.
    """
    measure = _measure(source, settings)
    chosen: dict[tuple[FrameId, int], FrameId] = {}
    turns: dict[Pair, Turn] = {}
    without: Counter[str] = Counter()
    # What else is wrong with a frame is told where frames are selected.
    usable = [f for f in dict.fromkeys(frames) if f in source and source.camera(f) is not None]
    searching = [(frame, way) for frame in usable for way in (-1, 1)]
    steps = [step for step in STEPS if step <= settings.reach]
    for step in steps:
        pairs = dict(_pairs(source, searching, step))
        if step != steps[0]:
            without[TOO_LITTLE] += len(searching) - len(pairs)
        if settings.turns == "poses":
            unknown = [each for each, pair in pairs.items() if source.turn(*pair) is None]
            without[UNTURNED] += len(unknown)
            pairs = {each: pair for each, pair in pairs.items() if each not in set(unknown)}
        found = measured_pairs(source, sorted(set(pairs.values())), measure, cache, workers)
        still = []
        for (frame, way), pair in pairs.items():
            if pair not in found:
                without[UNSEEN] += 1
                continue
            parallax, *turn = found[pair]
            if parallax < settings.least_parallax:
                still.append((frame, way))
            elif parallax > settings.most_parallax:
                without[TOO_MUCH] += 1
            else:
                chosen[frame, way] = pair[0] if way < 0 else pair[1]
                if settings.turns != "keep":
                    turns[pair] = cv2.Rodrigues(np.array(turn))[0]
        searching = still
    without[TOO_LITTLE] += len(searching)
    return Neighbours(chosen, turns, +without, len(usable))


def _pairs(
    source: Source, searching: Iterable[tuple[FrameId, int]], step: int
) -> Iterator[tuple[tuple[FrameId, int], Pair]]:
    for frame, way in searching:
        other = source.neighbour(frame, Offset(way * step))
        if other is not None:
            yield (frame, way), (other, frame) if way < 0 else (frame, other)


def _measure(source: Source, settings: HandHeld) -> PairMeasure[Points]:
    def camera(frame: FrameId) -> Float64[np.ndarray, "3 3"]:
        found = source.camera(frame)
        assert found is not None  # one camera takes a whole sequence
        scale = min(WIDTH / found.size[1], 1)
        middle = scale / 2 - 0.5
        shrink = np.array([[scale, 0, middle], [0, scale, middle], [0, 0, 1]])
        return np.asarray(shrink @ found.intrinsics)

    def told(pair: Pair) -> Turn | None:
        return source.turn(*pair) if settings.turns == "poses" else None

    def holds_of(pair: Pair) -> Json:
        turn = told(pair)
        matrices = [*(camera(frame) for frame in pair), *([] if turn is None else [turn])]
        return np.round(matrices, DECIMALS).tolist()

    def compare(pair: Pair, first: Points, second: Points) -> Json:
        cameras = camera(pair[0]), camera(pair[1])
        found = view_change(first, second, cameras, told(pair))
        if found is None:
            return None
        parallax = found.parallax * WIDTH / min(WIDTH, source.size(pair[0])[1])
        vector = cv2.Rodrigues(found.turn)[0][:, 0]
        return [round(float(value), DECIMALS) for value in (parallax, *vector)]

    return PairMeasure(
        name="sift-essential-1",
        record=RECORD,
        title="looking for parallax",
        look=described,
        compare=compare,
        holds_of=holds_of,
    )


class HandHeldSource(Source):
    """A source with other neighbours in time: those that were chosen, with how the camera turned
    to each where that is to be undone.
    """

    def __init__(self, source: Source, neighbours: Neighbours) -> None:
        super().__init__(source.frames)
        self.root, self.frame_step = source.root, source.frame_step
        self._source, self._neighbours = source, neighbours

    def neighbour(self, frame: FrameId, offset: Offset) -> FrameId | None:
        if offset.time == 0:
            return self._source.neighbour(frame, offset)
        return self._neighbours.chosen.get((frame, offset.time))

    def turn(self, target: FrameId, source: FrameId) -> Turn | None:
        turns = self._neighbours.turns
        if (target, source) in turns:
            return turns[target, source]
        back = turns.get((source, target))
        return None if back is None else back.T

    @property
    def splits(self) -> Mapping[str, tuple[FrameId, ...]]:
        return self._source.splits

    def remarks(self) -> tuple[str, ...]:
        return (*self._source.remarks(), str(self._neighbours))

    def image_path(self, frame: FrameId) -> Path:
        return self._source.image_path(frame)

    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        return self._source.rig(sequence)

    def camera(self, frame: FrameId) -> RigCamera | None:
        return self._source.camera(frame)

    def size(self, frame: FrameId) -> tuple[int, int]:
        return self._source.size(frame)

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        return self._source.hint_path(frame)

    def target_to_source(
        self, target: FrameId, source: FrameId
    ) -> Float64[np.ndarray, "4 4"] | None:
        return self._source.target_to_source(target, source)

    def baseline(self, sequence: str) -> float | None:
        return self._source.baseline(sequence)

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        return self._source.truth_kind(frame, wanted)

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        return self._source.true_depth(frame, wanted)

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        return self._source.truth_files(frame, wanted)

    def distance(self, target: FrameId, source: FrameId) -> float:
        return self._source.distance(target, source)

    def seconds(self, target: FrameId, source: FrameId) -> float:
        return self._source.seconds(target, source)


def hand_held_source(
    source: Source,
    frames: Sequence[FrameId],
    settings: HandHeld,
    cache: Path | None = None,
    workers: int = 1,
) -> HandHeldSource:
    """The source with the neighbours that `choose_neighbours` finds."""
    return HandHeldSource(source, choose_neighbours(source, frames, settings, cache, workers))
