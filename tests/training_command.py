"""The command line of a tiny training run in a process of its own."""

import os
import sys
from pathlib import Path

from worlds import hints_of


def train_command(world: Path, run: Path, *more: str) -> list[str]:
    """Depth Hints at 64x32 on a folder of `write_stereo_folder`, two epochs, every step logged."""
    return [
        *(sys.executable, "-m", "leadline", "train", "depth_hints_s", str(world)),
        *("--hints", str(hints_of(world)), "--out", str(run)),
        *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=1"),
        "--model.predictor.init_args.depth.init_args.weights=none",
        *("--run.epochs=2", "--run.log_every=1", "--run.checkpoint_every=4"),
        *("--run.pictures_every=7", "--run.loggers=[]"),
        *more,
    ]


def environment() -> dict[str, str]:
    """One thread: sums in the same order on every machine, and no crowding of shared cores."""
    return os.environ | {"OMP_NUM_THREADS": "1"}
