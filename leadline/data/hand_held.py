"""Neighbours in time for a camera that is turned about more than it moves, as in a hand.

From one frame to the next such a camera may move by nothing that depth could be learnt from, and
turn by more than it moves. So neighbours can be chosen by the parallax of their pictures, and shown
as they would look had the camera not turned [weak-rectification].
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Float64

from leadline.data.pair_measures import (
    WIDTH,
    Ask,
    Json,
    Pair,
    PairMeasure,
    pair_at,
    small_size,
    work_on_pairs,
)
from leadline.data.sources.base import FrameId, RigCamera, Source, WantedTruth
from leadline.data.view_change import Points, points_of, view_change
from leadline.geometry.camera import resize_intrinsics
from leadline.offset import Offset

RECORDS = {
    "pictures": "view_changes.json",
    "poses": "view_changes_by_poses.json",
    "keep": "view_changes.json",
}
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
    """Which neighbours in time frames have, and how they are shown: by default as they come.

    Raises:
        ValueError: a number is out of its range.
    """

    turns: Turns = "keep"
    """What tells how the camera turned, so that it can be undone: matches between the `pictures`,
    or the `poses` of the data set, as a gyroscope's; `keep`: nothing is undone."""
    least_parallax: float = 0.0
    """Pixels of a picture 320 wide: the first neighbour with so much is taken."""
    most_parallax: float = float(WIDTH)
    """The same; one with more shows too much else. By default the width of that."""
    reach: int = 1
    """Up to how many frames away; beyond 4 only some are looked at, see `STEPS`."""

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

    @property
    def chooses(self) -> bool:
        """Whether anything is to be measured."""
        return self != AS_THEY_COME

    def check(self, offsets: Iterable[Offset]) -> None:
        """Refuse frames that it could not choose.

        Raises:
            ValueError: there is no neighbour in time, or one that is not the next.
        """
        in_time = [offset for offset in offsets if offset.time != 0]
        next_ones = all(abs(offset.time) == 1 and not offset.camera for offset in in_time)
        if self.chooses and not (in_time and next_ones):
            raise ValueError(
                "hand_held: expected -1, 1 or both as neighbours in time in `frames:`, got "
                f"{', '.join(map(str, in_time)) or 'none'}; how far they are away is for `reach` "
                "and the parallax to say"
            )


AS_THEY_COME = HandHeld()
"""The frames that `frames:` names, as the camera saw them."""


@dataclass(frozen=True)
class Chosen:
    """The neighbours that were found."""

    neighbours: Mapping[tuple[FrameId, int], FrameId] = field(default_factory=dict)
    """By frame and direction, -1 or 1."""
    turns: Mapping[Pair, Turn] = field(default_factory=dict)
    """first_to_second, where they are to be undone."""
    steps: Counter[int] = field(default_factory=Counter)
    """How many neighbours are so many frames away."""
    without: Counter[str] = field(default_factory=Counter)
    """Why frames have none in a direction in which frames are within reach."""
    asked: int = 0
    """Frames."""

    @classmethod
    def together(cls, parts: Iterable["Chosen"]) -> "Chosen":
        """What was found for other frames each."""
        neighbours: dict[tuple[FrameId, int], FrameId] = {}
        turns: dict[Pair, Turn] = {}
        steps: Counter[int] = Counter()
        without: Counter[str] = Counter()
        asked = 0
        for part in parts:
            neighbours |= part.neighbours
            turns |= part.turns
            steps += part.steps
            without += part.without
            asked += part.asked
        return cls(neighbours, turns, steps, without, asked)

    def __str__(self) -> str:
        before, after = (sum(way == side for _, way in self.neighbours) for side in (-1, 1))
        text = f"hand-held: of {self.asked} frames {before} have a neighbour before, {after} after"
        away = ", ".join(f"{step} ({self.steps[step]})" for step in sorted(self.steps))
        text += f"; frames away: {away}" if away else ""
        others = [f"{count} {reason}" for reason, count in self.without.most_common()]
        return f"{text}; others: {', '.join(others)}" if others else text


def choose_neighbours(
    source: Source,
    frames: Sequence[FrameId],
    settings: HandHeld,
    ways: Sequence[int] = (-1, 1),
    cache: Path | None = None,
    workers: int = 1,
) -> Chosen:
    """For each of `frames`, in the directions `ways`, the nearest neighbour with enough parallax.

    What was measured is kept in the folder `cache`; `workers` threads share the work.

    Raises:
        ValueError: turns are to be told by poses, and none tells one.
    """
    # What else is wrong with a frame is told where frames are selected.
    usable = [f for f in dict.fromkeys(frames) if f in source and source.camera(f) is not None]

    def camera(frame: FrameId) -> tuple[str, int]:
        return frame.sequence, frame.camera

    def work(some: Sequence[FrameId], ask: Ask) -> Chosen:
        found = [_search(source, frame, settings, way, ask) for frame in some for way in ways]
        return Chosen.together([Chosen(asked=len(some)), *found])

    measure = _measure(source, settings)
    chosen = Chosen.together(
        work_on_pairs(source, sorted(usable), camera, work, measure, cache, workers)
    )
    if settings.turns == "poses" and set(chosen.without) == {UNTURNED} and not chosen.neighbours:
        raise ValueError(
            f"hand_held.turns: 'poses' expects recorded poses, {source.root} has none to tell how "
            "the camera turned; take `pictures`"
        )
    return chosen


