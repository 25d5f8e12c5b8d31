"""Does the vehicle's speed give metres? Video with velocity supervision against video without.

`monodepth2_m_scratch` in a world of forty drives, and the same with the velocity term as one more
entry of its objective; three seeds, equal steps. M is scored as it is and scaled by each image's
median, M+v as it is: its claim [packnet] is that it needs no scaling. The weight and the marks were
fixed before the first run: Abs Rel of M+v within 10 % of that of M with medians, recovered scale
within 3 %. Runs resume.

    python benchmarks/velocity.py --out runs/speed --jobs 2
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import small_world
import yaml
from small_world import (
    PROTOCOL,
    SEEDS,
    Row,
    Trial,
    conditions,
    guesses,
    prepare,
    run_all,
)

from leadline.data.splits import read_split
from leadline.evaluation.alignment import Alignment
from leadline.evaluation.run import evaluate_model
from leadline.recipes import recipe_text

RECIPE = "monodepth2_m_scratch"
WORLD = replace(small_world.WORLD, drives=40, frames=10)
HELD_OUT = 6
"""Drives at the end that are scored, by the left camera; the last one is watched while training."""
SIZE, FRAMES, RATE = (64, 192), (0, -2, 2), 3e-4
"""Every second frame: these drives go half a metre to a metre from frame to frame."""
EPOCHS, STEP_SIZE, UNMASKED = 40, 34, 200
"""`UNMASKED`: steps before auto-masking begins."""


def scratch_changes(epochs: int, step_size: int, unmasked: int = UNMASKED) -> tuple[str, ...]:
    """Settings of `RECIPE` for so few steps, over those that all runs share."""
    networks = "--model.predictor.init_args"
    return (
        *(f"--data.height={SIZE[0]}", f"--data.width={SIZE[1]}"),
        *(f"--data.frames={list(FRAMES)}", f"{networks}.pose=leadline.networks.pose.PoseCNN"),
        f"--run.epochs={epochs}",
        f"--model.schedule.init_args.step_size={step_size}",
        f"--model.objective.reprojection_at_first.end_step={unmasked}",
        f"--model.objective.reprojection.start_step={unmasked}",
        f"{networks}.depth.init_args.initial_depth=0.2",
    )


def hold_out(out: Path, drives: int) -> None:
    """Splits that keep the last drives apart."""
    frames = {
        frame for name in ("train", "val", "test") for frame in read_split(out / f"{name}.txt")
    }
    sequences = sorted({frame.sequence for frame in frames})
    apart, last = set(sequences[-drives:]), sequences[-1]
    lists = {
        "train": [f for f in frames if f.sequence not in apart],
        "val": [f for f in frames if f.sequence == last],
        "test": [f for f in frames if f.sequence in apart and f.camera == 0],
    }
    for name, listed in lists.items():
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in sorted(listed)))


WEIGHT = 0.05
"""That of the paper."""
ERROR_MARK, SCALE_MARK = 0.1, 0.03
RESULTS = Path(__file__).with_name("velocity.md")


def with_velocity(recipe: str, out: Path) -> str:
    """The recipe with the term, as a file."""
    content = yaml.safe_load(recipe_text(recipe))
    content["model"]["objective"]["velocity"] = {
        "term": {"class_path": "leadline.losses.velocity.Velocity"},
        "weight": WEIGHT,
    }
    path = out / f"{recipe}_velocity.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path)


def scales(trial: Trial, out: Path) -> Row:
    """Both ways to score one model, and the scale that its predictions lack."""
    run, found = out / trial.folder, {}
    for alignment in ("none", "median"):
        evaluation = evaluate_model(
            run / "model",
            out / "world",
            run / f"evaluation_{alignment}",
            split=out / "test.txt",
            protocol=PROTOCOL,
            alignment=alignment,
        )
        found[alignment] = evaluation.mean.abs_rel
    return {
        "style": trial.name,
        "seed": trial.seed,
        **found,
        "scale": evaluation.median_ratio,
        "spread": evaluation.ratio_spread,
    }


def table(rows: list[Row], no_picture: dict[str, dict[str, float]]) -> str:
    lines = [
        "# Does speed give metres?",
        "",
        f"{conditions(RATE, WORLD)} Departing from that: `{RECIPE}` with the small pose network, "
        "so a network unit of 50 m, first depths at 10 m, and no auto-masking before step "
        f"{UNMASKED}; {SIZE[1]}x{SIZE[0]}, frames {list(FRAMES)}; {EPOCHS} epochs, the rate "
        f"divided by ten after epoch {STEP_SIZE}; {HELD_OUT} drives held out. Velocity "
        f"weighs {WEIGHT}. Seeds {SEEDS}.",
        "",
        "Scale: median over images of median(truth) / median(prediction), 1 if metres are right; "
        "spread: its standard deviation over images, over its median.",
        "",
        "| | seed | Abs Rel, as it is | Abs Rel, by medians | scale | spread |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["style"], row["seed"])):
        cells = [f"{row[key]:.3f}" for key in ("none", "median", "scale", "spread")]
        lines.append(f"| {row['style']} | {row['seed']} | {' | '.join(cells)} |")
    for style in ("M", "M+v"):
        own = [row for row in rows if row["style"] == style]
        cells = [
            f"{np.mean([r[k] for r in own]):.3f} ± {np.std([r[k] for r in own], ddof=1):.3f}"
            for k in ("none", "median", "scale", "spread")
        ]
        lines.append(f"| **{style}** | mean | {' | '.join(cells)} |")
    verdicts = [verdict(rows, seed) for seed in SEEDS]
    for name in no_picture["none"]:
        cells = [f"{no_picture[kind][name]:.3f}" for kind in ("none", "median")]
        lines.append(f"| {name} (no picture) | | {' | '.join(cells)} | | |")
    return "\n".join([*lines, "", *verdicts]) + "\n"


def verdict(rows: list[Row], seed: int) -> str:
    """Whether the marks were met by one seed."""
    by_style = {row["style"]: row for row in rows if row["seed"] == seed}
    metric, scaled = by_style["M+v"], by_style["M"]
    off, lacking = metric["none"] / scaled["median"] - 1, metric["scale"] - 1
    error = "within" if off <= ERROR_MARK else "beyond"
    scale = "within" if abs(lacking) <= SCALE_MARK else "beyond"
    return (
        f"Seed {seed}: Abs Rel of M+v as it is {off:+.1%} of that of M by medians ({error} "
        f"{ERROR_MARK:.0%}), scale {lacking:+.1%} ({scale} {SCALE_MARK:.0%})."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    options = parser.parse_args()
    prepare(options.out, hints={}, settings=WORLD)
    hold_out(options.out, HELD_OUT)
    recipes = {"M": RECIPE, "M+v": with_velocity(RECIPE, options.out)}
    trials = [
        Trial(name, recipe, seed, RATE, changes=scratch_changes(EPOCHS, STEP_SIZE))
        for seed in SEEDS
        for name, recipe in recipes.items()
    ]
    run_all(trials, options.out, options.jobs)
    rows = [scales(trial, options.out) for trial in trials]
    metric, scaled = guesses(options.out), guesses(options.out, Alignment("median"))
    RESULTS.write_text(table(rows, {"none": metric, "median": scaled}))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
