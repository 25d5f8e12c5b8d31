"""The learning rate rises over the first steps, and schedules never notice."""

import pytest
import torch

from leadline.training.warmup import NO_WARMUP, Warmup


def test_the_rate_rises_evenly() -> None:
    warmup = Warmup(steps=4, start=0.2)
    assert [warmup.factor(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert NO_WARMUP.factor(0) == 1


def test_the_rate_of_the_schedule_is_there_again_after_the_step() -> None:
    weights = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weights], lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=0.5)
    moved = []
    for step in range(4):
        before = weights.item()
        weights.grad = torch.ones(1)
        with Warmup(steps=2, start=0.5).applied(optimiser, step):
            optimiser.step()
        moved.append(before - weights.item())
        schedule.step()
    assert moved == pytest.approx([0.5, 0.75 * 0.5, 0.25, 0.125])


@pytest.mark.parametrize(("steps", "start"), [(-1, 0.5), (3, -0.1), (3, 1.5)])
def test_impossible_settings(steps: int, start: float) -> None:
    with pytest.raises(ValueError, match=r"warmup\.(steps|start): expected"):
        Warmup(steps, start)
