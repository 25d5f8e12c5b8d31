"""Which style of proxy supervision wins? Five styles, three seeds, equal steps, one world.

The paper's claim: soft supervision (the hint counts where it explains the picture better) beats
photometric training alone, hints everywhere, and their sum [depth-hints].

Fixed before the first run: the generator's settings, steps, learning rate and what counts as a
win. A style beats another if the mean over seeds of the paired difference is at least twice its
standard error away from 0; anything else is a draw, and is reported as one. Runs resume; each
finished run is one line of `rows.jsonl`.

    python benchmarks/styles.py --out runs/styles --jobs 2
"""

import argparse
import json
import math
import multiprocessing
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import torch

from leadline.data.sources.detect import open_source, source_config
from leadline.data.splits import read_split
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.evaluation.alignment import UNALIGNED
from leadline.evaluation.details import score_details
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.run import PREDICTIONS, TRUTH, evaluate_model
from leadline.evaluation.world import detailed_frames
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.method import HintMethod
from leadline.inference.model_callback import ModelFolder
from leadline.training.recipe import as_yaml, build, read_recipe
from leadline.training.run import fit

WORLD = WorldSettings(drives=14, frames=12, size=(320, 96), seed=11, velodyne=False)
HINTS = HintMethod(mode="valid", size=(192, 640))
STYLES = {
    "self": "depth_hints_s_self",
    "hard": "depth_hints_s_hard",
    "hard + uncertainty": "depth_hints_s_uncertain",
    "sum": "depth_hints_s_sum",
    "soft": "depth_hints_s",
}
SEEDS = (0, 1, 2)
EPOCHS, BATCH, LEARNING_RATE, STEP_SIZE = 10, 6, 1e-3, 8
"""The last two epochs at a tenth of the learning rate."""
SIGNIFICANT = 2.0
"""Standard errors."""
FIGURES = ("abs_rel", "thin", "hidden", "edge_f1")
RESULTS = Path(__file__).with_name("styles.md")


def train_and_score(style: str, seed: int, out: Path) -> dict[str, float | str | int]:
    """One run of one style; goes on where an earlier call was cut off."""
    torch.set_num_threads(1)
    world, run = out / "world", out / f"{style.replace(' ', '_')}_{seed}"
    data = {
        "source": source_config(world),
        "hints": str(out / "hints"),
        "train_split": str(out / "train.txt"),
        "val_split": str(out / "val.txt"),
    }
    settings = [
        f"--seed={seed}",
        *("--data.height=96", "--data.width=320", f"--data.batch_size={BATCH}"),
        "--data.workers=0",
        "--model.predictor.init_args.depth.init_args.weights=none",
        f"--model.optimiser.init_args.lr={LEARNING_RATE}",
        f"--model.schedule.init_args.step_size={STEP_SIZE}",
        *(f"--run.epochs={EPOCHS}", "--run.checkpoint_every=200", "--run.pictures_every=500"),
        "--run.loggers=[]",
    ]
    config = read_recipe(STYLES[style], {"data": data}, settings)
    batches, module, limits = build(config)
    text = as_yaml(config)
    model = ModelFolder(run / "model", STYLES[style], text)
    start = time.process_time()
    fit(module, batches, limits, run, text, [model])
    seconds = time.process_time() - start
    evaluation = evaluate_model(model.folder, world, run / "evaluation", split=out / "test.txt")
    source, frames = open_source(world), read_split(out / "test.txt")
    folders = run / "evaluation" / PREDICTIONS, run / "evaluation" / TRUTH
    details = score_details(
        detailed_frames(source, frames, world, *folders), named_protocol("eigen")
    )
    return {
        "style": style,
        "seed": seed,
        "abs_rel": evaluation.mean.abs_rel,
        "a1": evaluation.mean.a1,
        "thin": details.thin_abs_rel,
        "hidden": details.hidden_abs_rel,
        "edge_f1": details.edge_f1,
        "cpu_seconds": seconds,
    }


def prepare(out: Path) -> None:
    """The world, its hints, and splits: the validation drive is scored beside the test drive."""
    world = out / "world"
    print(generate(world, WORLD))
    train, val, test = (
        read_split(world / "splits" / f"{name}.txt") for name in ("train", "val", "test")
    )
    lists = {"train": train, "val": val, "test": [f for f in (*val, *test) if f.camera == 0]}
    for name, frames in lists.items():
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in frames))
    print(
        generate_hints(source_jobs(open_source(world), [*train, *val]).jobs, out / "hints", HINTS)
    )


def paired(rows: list[dict], figure: str, style: str, other: str) -> tuple[float, float]:
    """Mean and standard error over seeds of figure(style) - figure(other)."""
    value = {(row["style"], row["seed"]): row[figure] for row in rows}
    difference = [value[style, seed] - value[other, seed] for seed in SEEDS]
    return float(np.mean(difference)), float(np.std(difference, ddof=1) / math.sqrt(len(SEEDS)))


def table(rows: list[dict], guesses: dict[str, float]) -> str:
    lines = [
        "# Which style of proxy supervision wins?",
        "",
        f"{date.today()}, {platform.processor() or platform.machine()}, torch {torch.__version__}; "
        f"world {WORLD.drives} drives x {WORLD.frames} frames at 320x96, seed {WORLD.seed}; "
        f"{EPOCHS} epochs, batches of {BATCH}, Adam {LEARNING_RATE:g}, ResNet-18 from scratch, "
        f"seeds {SEEDS}. Metric, no median scaling; eigen protocol on two held-out drives.",
        "",
        "Mean ± standard deviation over seeds. Thin: poles, signs, fences, trunks. Hidden: what "
        "the right camera cannot see.",
        "",
        "| style | Abs Rel | Abs Rel, thin | Abs Rel, hidden | edge F1 | CPU-s |",
        "|---|---|---|---|---|---|",
    ]
    for style in STYLES:
        own = [row for row in rows if row["style"] == style]
        cells = [
            f"{np.mean([r[f] for r in own]):.3f} ± {np.std([r[f] for r in own], ddof=1):.3f}"
            for f in FIGURES
        ]
        lines.append(
            f"| {style} | {' | '.join(cells)} | {np.mean([r['cpu_seconds'] for r in own]):.0f} |"
        )
    lines += [f"| {name} (no picture) | {value:.3f} | | | | |" for name, value in guesses.items()]
    lines += ["", "Soft minus the other style, paired by seed, mean ± standard error:", ""]
    lines += ["| soft against | Abs Rel | thin | hidden |", "|---|---|---|---|"]
    for other in STYLES:
        if other == "soft":
            continue
        cells = []
        for figure in FIGURES[:3]:
            mean, error = paired(rows, figure, "soft", other)
            verdict = "draw" if abs(mean) < SIGNIFICANT * error else "wins" if mean < 0 else "loses"
            cells.append(f"{mean:+.3f} ± {error:.3f} {verdict}")
        lines.append(f"| {other} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    prepare(options.out)
    path = options.out / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(row["style"], row["seed"]) for row in rows}
    todo = [(style, seed) for seed in SEEDS for style in STYLES if (style, seed) not in done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for future in [pool.submit(train_and_score, s, seed, options.out) for s, seed in todo]:
            row = future.result()
            rows.append(row)
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)
    source = open_source(options.out / "world")
    truths = [source.true_depth(f) for f in read_split(options.out / "test.txt")]
    guesses = honest_guesses(truths, named_protocol("eigen"), UNALIGNED)
    RESULTS.write_text(table(rows, {name: mean.abs_rel for name, mean in guesses.items()}))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
