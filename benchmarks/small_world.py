"""Recipes trained in one small world for equally many images, scored on drives they never saw.

What is shared by the benchmarks that compare recipes: the world, its hints, the schedule, rows.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from leadline.data.sources.detect import open_source, source_config
from leadline.data.splits import read_split
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.evaluation.alignment import UNALIGNED, Alignment
from leadline.evaluation.details import score_details
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import PREDICTIONS, TRUTH, evaluate_model
from leadline.evaluation.world import detailed_frames
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.method import HintMethod
from leadline.inference.train_model import train_model
from leadline.recipes import recipe_text
from leadline.training.recipe import read_recipe

WORLD = WorldSettings(drives=14, frames=12, size=(320, 96), seed=11, velodyne=False)
HINTS_SIZE = (192, 640)
HINTS = {"hints": HintMethod("valid", size=HINTS_SIZE)}
"""By folder; what is not about hints keeps the mode that was the default when it was begun."""
EPOCHS, BATCH, LEARNING_RATE, STEP_SIZE = 10, 6, 1e-3, 8
"""The last two epochs at a tenth of the learning rate."""
INITIAL_DEPTH = 2.0
"""Network units, 10.8 m for a pair. From the released 0.2 this learning rate drove all depths of
some runs to the minimum in the first steps, which says nothing of a recipe."""
PROTOCOL = "dense"
ROWS = "rows.jsonl"

SEEDS = (0, 1, 2)
SIGNIFICANT, CERTAIN = 2.0, 4.3
"""Standard errors; by Student's t with two degrees of freedom, 18 % and 5 % by chance."""
FIGURES = ("abs_rel", "thin", "occluded")

Row = dict[str, Any]
Key = tuple[Any, ...]
"""Of what a row's figures hold."""
RunT = TypeVar("RunT")


@dataclass(frozen=True)
class Trial:
    """One run: a recipe and a seed, under the name that the table gives it."""

    name: str
    recipe: str
    seed: int
    learning_rate: float = LEARNING_RATE
    hints: str = "hints"
    """Folder of the hints that a recipe learns from if it learns from any."""
    changes: tuple[str, ...] = ()
    """Further settings of its run, over those that all runs share."""

    @property
    def settings(self) -> str:
        """Of what its figures hold: a digest."""
        content = (recipe_text(self.recipe), self.learning_rate, self.hints, self.changes)
        return digest(content)

    @property
    def folder(self) -> str:
        return f"{self.name.replace(' ', '_')}_{self.seed}"


