"""A run that is killed and started again is the run that was never killed, bit for bit."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from training_command import environment, train_command
from worlds import write_stereo_folder

from leadline.training.curves import CurveLog, read_curves
from leadline.training.resume import resume_step
from leadline.training.run import CURVES, RESUME_POINT, begin_run

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
    assert not list(killed.rglob("*.part*")) or resume_step(killed / RESUME_POINT) == 24


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
    begin_run(tmp_path, "seed: 0\nrun:\n  epochs: 20\n")
    begin_run(tmp_path, "seed: 0\nrun:\n  epochs: 30\n")
    (tmp_path / RESUME_POINT).touch()
    with pytest.raises(ValueError, match=r"was seed: 0; now seed: 1"):
        begin_run(tmp_path, "seed: 1\nrun:\n  epochs: 30\n")
    # Where nothing came of the first attempt nothing is held.
    (tmp_path / RESUME_POINT).unlink()
    begin_run(tmp_path, "seed: 1\nrun:\n  epochs: 30\n")
