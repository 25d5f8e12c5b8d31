"""A run that is interrupted more than once, anywhere, is the run that never was, bit for bit."""

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml
from commands import Answer, leadline
from small_models import files_below, write_tiny_backbone
from torch import Tensor
from training_command import train_command
from worlds import write_stereo_folder

from leadline.networks.depth import DepthNetwork
from leadline.training import progress
from leadline.training.curves import read_curves
from leadline.training.loop_state import Moment
from leadline.training.module import DepthTraining
from leadline.training.resume import ResumePoint, read_resume_point
from leadline.training.run_folder import CURVES, RESUME_POINT
from leadline.types import Batch

STEPS, EPOCHS = 4, 3
"""Of the run: steps an epoch, and epochs."""

Train = Callable[..., Answer]
Row = tuple[int, str, float]


class Killed(RuntimeError):
    """Stands for a signal that no process can catch."""


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """The command, into a folder: four steps an epoch, two batches of validation, rates that fall
    each epoch, a network that draws.
    """
    root = tmp_path_factory.mktemp("again")
    world = write_stereo_folder(root / "world", count=7, size=(32, 64))
    backbone = write_tiny_backbone(root / "tiny")

    def command(run: Path, *more: str) -> Answer:
        return leadline(
            *train_command(world, run)[3:],
            f"--model.predictor.init_args.depth.init_args.backbone={backbone}",
            *("--data.workers=0", "--data.val_share=0.3", f"--run.epochs={EPOCHS}"),
            *("--run.checkpoint_every=1", "--model.schedule.init_args.step_size=1"),
            *more,
        )

    return command


@pytest.fixture(scope="module", autouse=True)
def _drawing_network() -> Iterator[None]:
    """Depth networks that drop a part of their input while they learn."""
    forward = DepthNetwork.forward

    def dropping(network: DepthNetwork, image: Tensor, intrinsics: Tensor | None = None) -> Any:
        return forward(network, torch.dropout(image, 0.1, network.training), intrinsics)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DepthNetwork, "forward", dropping)
        yield


