from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from small_models import write_tiny_backbone
from torch.optim.lr_scheduler import PolynomialLR
from worlds import write_stereo_folder

from leadline.data.sources.detect import source_config
from leadline.training.recipe import as_yaml, build, read_recipe
from leadline.training.run import fit
from leadline.training.schedules import PolynomialDecay


def rates(schedule: type, total: int | None, steps: int, **settings: float) -> list[float]:
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


def test_without_a_length_it_waits_for_that_of_the_run() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = PolynomialDecay(optimiser, end=0.1)
    assert schedule.total is None
    assert optimiser.param_groups[0]["lr"] == 2.0
    schedule.total = 4
    found = []
    for _ in range(5):
        optimiser.step()
        schedule.step()
        found.append(optimiser.param_groups[0]["lr"])
    assert found == pytest.approx(rates(PolynomialDecay, 4, 6, end=0.1)[1:])


class Rates(pl.Callback):
    """The rate of every update, by the number of updates before it."""

    def __init__(self) -> None:
        self.found: list[tuple[int, float]] = []

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.found.append((trainer.global_step, optimizer.param_groups[0]["lr"]))


@pytest.mark.slow
@pytest.mark.parametrize("counts", ["steps", "epochs"])
def test_a_schedule_counts_updates_or_epochs_also_in_parts(tmp_path: Path, counts: str) -> None:
    """Two batches an update, three updates an epoch, cut off after four and resumed."""
    world = write_stereo_folder(tmp_path / "world", count=6)

    def rates_of(run: Path, steps: int) -> list[tuple[int, float]]:
        config = read_recipe(
            "monodepth2_s",
            {"data": {"source": source_config(world)}},
            [
                *("--data.height=32", "--data.width=64", "--data.batch_size=2"),
                *("--data.workers=0", "--data.val_share=0", "--run.accumulate=2"),
                f"--model.predictor.init_args.depth.init_args.backbone={backbone}",
                "--model.predictor.init_args.depth.init_args.weights=none",
                "--model.schedule=leadline.training.schedules.PolynomialDecay",
                "--model.schedule.init_args.total=8",
                f"--model.schedule_counts={counts}",
                *(f"--run.steps={steps}", "--run.loggers=[]", "--run.accelerator=cpu"),
            ],
        )
        batches, module, settings = build(config)
        rates = Rates()
        fit(module, batches, settings, run, as_yaml(config), [rates])
        return rates.found

    backbone = write_tiny_backbone(tmp_path / "tiny")
    whole = rates_of(tmp_path / "whole", 7)
    parts = rates_of(tmp_path / "parts", 4)
    assert parts + rates_of(tmp_path / "parts", 7) == whole
    assert [step for step, _ in whole] == list(range(7))
    for step, rate in whole:
        time = step if counts == "steps" else step // 3
        assert rate == pytest.approx(1e-4 * (1 - time / 8) ** 0.9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "length", "total"),
    [
        ("steps", ("--run.steps=5",), 5),
        ("steps", ("--run.epochs=2",), 6),
        ("epochs", ("--run.epochs=2",), 2),
    ],
)
def test_the_length_of_the_run_is_that_of_a_schedule_without_one(
    tmp_path: Path, counts: str, length: tuple[str, ...], total: int
) -> None:
    config = read_recipe(
        "monodepth2_s",
        {"data": {"source": source_config(write_stereo_folder(tmp_path / "world", count=6))}},
        [
            *("--data.height=32", "--data.width=64", "--data.batch_size=2"),
            *("--data.workers=0", "--data.val_share=0", "--run.accumulate=2"),
            "--model.predictor.init_args.depth.init_args.backbone="
            f"{write_tiny_backbone(tmp_path / 'tiny')}",
            "--model.predictor.init_args.depth.init_args.weights=none",
            "--model.schedule=leadline.training.schedules.PolynomialDecay",
            "--model.schedule.init_args.power=0.9",
            f"--model.schedule_counts={counts}",
            *(*length, "--run.loggers=[]", "--run.accelerator=cpu"),
        ],
    )
    batches, module, settings = build(config)
    rates = Rates()
    fit(module, batches, settings, tmp_path / "run", as_yaml(config), [rates])
    assert rates.found
    for step, rate in rates.found:
        time = step if counts == "steps" else step // 3
        assert rate == pytest.approx(1e-4 * (1 - time / total) ** 0.9)
