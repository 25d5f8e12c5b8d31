"""What `kill -9` costs: hints, training and prediction, each killed several times and begun again.

Each is run once in peace and once killed, command line and all; what both left is compared byte by
byte. Moments are drawn from a seed, as shares of the work to be done. The curve is compared without
what is measured by a clock.

    python benchmarks/killed.py --out runs/killed [--kills 5]
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch

from leadline.data.confidence_files import CONFIDENCE_FOLDER
from leadline.training.curves import read_curves

RESULTS = Path(__file__).with_name("killed.md")
SETTINGS = [
    *("--data.height=64", "--data.width=224", "--data.batch_size=4", "--data.workers=1"),
    *("--weights", "none", "--run.epochs=3", "--run.checkpoint_every=4", "--run.log_every=1"),
    "--run.loggers=[]",
]
CLOCKED = ("images_per_second", "loader_share")
"""Curves that no two runs have in common."""
PAUSE = 0.001
"""Seconds between two looks at what is done."""


@dataclass(frozen=True)
class Job:
    """A command, where it writes, and how far it is."""

    name: str
    words: list[str]
    out: Path
    done: Callable[[Path], int]
    """Pieces of work that are finished: files, or steps."""


def finished_files(out: Path) -> int:
    return len(results(out))


def finished_steps(out: Path) -> int:
    """Steps that a curve knows of; those after the last resume point are lost by a kill."""
    return len({step for step, name, _ in read_curves(out / "curves.csv") if name == "train/loss"})


def results(out: Path) -> dict[str, Path]:
    """Finished maps and pictures below a folder."""
    return {
        str(path.relative_to(out)): path
        for path in sorted(out.rglob("[!.]*.png"))
        if path.is_file() and "contact" not in path.name
    }


def run(words: list[str]) -> None:
    subprocess.run(command(words), check=True, stdout=subprocess.DEVNULL)


def command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "leadline", *words]


def kill_at(job: Job, count: int) -> None:
    """Run the job until `count` pieces are done, then kill it with all its workers."""
    process = subprocess.Popen(
        command(job.words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while job.done(job.out) < count and process.poll() is None:
        time.sleep(PAUSE)
    if process.poll() is not None:
        raise RuntimeError(f"{job.name} ended before it could be killed; use fewer kills")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def begin_again(job: Job, total: int, kills: int, draw: random.Random) -> int:
    """Kill the job at moments in the order of time, then let it end; how many finished files were
    written again.
    """
    again = 0
    for count in sorted(draw.sample(range(1, total - 1), kills)):
        before = times(job.out)
        if count > job.done(job.out):
            kill_at(job, count)
        again += sum(times(job.out)[name] != then for name, then in before.items())
    before = times(job.out)
    run(job.words)
    return again + sum(times(job.out)[name] != then for name, then in before.items())


def times(out: Path) -> dict[str, int]:
    """Of what is finished: confidence is written before its hint, and finished with it."""
    found = results(out)
    return {
        name: path.stat().st_mtime_ns
        for name, path in found.items()
        if name.removeprefix(f"{CONFIDENCE_FOLDER}/") in found
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def half_written(out: Path) -> int:
    """Temporary files that are left."""
    return sum(path.is_file() for path in out.rglob(".*"))


def same_files(one: Path, other: Path) -> str:
    first, second = results(one), results(other)
    equal = [n for n in first if n in second and digest(first[n]) == digest(second[n])]
    return f"{len(equal)} of {len(first)} files"


def same_training(one: Path, other: Path) -> str:
    """Whether the curve and the weights are those of the other run, bit for bit."""
    curves = [
        [row for row in read_curves(run / "curves.csv") if not row[1].endswith(CLOCKED)]
        for run in (one, other)
    ]
    weights = [digest(run / "model" / "model.safetensors") for run in (one, other)]
    equal = sum(a == b for a, b in zip(*curves, strict=False))
    same = "the same weights" if weights[0] == weights[1] else "other weights"
    return f"{equal} of {len(curves[0])} values of the curve, {same}"


def row(job: Job, kills: int, again: int, equal: str) -> str:
    made_again = f"{again}" if job.name != "training" else "steps since the last resume point"
    return f"| {job.name} | {kills} | {half_written(job.out)} | {made_again} | {equal} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    out: Path = options.out
    draw = random.Random(options.seed)
    world, hints = str(out / "world"), out / "peace" / "hints"
    run(["synthetic", world, "--drives", "3", "--frames", "10", "--width", "320", "--height", "96"])
    photographs = str(next((out / "world").rglob("image_02/data")))

    def jobs(root: Path) -> list[Job]:
        model = out / "peace" / "run" / "model"
        training = ["train", "depth_hints_s", world, "--hints", str(hints), *SETTINGS]
        prediction = ["predict", str(model), photographs]
        return [
            Job(name, [*words, "--out", str(root / folder)], root / folder, done)
            for name, words, folder, done in (
                ("hints", ["hints", world], "hints", finished_files),
                ("training", training, "run", finished_steps),
                ("prediction", [*prediction, "--batch-size", "1"], "predictions", finished_files),
            )
        ]

    rows = []
    for whole, killed in zip(jobs(out / "peace"), jobs(out / "killed"), strict=True):
        run(whole.words)
        again = begin_again(killed, whole.done(whole.out), options.kills, draw)
        same = same_training if whole.name == "training" else same_files
        rows.append(row(killed, options.kills, again, same(whole.out, killed.out)))
        print(rows[-1], flush=True)
    RESULTS.write_text(
        "\n".join(
            [
                "# What a kill costs",
                "",
                f"{date.today()}, torch {torch.__version__}. `python benchmarks/killed.py`: each",
                "command was given once in peace, and once killed by signal 9 with all its workers",
                "at moments drawn at random, and given again until it ended.",
                "",
                "| | kills | half-written files at the end | finished files made again | equal |",
                "|---|---:|---:|---|---|",
                *rows,
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
