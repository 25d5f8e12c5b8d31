"""Which style of proxy supervision wins? Five styles, three seeds, equal steps, one world.

The paper's claim: soft supervision (the hint counts where it explains the picture better) beats
photometric training alone, hints everywhere, and their sum [depth-hints].

Fixed before the first run: the generator's settings, steps, learning rate and what counts as a
win. A style beats another if the mean over seeds of the paired difference is at least twice its
standard error away from 0; anything else is a draw, and is reported as one. With three seeds that
is a lenient rule: chance alone passes it in 18 % of comparisons, so the table also says which
differences pass 4.3 standard errors (5 %). Runs resume; each finished run is one line of
`rows.jsonl`.

    python benchmarks/styles.py --out runs/styles --jobs 2
"""

import argparse
import math
from pathlib import Path

import numpy as np
from small_world import Row, Trial, conditions, guesses, prepare, run_all

STYLES = {
    "self": "depth_hints_s_self",
    "hard": "depth_hints_s_hard",
    "hard + uncertainty": "depth_hints_s_uncertain",
    "sum": "depth_hints_s_sum",
    "soft": "depth_hints_s",
}
SEEDS = (0, 1, 2)
SIGNIFICANT, CERTAIN = 2.0, 4.3
"""Standard errors; by Student's t with two degrees of freedom, 18 % and 5 % by chance."""
FIGURES = ("abs_rel", "thin", "occluded")
RESULTS = Path(__file__).with_name("styles.md")


def paired(rows: list[Row], figure: str, style: str, other: str) -> tuple[float, float]:
    """Mean and standard error over seeds of figure(style) - figure(other)."""
    value = {(row["style"], row["seed"]): row[figure] for row in rows}
    difference = [value[style, seed] - value[other, seed] for seed in SEEDS]
    return float(np.mean(difference)), float(np.std(difference, ddof=1) / math.sqrt(len(SEEDS)))


def values(rows: list[Row], style: str) -> dict[int, float]:
    """Abs Rel by seed."""
    return {row["seed"]: row["abs_rel"] for row in rows if row["style"] == style}


def verdict(mean: float, error: float) -> str:
    """In words, for a figure that should be small."""
    if abs(mean) < SIGNIFICANT * error:
        return "draw"
    word = "wins" if mean < 0 else "loses"
    return word if abs(mean) < CERTAIN * error else f"**{word}**"


def table(rows: list[Row], no_picture: dict[str, float]) -> str:
    lines = [
        "# Which style of proxy supervision wins?",
        "",
        f"{conditions()} Seeds {SEEDS}.",
        "",
        "Mean ± standard deviation over seeds. Thin: poles, signs, fences, trunks. Occluded: "
        "in the right view.",
        "",
        "| style | Abs Rel | Abs Rel, thin | Abs Rel, occluded |",
        "|---|---|---|---|",
    ]
    for style in STYLES:
        own = [row for row in rows if row["style"] == style]
        cells = [
            f"{np.mean([r[f] for r in own]):.3f} ± {np.std([r[f] for r in own], ddof=1):.3f}"
            for f in FIGURES
        ]
        lines.append(f"| {style} | {' | '.join(cells)} |")
    lines += [f"| {name} (no picture) | {value:.3f} | | |" for name, value in no_picture.items()]
    lines += [
        "",
        "Soft minus the other style, paired by seed, mean ± standard error. A verdict needs two "
        "standard errors (fixed before the first run; chance passes it in 18 % of comparisons), a "
        "bold one 4.3 (5 %).",
        "",
    ]
    lines += ["| soft against | Abs Rel | thin | occluded | seeds won |", "|---|---|---|---|---|"]
    for other in STYLES:
        if other == "soft":
            continue
        cells = []
        for figure in FIGURES:
            mean, error = paired(rows, figure, "soft", other)
            cells.append(f"{mean:+.3f} ± {error:.3f} {verdict(mean, error)}")
        won = sum(values(rows, "soft")[seed] < values(rows, other)[seed] for seed in SEEDS)
        lines.append(f"| {other} | {' | '.join(cells)} | {won} of {len(SEEDS)} |")
    lines += ["", "Abs Rel of every run:", "", f"| style | {' | '.join(map(str, SEEDS))} |"]
    lines.append(f"|---{'|---' * len(SEEDS)}|")
    for style in STYLES:
        cells = [f"{values(rows, style)[seed]:.3f}" for seed in SEEDS]
        lines.append(f"| {style} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    options = parser.parse_args()
    prepare(options.out)
    trials = [Trial(style, recipe, seed) for seed in SEEDS for style, recipe in STYLES.items()]
    rows = run_all(trials, options.out, options.jobs)
    RESULTS.write_text(table(rows, guesses(options.out)))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
