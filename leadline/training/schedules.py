"""Learning rates over the length of a run, where torch has none of the kind."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class PolynomialDecay(LambdaLR):
    """The rate of a run's beginning, times (1 - e) (1 - t / T)^p + e at time t of T [bts].

    Torch's own ends at nothing (e = 0).

    Args:
        optimizer: whose rates are changed.
        total: T, in what the schedule counts: epochs, or steps; without it, the length of the run.
        power: p.
        end: e, the share of the first rate that is left at the end; it stays there afterwards.

    Raises:
        ValueError: `total` is less than 1, or `end` is no share.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total: int | None = None,
        power: float = 0.9,
        end: float = 0.0,
    ) -> None:
        if total is not None and total < 1:
            raise ValueError(f"schedule.total: expected 1 or more, got {total}")
        if not 0 <= end <= 1:
            raise ValueError(f"schedule.end: expected a share from 0 to 1, got {end}")

        self.total = total
        """Set by whoever knows the length of the run, where it was not given."""

        def share(time: int) -> float:
            # What begins with the whole needs no end.
            left = max(1 - time / self.total, 0.0) if self.total and time else 1.0
            return float((1 - end) * left**power + end)

        super().__init__(optimizer, share)
