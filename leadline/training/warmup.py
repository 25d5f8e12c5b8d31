"""A learning rate that starts low: first gradients say little of the later ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Warmup:
    """Over `steps` steps the learning rate rises evenly from `start` times to once what the
    schedule says.

    Raises:
        ValueError: fewer than no steps, or a start that is no share.
    """

    steps: int = 0
    start: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"warmup.steps: expected 0 or more, got {self.steps}")
        if not 0 <= self.start <= 1:
            raise ValueError(f"warmup.start: expected a share from 0 to 1, got {self.start}")

    def factor(self, step: int) -> float:
        """Of the learning rate in a step, counted from 0."""
        if step >= self.steps:
            return 1.0
        return self.start + (1 - self.start) * step / self.steps

    @contextmanager
    def applied(self, optimiser: Any, step: int) -> Iterator[None]:
        """Lower the rates for one step only: schedules and resume points know of no warm-up."""
        factor = self.factor(step)
        if factor == 1:
            yield
            return
        rates = [group["lr"] for group in optimiser.param_groups]
        try:
            for group in optimiser.param_groups:
                group["lr"] = group["lr"] * factor
            yield
        finally:
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate


NO_WARMUP = Warmup()
