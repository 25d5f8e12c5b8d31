"""What a prediction of frames did, in a few lines, and frame by frame beside the results."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leadline.files import atomic_path
from leadline.inference.predict_files import PredictionSummary
from leadline.inference.refine import Refined
from leadline.losses.term import Need

LOSSES = "refinement.csv"
"""Each frame's loss by the trained weights, and by those that predicted it."""


@dataclass
class FramesSummary:
    """What a prediction of frames with their neighbours did."""

    predictions: PredictionSummary = field(default_factory=PredictionSummary)
    left_out: Mapping[str, frozenset[Need]] = field(default_factory=dict)
    """Terms of the objective that cannot be had here, and what they lack."""
    alone: int = 0
    """Frames without any neighbour, predicted by themselves."""
    refined: dict[str, Refined] = field(default_factory=dict)
    """By frame, of this call."""
    seconds: float = 0.0
    """Of refining and predicting, without reading and writing."""

    def __str__(self) -> str:
        better = sum(one.better for one in self.refined.values())
        lines = [
            f"{self.predictions.written} predicted, {self.predictions.kept} kept, "
            f"{len(self.predictions.failed)} failed"
        ]
        if self.refined:
            before, after = (
                np.mean([getattr(one, when) for one in self.refined.values()])
                for when in ("before", "after")
            )
            lines.append(
                f"loss {before:.4f} before, {after:.4f} after; {len(self.refined) - better} of "
                f"{len(self.refined)} frames stay with the trained weights, for it did not fall; "
                f"{self.seconds / len(self.refined):.2f} s a frame"
            )
        if self.alone:
            lines.append(f"{self.alone} frames have no neighbour and are predicted by themselves")
        for name, lacking in self.left_out.items():
            lines.append(f"objective.{name} is left out: no {', '.join(sorted(lacking))} here")
        return "\n".join(lines)


def write_losses(folder: Path, refined: Mapping[str, Refined]) -> None:
    """The rows of this call, below those of earlier ones that it did not make again."""
    path = folder / LOSSES
    rows = _read_losses(path) | {
        frame: (f"{one.before:.6g}", f"{one.after:.6g}") for frame, one in refined.items()
    }
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("frame", "before", "after"))
    table.writerows((frame, *losses) for frame, losses in rows.items())
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _read_losses(path: Path) -> dict[str, tuple[str, str]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {frame: (before, after) for frame, before, after in list(csv.reader(file))[1:]}