def _search(source: Source, frame: FrameId, settings: HandHeld, way: int, ask: Ask) -> Chosen:
    """The neighbour of one frame in one direction, or why there is none."""
    reason = None
    for step in STEPS:
        pair = pair_at(source, frame, Offset(way * step)) if step <= settings.reach else None
        if pair is None:
            continue
        if settings.turns == "poses" and source.turn(*pair) is None:
            return Chosen(without=Counter({UNTURNED: 1}))
        found = ask(pair)
        if found is None:
            return Chosen(without=Counter({UNSEEN: 1}))
        parallax, *turn = found
        if parallax > settings.most_parallax:
            return Chosen(without=Counter({TOO_MUCH: 1}))
        if parallax >= settings.least_parallax:
            turns = {} if settings.turns == "keep" else {pair: cv2.Rodrigues(np.array(turn))[0]}
            other = pair[0] if way < 0 else pair[1]
            return Chosen({(frame, way): other}, turns, Counter({step: 1}))
        reason = TOO_LITTLE
    return Chosen(without=Counter({reason: 1} if reason else {}))


def _measure(source: Source, settings: HandHeld) -> PairMeasure[Points]:
    def camera(frame: FrameId) -> Float64[np.ndarray, "3 3"] | None:
        found = source.camera(frame)
        if found is None:
            return None
        intrinsics = torch.from_numpy(found.intrinsics)
        return resize_intrinsics(intrinsics, found.size, small_size(found.size)).numpy()

    def told(pair: Pair) -> Turn | None:
        return source.turn(*pair) if settings.turns == "poses" else None

    def holds_of(pair: Pair) -> Json:
        matrices = [camera(pair[0]), camera(pair[1]), told(pair)]
        return [None if m is None else np.round(m, DECIMALS).tolist() for m in matrices]

    def compare(pair: Pair, first: Points, second: Points) -> Json:
        cameras = camera(pair[0]), camera(pair[1])
        if cameras[0] is None or cameras[1] is None:
            return None
        found = view_change(first, second, (cameras[0], cameras[1]), told(pair))
        if found is None:
            return None
        parallax = found.parallax * WIDTH / small_size(source.size(pair[0]))[1]
        vector = cv2.Rodrigues(found.turn)[0][:, 0]
        return [round(float(value), DECIMALS) for value in (parallax, *vector)]

    return PairMeasure(
        name="sift-essential-1",
        record=RECORDS[settings.turns],
        title="looking for parallax",
        look=points_of,
        compare=compare,
        holds_of=holds_of,
        # All within reach before and after, and the frame itself.
        kept=2 * settings.reach + 2,
    )


class HandHeldSource(Source):
    """A source with other neighbours in time: those that were chosen, with how the camera turned
    to each where that is to be undone.
    """

    no_neighbour = no_source = "no neighbour as hand_held wants it"

    def __init__(self, source: Source, chosen: Chosen) -> None:
        super().__init__(source.frames)
        self.root, self.frame_step = source.root, source.frame_step
        self.temporal_poses = source.temporal_poses
        self._source, self._chosen = source, chosen

    def neighbour(self, frame: FrameId, offset: Offset) -> FrameId | None:
        if offset.time == 0:
            return self._source.neighbour(frame, offset)
        return self._chosen.neighbours.get((frame, offset.time))

    def turn(self, target: FrameId, source: FrameId) -> Turn | None:
        turns = self._chosen.turns
        if (target, source) in turns:
            return turns[target, source]
        back = turns.get((source, target))
        return None if back is None else back.T

    @property
    def splits(self) -> Mapping[str, tuple[FrameId, ...]]:
        return self._source.splits

    def remarks(self) -> tuple[str, ...]:
        return (*self._source.remarks(), str(self._chosen))

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

    def recorded_motion(
        self, target: FrameId, source: FrameId
    ) -> Float64[np.ndarray, "4 4"] | None:
        return self._source.recorded_motion(target, source)

    def baseline(self, sequence: str) -> float | None:
        return self._source.baseline(sequence)

    def has_depth(self, frame: FrameId, wanted: WantedTruth = "any") -> bool:
        return self._source.has_depth(frame, wanted)

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


def as_hand_held(
    source: Source,
    frames: Sequence[FrameId],
    offsets: Iterable[Offset],
    settings: HandHeld,
    cache: Path | None = None,
    workers: int = 1,
) -> Source:
    """The source with the neighbours that `choose_neighbours` finds for `frames`, or the source
    itself where all are taken as they come.
    """
    if not settings.chooses:
        return source
    ways = sorted({offset.time for offset in offsets} - {0})
    return HandHeldSource(source, choose_neighbours(source, frames, settings, ways, cache, workers))


def sharing_pictures(
    source: Source,
    frames: Iterable[FrameId],
    held: Iterable[FrameId],
    offsets: Sequence[Offset],
) -> Iterator[FrameId]:
    """Those of `frames` that look at a picture, themselves or as a neighbour, at which one of
    `held` looks.
    """

    def seen(frame: FrameId) -> set[FrameId | None]:
        return {frame, *(source.neighbour(frame, offset) for offset in offsets)} - {None}

    taken: set[FrameId | None] = set().union(*map(seen, held))
    yield from (frame for frame in frames if seen(frame) & taken)
