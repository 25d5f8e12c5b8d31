"""A run that is killed and started again is the run that was never killed, bit for bit."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import Answer, leadline
from small_models import write_tiny_backbone
from torch import Tensor
from training_command import environment, train_command
from worlds import write_stereo_folder

from leadline.training.curves import CurveLog, read_curves
from leadline.training.module import DepthTraining
from leadline.training.resume import Done, resume_step
from leadline.training.run_folder import CONFIG, CURVES, RESUME_POINT, begin_run
from leadline.types import Batch

TIMEOUT = 120
"""Seconds; far beyond what a slow machine takes for a few steps."""


def kill_after_step(arguments: list[str], run: Path, step: int) -> None:
    """Start a run and kill it, workers included, once its resume point has reached `step`."""
    process = subprocess.Popen(
        arguments,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + TIMEOUT
    try:
        while resume_step(run / RESUME_POINT) < step:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline, "the run took too long"
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_killed_in_mid_epoch_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=14, size=(32, 64))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(train_command(world, whole), env=environment(), check=True, capture_output=True)
    # Twelve steps an epoch: once within the first, once within the second.
    for step in (4, 16):
        kill_after_step(train_command(world, killed), killed, step)
    subprocess.run(train_command(world, killed), env=environment(), check=True, capture_output=True)
    expected, curves = (
        [row for row in read_curves(run / CURVES) if row[1].startswith(("train/", "val/"))]
        for run in (whole, killed)
    )
    assert len({step for step, _, _ in expected}) >= 20
    assert curves == expected
    models = [(run / "model" / "model.safetensors").read_bytes() for run in (whole, killed)]
    assert models[0] == models[1]
    assert resume_step(killed / RESUME_POINT) == 24
    assert not list(killed.rglob("*.part*"))


def test_gradients_of_several_batches_are_never_saved_by_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six batches an epoch make two steps, of four and of two batches."""
    world = write_stereo_folder(tmp_path / "world", count=8, size=(32, 64))
    backbone = write_tiny_backbone(tmp_path / "tiny")
    runs = {name: tmp_path / name for name in ("whole", "killed")}

    def train(run: Path) -> Answer:
        words = train_command(world, run)[3:]
        more = ("--data.workers=0", "--run.accumulate=4", "--run.checkpoint_every=1")
        return leadline(
            *words, f"--model.predictor.init_args.depth.init_args.backbone={backbone}", *more
        )

    assert train(runs["whole"]).code == 0
    taken, step = [], DepthTraining.training_step

    def killed_in_mid_step(module: DepthTraining, batch: Batch, index: int) -> Tensor:
        taken.append(index)
        if len(taken) == 6:
            raise RuntimeError("killed")
        return step(module, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(DepthTraining, "training_step", killed_in_mid_step)
        assert train(runs["killed"]).complaint == "killed"
    assert taken == [0, 1, 2, 3, 4, 5]
    assert resume_step(runs["killed"] / RESUME_POINT) == 1
    assert "going on from step 1" in train(runs["killed"]).out
    curves = [read_curves(run / CURVES) for run in runs.values()]
    trained = [[row for row in rows if row[1].startswith("train/")] for rows in curves]
    assert {row[0] for row in trained[0]} == {0, 1, 2, 3}
    assert trained[0] == trained[1]
    models = [(run / "model" / "model.safetensors").read_bytes() for run in runs.values()]
    assert models[0] == models[1]


def test_curves_drop_what_is_about_to_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    log = CurveLog(path)
    for step in range(4):
        log.log_metrics({"train/loss": step + 1 / 3, "epoch": 0}, step)
    with path.open("a") as file:
        file.write("4,train/lo")  # the line during which the run was killed
    resumed = CurveLog(path, resume_step=2)
    resumed.log_metrics({"train/loss": 7.0}, 2)
    assert read_curves(path) == [
        (0, "train/loss", 1 / 3),
        (1, "train/loss", 1 + 1 / 3),
        (2, "train/loss", 7.0),
    ]


def test_a_damaged_resume_point_is_not_taken_for_a_new_run(tmp_path: Path) -> None:
    point = tmp_path / RESUME_POINT
    assert resume_step(point) == 0
    point.write_bytes(b"half a file")
    with pytest.raises(ValueError, match="delete it to start again"):
        resume_step(point)


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    assert not begin_run(tmp_path, "seed: 0\nrun:\n  epochs: 20\n")
    assert not begin_run(tmp_path, "seed: 0\nrun:\n  epochs: 30\n")
    (tmp_path / RESUME_POINT).touch()
    with pytest.raises(ValueError, match=r"\(seed was 0, now 1\): give another folder"):
        begin_run(tmp_path, "seed: 1\nrun:\n  epochs: 30\n")
    assert (tmp_path / CONFIG).read_text().startswith("seed: 0")
    # Where nothing came of the first attempt nothing is held.
    (tmp_path / RESUME_POINT).unlink()
    begin_run(tmp_path, "seed: 1\nrun:\n  epochs: 30\n")


CONFIGURATION = """
data: {batch_size: 4, workers: 2}
run: {epochs: 20, precision: 32-true, devices: 2, accelerator: auto, loggers: [tensorboard]}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[tensorboard]", "[]", "run.loggers was ['tensorboard'], now []"),
        ("[tensorboard]", "[tensorboard, wandb]", "now ['tensorboard', 'wandb']"),
        ("workers: 2", "workers: 8", "data.workers was 2, now 8"),
        ("epochs: 20", "epochs: 30", "run.epochs was 20, now 30"),
        ("accelerator: auto", "accelerator: cpu", "run.accelerator was auto, now cpu"),
    ],
)
def test_who_watches_and_where_it_runs_may_change(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    begin_run(tmp_path, CONFIGURATION)
    (tmp_path / RESUME_POINT).touch()
    (text,) = begin_run(tmp_path, CONFIGURATION.replace(old, new), Done(7, 8), images_per_batch=8)
    assert text.endswith(told)
    assert new in (tmp_path / CONFIG).read_text()


def test_devices_may_change_if_a_batch_stays_what_it_was(tmp_path: Path) -> None:
    begin_run(tmp_path, CONFIGURATION)
    (tmp_path / RESUME_POINT).touch()
    one = CONFIGURATION.replace("devices: 2", "devices: 1")
    with pytest.raises(
        ValueError, match=r"with 8 images a batch .*, this one would have 4: change"
    ):
        begin_run(tmp_path, one, Done(7, 8), images_per_batch=4)
    assert (tmp_path / CONFIG).read_text() == CONFIGURATION
    larger = one.replace("batch_size: 4", "batch_size: 8")
    told = begin_run(tmp_path, larger, Done(7, 8), images_per_batch=8)
    assert told == ["data.batch_size was 4, now 8", "run.devices was 2, now 1"]
    # A resume point that does not say how many there were lets nobody guess.
    with pytest.raises(ValueError, match=r"other settings \(data.batch_size was 8, now 4\)"):
        begin_run(tmp_path, CONFIGURATION, Done(7), images_per_batch=8)
    with pytest.raises(ValueError, match="precision was 32-true, now bf16-mixed"):
        begin_run(tmp_path, larger.replace("32-true", "bf16-mixed"), Done(7, 8), 8)
