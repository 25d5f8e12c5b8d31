import pytest
import torch
from torch.optim.lr_scheduler import PolynomialLR

from leadline.training.schedules import PolynomialDecay


def rates(schedule: type, total: int, steps: int, **settings: float) -> list[float]:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler = schedule(optimiser, total, **settings)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_without_an_end_it_is_that_of_torch() -> None:
    assert rates(PolynomialDecay, 10, 10, power=0.9) == pytest.approx(
        rates(PolynomialLR, 10, 10, power=0.9)
    )


def test_it_ends_at_its_end_and_stays_there() -> None:
    found = rates(PolynomialDecay, 4, 7, power=2.0, end=0.1)
    expected = [2 * (0.9 * (1 - t / 4) ** 2 + 0.1) for t in range(4)]
    assert found == pytest.approx([*expected, 0.2, 0.2, 0.2])


def test_what_is_no_schedule_is_refused() -> None:
    for settings, message in (({"total": 0}, "total: expected 1"), ({"end": 1.5}, "end: expected")):
        with pytest.raises(ValueError, match=message):
            rates(PolynomialDecay, **({"total": 3, "steps": 1} | settings))  # type: ignore[arg-type]
