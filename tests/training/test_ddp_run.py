"""A run on two processes: one folder, one curve, every step once."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from training_command import environment, train_command
from worlds import write_stereo_folder

from leadline.training.curves import read_curves
from leadline.training.run_folder import CURVES

SCALAR = "train/loss"


@pytest.mark.slow
def test_two_processes_share_one_run(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=12, size=(32, 64))
    run = tmp_path / "run"
    arguments = train_command(world, run, "--run.devices=2", "--run.accelerator=cpu")
    done = subprocess.run(arguments, env=environment(), check=True, capture_output=True, text=True)
    steps = Counter(step for step, name, _ in read_curves(run / CURVES) if name == SCALAR)
    # 20 targets, two processes with batches of two: five steps in each of two epochs.
    assert steps == Counter(range(10))
    assert (run / "model" / "model.safetensors").exists()
    # One of them speaks.
    for said in (
        *("1 x reprojection", "precision: 32-true", "training: 20 of 20", "model: "),
        "4 images a batch: 2 on each of 2 devices",
    ):
        assert done.stdout.count(said) == 1
    # The terms are those of the whole batch, as the loss is.
    curves = {(name, step): value for step, name, value in read_curves(run / CURVES)}
    for step in steps:
        terms = curves["train/reprojection", step] + curves["train/hint", step]
        assert terms == pytest.approx(curves[SCALAR, step], rel=1e-5)
    assert (run / "resume.ckpt").exists()
    longer = [*arguments, "--run.epochs=3"]
    more = subprocess.run(longer, env=environment(), check=True, capture_output=True, text=True)
    assert more.stdout.count("going on from step 10") == 1
    steps = Counter(step for step, name, _ in read_curves(run / CURVES) if name == SCALAR)
    assert steps == Counter(range(15))
    assert "strides do not match" not in done.stderr
