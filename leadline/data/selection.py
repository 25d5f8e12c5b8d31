"""Which frames can be used: what a recipe needs against what is on disk, before training starts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from leadline.data.confidence_files import (
    absent_confidence,
    confidence_path,
    of_another_size,
)
from leadline.data.hint_maps import absent_hint
from leadline.data.image_files import image_size
from leadline.data.sources.base import FrameId, Source
from leadline.offset import STEREO, TARGET, Offset

_NAMES_SHOWN = 3
_Read = TypeVar("_Read", FrameId, Path)


@dataclass(frozen=True)
class Needs:
    """What a frame must have to be a target; everything here is looked for on disk."""

    offsets: tuple[Offset, ...] = (TARGET,)
    """Sources that are read with the target."""
    every_offset: bool = True
    """Whether all of them must exist, or one suffices (the others are then absent in the batch)."""
    camera: bool = True
    depth: bool = False
    distance: bool = False
    """Metres travelled to each temporal source."""
    hints: Path | None = None
    """Folder in which each target must have a hint."""
    hint_confidence: bool = False
    """Whether each hint must have a confidence beside it."""
    partner_right: bool = False
    """Whether a stereo partner must stand to the right."""


@dataclass(frozen=True)
class Selection:
    """Frames that can be used, and how many could not, by reason and sequence.

    `str()` is a report for people.
    """

    frames: tuple[FrameId, ...]
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Count by (reason, sequence)."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """For each reason, the first frame and what is the matter with it."""

    def without(self, frames: Mapping[FrameId, str], reason: str) -> "Selection":
        """The selection with some of its frames skipped, each for a detail of the one reason."""
        dropped = [frame for frame in self.frames if frame in frames]
        skipped = self.skipped + Counter((reason, frame.sequence) for frame in dropped)
        examples = {reason: f"{dropped[0]}: {frames[dropped[0]]}"} if dropped else {}
        kept = tuple(frame for frame in self.frames if frame not in frames)
        return Selection(kept, skipped, {**self.examples, **examples})

    def counted(self) -> str:
        """How many frames there are, and how many were skipped why, in one line."""
        sequences = len({frame.sequence for frame in self.frames})
        skipped = [f"{count} skipped, {why}" for why, count in self.reasons().most_common()]
        return ", ".join([f"{len(self.frames)} frames of {sequences} sequences", *skipped])

    def check_any(self, others: Counter[str]) -> None:
        """Refuse a selection of nothing; `others` counts why more frames were left out.

        Raises:
            ValueError: says how many frames there were, and what they lack.
        """
        if self.frames:
            return
        counts = self.reasons() + others
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        examples = [f"{why}: {frame}" for why, frame in self.examples.items()]
        first = f", e.g. {examples[0]}" if examples else ""
        raise ValueError(
            f"training: expected frames that can be used, got none ({reasons}){first}; add what is "
            "missing, or change the frames, val_share or the recipe"
        )

    def reasons(self) -> Counter[str]:
        """Count by reason."""
        counts: Counter[str] = Counter()
        for (reason, _), count in self.skipped.items():
            counts[reason] += count
        return counts

    def __str__(self) -> str:
        skipped = sum(self.skipped.values())
        lines = [f"{len(self.frames)} of {len(self.frames) + skipped} frames can be used"]
        for reason, count in self.reasons().most_common():
            names = [name for why, name in self.skipped if why == reason]
            shown = ", ".join(names[:_NAMES_SHOWN])
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            lines.append(
                f"  {count} skipped, {reason} ({shown}{more}); first: {self.examples[reason]}"
            )
        return "\n".join(lines)


def select(source: Source, frames: Iterable[FrameId], needs: Needs) -> Selection:
    """The frames that have what is needed; the others are counted by reason.

    Every image, hint and confidence that will be read is looked at here by its head and its last
    bytes, so that a damaged one is found now and not in the third epoch.
    """
    checks = _Checks(source, needs)
    kept: list[FrameId] = []
    skipped: Counter[tuple[str, str]] = Counter()
    examples: dict[str, str] = {}
    seen: set[FrameId] = set()
    for frame in frames:
        problem = ("listed twice", "") if frame in seen else checks.problem(frame)
        seen.add(frame)
        if problem is None:
            kept.append(frame)
            continue
        reason, detail = problem
        skipped[reason, frame.sequence] += 1
        examples.setdefault(reason, f"{frame}{': ' if detail else ''}{detail}")
    return Selection(tuple(kept), skipped, examples)


class _Checks:
    """What hinders a frame; the verdict on each image is kept, for it serves several targets."""

    def __init__(self, source: Source, needs: Needs) -> None:
        self._source = source
        self._needs = needs
        self._damage: dict[FrameId, str | None] = {}

    def problem(self, frame: FrameId) -> tuple[str, str] | None:
        """A reason that many frames share and a detail of this one, or None."""
        if frame not in self._source:
            return "no such image", ""
        present = self._present(frame)
        # What is wrong with a frame itself comes first: it may be why it has no neighbour.
        return (
            self._bad_image([frame])
            or self._bad_camera([frame])
            or self._missing_source(present)
            or self._misplaced_partner(frame, present)
            or self._bad_image(present.values())
            or self._bad_camera(present.values())
            or self._missing_extra(frame)
        )

    def _present(self, frame: FrameId) -> dict[Offset, FrameId]:
        offsets = dict.fromkeys((TARGET, *self._needs.offsets))
        found = {offset: self._source.neighbour(frame, offset) for offset in offsets}
        return {offset: other for offset, other in found.items() if other is not None}

    def _missing_source(self, present: Mapping[Offset, FrameId]) -> tuple[str, str] | None:
        missing = [offset for offset in self._needs.offsets if offset not in present]
        if missing and self._needs.every_offset:
            return f"{self._source.no_neighbour} at {missing[0]}", ""
        if missing and len(present) == 1:
            return self._source.no_source, ""
        return None

    def _misplaced_partner(
        self, frame: FrameId, present: Mapping[Offset, FrameId]
    ) -> tuple[str, str] | None:
        if not self._needs.partner_right or STEREO not in present:
            return None
        pose = self._source.target_to_source(frame, present[STEREO])
        # Where nothing tells, something else is the matter, and is told of.
        return None if pose is None or pose[0, 3] < 0 else ("its partner stands to its left", "")

    def _bad_image(self, frames: Iterable[FrameId]) -> tuple[str, str] | None:
        for other in frames:
            if other not in self._damage:
                self._damage[other] = _complaint(self._source.size, other)
            damage = self._damage[other]
            if damage is not None:
                return "unreadable image", damage
        return None

    def _bad_camera(self, frames: Iterable[FrameId]) -> tuple[str, str] | None:
        for other in frames:
            camera = self._source.camera(other)
            if camera is None:
                if self._needs.camera:
                    return "no calibration", ""
            elif camera.size != self._source.size(other):
                size = self._source.size(other)
                return "image size differs from the calibration's", (
                    f"{size[1]}x{size[0]} instead of {camera.size[1]}x{camera.size[0]}"
                )
        return None

    def _missing_extra(self, frame: FrameId) -> tuple[str, str] | None:
        if self._needs.depth and not self._source.has_depth(frame):
            return "no true depth", ""
        if self._needs.distance and self._lacks_distance(frame):
            return "no speed", ""
        if self._needs.hints is not None:
            hint = self._needs.hints / self._source.hint_path(frame)
            if not hint.is_file():
                return "no hint", absent_hint(hint)
            damage = _complaint(image_size, hint)
            if damage is not None:
                return "unreadable hint", damage
            if self._source.baseline(frame.sequence) is None:
                return "a hint but no baseline", ""
            if self._needs.hint_confidence:
                return self._bad_confidence(self._needs.hints, frame)
        return None

    def _bad_confidence(self, hints: Path, frame: FrameId) -> tuple[str, str] | None:
        hint = self._source.hint_path(frame)
        path = confidence_path(hints, hint)
        if not path.is_file():
            return "no confidence", absent_confidence(path)
        try:
            size, expected = image_size(path), image_size(hints / hint)
        except (ValueError, OSError) as error:
            return "unreadable confidence", str(error)
        if size != expected:
            return "confidence of another size than its hint", of_another_size(path, size, expected)
        return None

    def _lacks_distance(self, frame: FrameId) -> bool:
        return any(
            offset.time != 0 and not self._source.distance(frame, other) >= 0
            for offset, other in self._present(frame).items()
        )


def _complaint(read: Callable[[_Read], object], what: _Read) -> str | None:
    try:
        read(what)
    except (ValueError, OSError) as error:
        return str(error)
    return None
