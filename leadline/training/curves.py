"""The training curve as a plain file: one line per value, exact, and continued by a resumed run."""

import csv
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from leadline.files import atomic_path

HEADER = ("step", "name", "value")


class CurveLog(Logger):
    """Appends `step,name,value` to a CSV file; values keep every digit.

    Before the first one, lines at or after the step from which the run resumes are dropped: they
    belong to work that was lost and is done again. So are those of the last validation where it is
    run again. A value that is logged again at the same step is written once.
    """

    def __init__(self, path: Path, resume_step: int = 0, validated: bool = True) -> None:
        super().__init__()
        self._path = path
        self._resume_step = resume_step
        self._validated = validated
        self._begun = False
        self._last_steps: dict[str, int | None] = {}

    def _begin(self) -> None:
        self._begun = True
        kept = [row for row in read_curves(self._path) if self._is_kept(row[0], row[1])]
        with atomic_path(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows((step, name, repr(value)) for step, name, value in kept)

    def _is_kept(self, step: int, name: str) -> bool:
        # A validation bears the number of the step before it.
        again = not self._validated and step == self._resume_step - 1 and name.startswith("val/")
        return step < self._resume_step and not again

    @property
    def name(self) -> str:
        return "curves"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """The recipe is beside the curve in `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if not self._begun:
            self._begin()
        new = [
            name for name in metrics if name != "epoch" and self._last_steps.get(name, -1) != step
        ]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows((step, name, repr(float(metrics[name]))) for name in new)
        self._last_steps.update(dict.fromkeys(new, step))


def read_curves(path: Path) -> list[tuple[int, str, float]]:
    """All (step, name, value) of a curve file; a last line cut short by a crash is left out."""
    if not path.exists():
        return []
    rows = []
    with path.open(newline="") as file:
        for row in csv.reader(file):
            if len(row) == len(HEADER) and tuple(row) != HEADER and row[2]:
                rows.append((int(row[0]), row[1], float(row[2])))
    return rows
