"""Does the vehicle's speed give metres? Video with velocity supervision against video without.

`monodepth2_m` in the world of `styles.py`, and the same with the velocity term as one more entry of
its objective; three seeds, equal steps. M is scored as it is and scaled by each image's median, M+v
as it is: its claim [packnet] is that it needs no scaling. Fixed before the first run: the world,
steps, rate (that at which video learns there, see `recipes.py`), weight, and the marks: Abs Rel of
M+v within 10 % of that of M with medians, recovered scale within 3 %. Runs resume.

    python benchmarks/velocity.py --out runs/styles --jobs 2
"""

import argparse
from pathlib import Path

import numpy as np
import yaml
from recipes import VIDEO_RATE
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

from leadline.evaluation.alignment import Alignment
from leadline.evaluation.run import evaluate_model
from leadline.recipes import recipe_text

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
        f"{conditions(VIDEO_RATE)} Velocity weighs {WEIGHT}. Seeds {SEEDS}.",
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
    prepare(options.out)
    recipes = {"M": "monodepth2_m", "M+v": with_velocity("monodepth2_m", options.out)}
    trials = [
        Trial(name, recipe, seed, VIDEO_RATE) for seed in SEEDS for name, recipe in recipes.items()
    ]
    run_all(trials, options.out, options.jobs)
    rows = [scales(trial, options.out) for trial in trials]
    metric, scaled = guesses(options.out), guesses(options.out, Alignment("median"))
    RESULTS.write_text(table(rows, {"none": metric, "median": scaled}))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