def digest(content: object) -> str:
    """Of all that the figures of a run hold of: rows with another one are made anew."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def run_options(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark that trains is told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    return parser


def prepare(
    out: Path, hints: Mapping[str, HintMethod] = HINTS, settings: WorldSettings = WORLD
) -> None:
    """The world, its hints, and splits: the validation drive is scored beside the test drive."""
    out.mkdir(parents=True, exist_ok=True)
    world = out / "world"
    print(generate(world, settings))
    train, val, test = (
        read_split(world / "splits" / f"{name}.txt") for name in ("train", "val", "test")
    )
    lists = {"train": train, "val": val, "test": [f for f in (*val, *test) if f.camera == 0]}
    for name, frames in lists.items():
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in frames))
    jobs = source_jobs(open_source(world), [*train, *val]).jobs
    for folder, method in hints.items():
        print(generate_hints(jobs, out / folder, method))


def train_and_score(trial: Trial, out: Path) -> Row:
    """One run on one thread; goes on where an earlier call was cut off.

    A recipe that learns from video alone is scored with each image's median, the others as they
    are.
    """
    torch.set_num_threads(1)
    world, run = out / "world", out / trial.folder
    data = {
        "source": source_config(world),
        "train_split": str(out / "train.txt"),
        "val_split": str(out / "val.txt"),
    }
    if Path(trial.recipe).name.startswith("depth_hints"):
        data["hints"] = str(out / trial.hints)
    config = read_recipe(trial.recipe, {"data": data}, _changes(trial))
    model = train_model(config, trial.recipe, run)
    evaluation = evaluate_model(
        model, world, run / "evaluation", split=out / "test.txt", protocol=PROTOCOL
    )
    row: Row = {
        "style": trial.name,
        "seed": trial.seed,
        "settings": trial.settings,
        "machine": machine(),
        "abs_rel": evaluation.mean.abs_rel,
        "a1": evaluation.mean.a1,
    }
    if evaluation.alignment.kind == "none":
        row |= _details(world, run / "evaluation", out / "test.txt")
    return row


def evaluated(trial: Trial, out: Path, alignment: str) -> Evaluation:
    """A finished run scored with an alignment of its own choice."""
    run = out / trial.folder
    return evaluate_model(
        run / "model",
        out / "world",
        run / f"evaluation_{alignment}",
        split=out / "test.txt",
        protocol=PROTOCOL,
        alignment=alignment,
    )


def _changes(trial: Trial) -> list[str]:
    """What differs from the recipe: a small size, few steps, no pretrained weights."""
    networks = [name for name in ("depth", "pose") if f"{name}:" in recipe_text(trial.recipe)]
    return [
        f"--seed={trial.seed}",
        *("--data.height=96", "--data.width=320", f"--data.batch_size={BATCH}"),
        "--data.workers=0",
        *(f"--model.predictor.init_args.{name}.init_args.weights=none" for name in networks),
        f"--model.predictor.init_args.depth.init_args.initial_depth={INITIAL_DEPTH}",
        f"--model.optimiser.init_args.lr={trial.learning_rate}",
        f"--model.schedule.init_args.step_size={STEP_SIZE}",
        *(f"--run.epochs={EPOCHS}", "--run.checkpoint_every=200", "--run.pictures_every=500"),
        "--run.loggers=[]",
        *trial.changes,
    ]


def _details(world: Path, evaluation: Path, split: Path) -> Row:
    frames = detailed_frames(
        open_source(world), read_split(split), evaluation / PREDICTIONS, evaluation / TRUTH
    )
    details = score_details(frames, named_protocol(PROTOCOL))
    return {
        "thin": details.thin_abs_rel,
        "occluded": details.occluded_abs_rel,
        "edge_f1": details.edge_f1,
    }


def run_all(
    trials: Sequence[Trial],
    out: Path,
    jobs: int,
    score: Callable[[Trial, Path], Row] = train_and_score,
) -> list[Row]:
    """The rows of all trials; those in `rows.jsonl` with the same settings are not made again."""
    runs = {(trial.name, trial.seed, trial.settings): trial for trial in trials}
    return resumed(runs, _key, partial(score, out=out), out, jobs)


def resumed(
    runs: Mapping[Key, RunT],
    key: Callable[[Row], Key],
    work: Callable[[RunT], Row],
    out: Path,
    jobs: int,
) -> list[Row]:
    """A row for each of the runs, by the key that its row has; those in `rows.jsonl` are not made
    again, and new ones are written there as they come.
    """
    rows = _found(runs, key, out)
    made = {key(row) for row in rows}
    todo = [run for own, run in runs.items() if own not in made]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for future in as_completed([pool.submit(work, run) for run in todo]):
            rows.append(future.result())
            with (out / ROWS).open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(rows[-1], flush=True)
    return rows


def finished(trials: Sequence[Trial], out: Path) -> list[Row]:
    """The rows that earlier calls made with the same settings."""
    return _found({(trial.name, trial.seed, trial.settings) for trial in trials}, _key, out)


def _found(wanted: Collection[Key], key: Callable[[Row], Key], out: Path) -> list[Row]:
    """The last row of each key that is wanted."""
    path = out / ROWS
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return list({key(row): row for row in found if key(row) in wanted}.values())


def _key(row: Row) -> Key:
    return row["style"], row["seed"], row.get("settings")


def guesses(out: Path, alignment: Alignment = UNALIGNED) -> dict[str, float]:
    """Abs Rel of what needs no picture, on the test frames."""
    source = open_source(out / "world")
    truths = [source.true_depth(frame) for frame in read_split(out / "test.txt")]
    known = [truth for truth in truths if truth is not None]
    found = honest_guesses(known, named_protocol(PROTOCOL), alignment)
    return {name: mean.abs_rel for name, mean in found.items()}


def machine() -> str:
    """What a run is trained on."""
    name = torch.cpu.get_capabilities().get("cpu_name", platform.machine())
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    return f"{name}, one thread a run, torch {torch.__version__}"


def conditions(
    rate: float = LEARNING_RATE,
    settings: WorldSettings = WORLD,
    *,
    schedule: tuple[int, int] = (EPOCHS, STEP_SIZE),
    size: str = "320x96",
    networks: str = f"ResNet-18 from scratch, first depths at {INITIAL_DEPTH:g} network units",
    held_out: str = "two held-out drives",
    rows: Sequence[Row] = (),
) -> str:
    """What every table says of its runs."""
    machines = {row["machine"] for row in rows if "machine" in row} or {machine()}
    return (
        f"{date.today()}; {'; '.join(sorted(machines))}. World of "
        f"{settings.drives} drives x {settings.frames} frames, seed {settings.seed}, seen at "
        f"{size}; {schedule[0]} epochs, batches of {BATCH}, Adam {rate:g}, divided by ten after "
        f"epoch {schedule[1]}; {networks}. Metres, no median scaling unless said; {PROTOCOL} "
        f"protocol (all pixels up to 80 m) on {held_out}."
    )


def paired(rows: list[Row], figure: str, style: str, other: str) -> tuple[float, float]:
    """Mean and standard error over seeds of figure(style) - figure(other)."""
    value = {(row["style"], row["seed"]): row[figure] for row in rows}
    difference = [value[style, seed] - value[other, seed] for seed in SEEDS]
    return float(np.mean(difference)), float(np.std(difference, ddof=1) / math.sqrt(len(SEEDS)))


def compared(rows: list[Row], style: str, other: str, figures: Sequence[str] = FIGURES) -> str:
    """Cells of a table: each figure of `style` minus that of `other`, with its verdict."""
    cells = []
    for figure in figures:
        mean, error = paired(rows, figure, style, other)
        cells.append(f"{mean:+.3f} ± {error:.3f} {verdict(mean, error)}")
    won = sum(values(rows, style)[seed] < values(rows, other)[seed] for seed in SEEDS)
    return f"{' | '.join(cells)} | {won} of {len(SEEDS)}"


def spread(rows: list[Row], style: str) -> str:
    """Cells of a table: each figure's mean and standard deviation over seeds."""
    own = [row for row in rows if row["style"] == style]
    return " | ".join(
        f"{np.mean([r[f] for r in own]):.3f} ± {np.std([r[f] for r in own], ddof=1):.3f}"
        for f in FIGURES
    )