@pytest.fixture(scope="module")
def whole(train: Train, _drawing_network: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing interrupts."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert train(run).code == 0
    return run


def kill(patch: pytest.MonkeyPatch, hook: str, at: Callable[[DepthTraining, int], bool]) -> None:
    """Let the run die in a hook of the training."""
    original = getattr(DepthTraining, hook)

    def dying(module: DepthTraining, *arguments: Any) -> Any:
        if at(module, arguments[1] if len(arguments) > 1 else 0):
            raise Killed("killed")
        return original(module, *arguments)

    patch.setattr(DepthTraining, hook, dying)


def in_mid_epoch(patch: pytest.MonkeyPatch, epoch: int) -> None:
    kill(patch, "training_step", lambda m, i: m.current_epoch == epoch and i == STEPS // 2)


def after_the_last_batch(patch: pytest.MonkeyPatch, epoch: int) -> None:
    kill(patch, "on_validation_start", lambda m, _: m.current_epoch == epoch)


def in_validation(patch: pytest.MonkeyPatch, epoch: int) -> None:
    kill(patch, "validation_step", lambda m, i: m.current_epoch == epoch and i == 1)


def after_validation(patch: pytest.MonkeyPatch, epoch: int) -> None:
    kill(patch, "on_validation_end", lambda m, _: m.current_epoch == epoch)


INTERRUPTIONS = {
    "mid-epoch": in_mid_epoch,
    "last batch": after_the_last_batch,
    "in validation": in_validation,
    "after validation": after_validation,
    "finished": None,
}


@pytest.mark.slow
@pytest.mark.parametrize("step", [STEPS + 2, 2 * STEPS])
def test_a_step_that_is_saved_is_in_the_curve(
    step: int, train: Train, whole: Path, tmp_path: Path
) -> None:
    run, save = tmp_path / "run", ResumePoint._save

    def last_save(point: ResumePoint, trainer: pl.Trainer, moment: Moment) -> None:
        save(point, trainer, moment)
        if trainer.global_step == step:
            raise Killed("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResumePoint, "_save", last_save)
        assert train(run).complaint == "killed"
    assert read_resume_point(run / RESUME_POINT).step == step
    assert train(run).code == 0
    assert_same_run(run, whole)


def trained_and_validated(run: Path) -> list[Row]:
    return [row for row in read_curves(run / CURVES) if row[1].startswith(("train/", "val/"))]


def assert_same_run(run: Path, whole: Path) -> None:
    expected = trained_and_validated(whole)
    assert {step for step, name, _ in expected if name == "train/loss"} == set(
        range(STEPS * EPOCHS)
    )
    assert [step for step, name, _ in expected if name == "val/loss"] == [3, 7, 11]
    assert trained_and_validated(run) == expected
    for name in ("model.safetensors", "config.yaml"):
        assert (run / "model" / name).read_bytes() == (whole / "model" / name).read_bytes()
    assert yaml.safe_load((run / "model" / "config.yaml").read_text())["metrics"]


KINDS = [name for name in INTERRUPTIONS if name != "after validation"]
PAIRS = [
    *itertools.product(KINDS, KINDS),
    *(("after validation", "in validation"), ("last batch", "after validation")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_interruptions_leave_no_trace(
    first: str, second: str, train: Train, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for epoch, name in enumerate((first, second)):
        with pytest.MonkeyPatch.context() as patch:
            interrupt = INTERRUPTIONS[name]
            if interrupt is None:
                assert train(run, f"--run.epochs={epoch + 1}").code == 0
            else:
                interrupt(patch, epoch)
                assert train(run).complaint == "killed"
    assert train(run).code == 0
    assert read_resume_point(run / RESUME_POINT).step == STEPS * EPOCHS
    assert_same_run(run, whole)


def send(number: signal.Signals, hook: str, batch: int) -> Callable[[pytest.MonkeyPatch], None]:
    """A signal to this process in one batch of the second epoch."""

    def patch_in(patch: pytest.MonkeyPatch) -> None:
        original = getattr(DepthTraining, hook)

        def interrupted(module: DepthTraining, given: Batch, index: int) -> Any:
            if (module.current_epoch, index) == (1, batch):
                os.kill(os.getpid(), number)
            return original(module, given, index)

        patch.setattr(DepthTraining, hook, interrupted)

    return patch_in


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("hook", "batch", "kept"),
    [
        ("training_step", 1, STEPS + 2),
        ("training_step", STEPS - 1, 2 * STEPS),
        ("validation_step", 0, 2 * STEPS),
        ("validation_step", 1, 2 * STEPS),
    ],
)
def test_asked_to_stop_it_loses_no_step_and_no_figure(
    hook: str,
    batch: int,
    kept: int,
    number: signal.Signals,
    train: Train,
    whole: Path,
    tmp_path: Path,
) -> None:
    run, seldom = tmp_path / "run", "--run.checkpoint_every=1000"
    with pytest.MonkeyPatch.context() as patch:
        send(number, hook, batch)(patch)
        assert train(run, seldom).code == 130
    assert read_resume_point(run / RESUME_POINT).step == kept
    assert yaml.safe_load((run / "model" / "config.yaml").read_text())["steps"] == kept
    assert train(run, seldom).code == 0
    assert_same_run(run, whole)


@pytest.mark.slow
def test_a_run_that_counts_steps_goes_on_too(train: Train, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        in_validation(patch, epoch=0)
        assert train(run, f"--run.steps={STEPS}").complaint == "killed"
    # No step is left, but a validation is.
    for steps in (STEPS, STEPS + 2, 2 * STEPS, STEPS * EPOCHS):
        assert train(run, f"--run.steps={steps}").code == 0
        last = max(step for step, name, _ in read_curves(run / CURVES) if name == "val/loss")
        assert last == steps // STEPS * STEPS - 1
    assert_same_run(run, whole)


@pytest.mark.slow
def test_a_model_keeps_its_figures_when_nothing_is_left_to_train(
    train: Train, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    before = files_below(run)
    assert "nothing left to train" in train(run).out
    assert files_below(run) == before
    # They stay beside the weights of a few more steps, too.
    assert train(run, "--run.epochs=9", f"--run.steps={STEPS * EPOCHS + 1}").code == 0
    configs = [
        yaml.safe_load((folder / "model/config.yaml").read_text()) for folder in (run, whole)
    ]
    assert configs[0]["steps"] == STEPS * EPOCHS + 1
    assert configs[0]["metrics"] == configs[1]["metrics"]
    shutil.rmtree(run / "model")
    assert train(run, "--run.epochs=9", f"--run.steps={STEPS * EPOCHS + 1}").code == 0
    assert yaml.safe_load((run / "model/config.yaml").read_text()) == configs[0]


@pytest.mark.slow
def test_a_run_remembers_the_model_that_it_started_from(
    train: Train, whole: Path, tmp_path: Path
) -> None:
    model, run, steps = whole / "model", tmp_path / "run", "--run.steps=2"
    words = ("--init-from", str(model), steps)
    assert train(run, *words).code == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["run"]["init_from"] == str(model)
    assert "going on from step 2" in train(run, "--run.steps=3").out
    assert "going on from step 3" in train(run, "--init-from", str(model), "--run.steps=4").out
    other = shutil.copytree(model, tmp_path / "other")
    assert "run.init_from was" in train(run, "--init-from", str(other)).complaint
    fresh = tmp_path / "fresh"
    assert train(fresh, steps).code == 0
    assert "run.init_from was None" in train(fresh, *words).complaint


@pytest.mark.slow
def test_what_was_killed_before_its_first_resume_point_begins_anew(
    train: Train, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        in_mid_epoch(patch, epoch=0)
        assert train(run, "--run.checkpoint_every=1000").complaint == "killed"
    assert read_curves(run / CURVES)
    assert train(run, "--data.jitter=false", "--run.steps=1").code == 0
    assert {step for step, _, _ in read_curves(run / CURVES)} == {0}


def test_a_resumed_run_knows_how_long_it_waited(
    train: Train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WINDOW", 1)
    run = tmp_path / "run"
    assert train(run, "--run.steps=2").code == 0
    assert train(run, "--run.steps=3").code == 0
    speeds = {s: v for s, name, v in read_curves(run / CURVES) if name == "images_per_second"}
    assert speeds[2] > speeds[0] / 100
