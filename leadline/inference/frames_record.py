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
    may_drift: bool = False
    """Whether the model sees metres, but nothing that it was refined on tells them."""
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
        if self.may_drift:
            lines.append(
                "nothing that is looked at here tells metres (no pairs, poses or speed): refined "
                "depth may have drifted from them"
            )
        for name, lacking in self.left_out.items():
            lines.append(f"objective.{name} is left out: no {', '.join(sorted(lacking))} here")
        return "\n".join(lines)


@dataclass
class LossTable:
    """`refinement.csv`: the rows of this call, beside those of earlier ones that it did not make
    again.
    """

    path: Path
    rows: dict[str, tuple[str, str]]

    @classmethod
    def below(cls, folder: Path) -> "LossTable":
        """That of a folder of predictions, with the rows that it has."""
        path, rows = folder / LOSSES, {}
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                rows = {
                    frame: (before, after) for frame, before, after in list(csv.reader(file))[1:]
                }
        return cls(path, rows)

    def note(self, frame: str, refined: Refined) -> None:
        """Write the row of a frame."""
        self.rows[frame] = f"{refined.before:.6g}", f"{refined.after:.6g}"
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("frame", "before", "after"))
        table.writerows((name, *losses) for name, losses in self.rows.items())
        with atomic_path(self.path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
