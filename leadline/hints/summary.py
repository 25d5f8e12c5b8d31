"""What a run of hint generation did and how good the whole set is, as text and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from leadline.files import atomic_path
from leadline.hints.pair import Quality

SUMMARY_NAME = "summary.json"
_FAILURES_SHOWN = 10


@dataclass(frozen=True)
class Failure:
    """A pair of which no hint could be made, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class HintSummary:
    """Counts of this run, and figures of the whole set: means over its views, see `Quality`.

    Figures of hints that were already there come from their files.
    """

    method: Mapping[str, str]
    written: int
    skipped: int
    """Views that were there already, whole, of the same method and of the images as they are."""
    changed: int
    """Of those written, views that were there of images that have changed since."""
    failures: tuple[Failure, ...]
    seconds: float
    bytes_per_hint: float
    """With its confidence, where there is one."""
    coverage: float
    photometric_error: float
    beats_identity: float
    shares: Mapping[str, float]

    @classmethod
    def of(
        cls,
        method: Mapping[str, str],
        qualities: Sequence[Quality],
        failures: Sequence[Failure],
        *,
        skipped: int,
        changed: int,
        seconds: float,
        bytes_per_hint: float,
    ) -> "HintSummary":
        """Pool the figures of single views, this run's and those that were there."""
        number = max(len(qualities), 1)
        names = dict.fromkeys(name for quality in qualities for name in quality.shares)
        return cls(
            method=method,
            written=len(qualities) - skipped,
            skipped=skipped,
            changed=changed,
            failures=tuple(failures),
            seconds=seconds,
            bytes_per_hint=bytes_per_hint,
            coverage=sum(quality.coverage for quality in qualities) / number,
            photometric_error=sum(quality.photometric_error for quality in qualities) / number,
            beats_identity=sum(quality.beats_identity for quality in qualities) / number,
            shares={
                name: sum(quality.shares.get(name, 0.0) for quality in qualities) / number
                for name in names
            },
        )

    def write(self, folder: Path) -> Path:
        """Write `summary.json` into the folder of hints."""
        path = folder / SUMMARY_NAME
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        return path

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
        again = f" ({self.changed} anew, their images have changed)" if self.changed else ""
        lines = [
            f"{self.written} hints written{again} in {self.seconds:.1f} s, {self.skipped} were "
            f"there, {len(self.failures)} pairs failed",
            f"coverage {self.coverage:.1%}, photometric error {self.photometric_error:.3f}, better "
            f"than identity at {self.beats_identity:.1%}, {self.bytes_per_hint / 1000:.0f} kB a "
            "view",
            f"found by: {shares}",
        ]
        lines += [
            f"failed: {failure.name}: {failure.reason}"
            for failure in self.failures[:_FAILURES_SHOWN]
        ]
        if len(self.failures) > _FAILURES_SHOWN:
            more = len(self.failures) - _FAILURES_SHOWN
            lines.append(f"and {more} more failures, see {SUMMARY_NAME}")
        return "\n".join(lines)