def means_table(
    rows: list[Row], names: Sequence[str], what: str, no_picture: Mapping[str, float]
) -> list[str]:
    """Lines of a table: `FIGURES` of each name, and Abs Rel of what needs no picture."""
    return [
        f"| {what} | Abs Rel | Abs Rel, thin | Abs Rel, occluded |",
        "|---|---|---|---|",
        *(f"| {name} | {spread(rows, name)} |" for name in names),
        *(f"| {name} (no picture) | {value:.3f} | | |" for name, value in no_picture.items()),
    ]


def every_run(rows: list[Row], styles: Sequence[str]) -> list[str]:
    """Lines of a table: Abs Rel by style and seed."""
    lines = ["Abs Rel of every run:", "", f"| | {' | '.join(map(str, SEEDS))} |"]
    lines.append(f"|---{'|---' * len(SEEDS)}|")
    for style in styles:
        cells = [f"{values(rows, style)[seed]:.3f}" for seed in SEEDS]
        lines.append(f"| {style} | {' | '.join(cells)} |")
    return lines


def values(rows: list[Row], style: str) -> dict[int, float]:
    """Abs Rel by seed."""
    return {row["seed"]: row["abs_rel"] for row in rows if row["style"] == style}


def verdict(mean: float, error: float) -> str:
    """In words, for a figure that should be small."""
    if abs(mean) < SIGNIFICANT * error:
        return "draw"
    word = "wins" if mean < 0 else "loses"
    return word if abs(mean) < CERTAIN * error else f"**{word}**"
