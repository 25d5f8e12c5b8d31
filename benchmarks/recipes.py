"""Does every recipe learn? Each trained for as many images as the others in one small world.

One seed each: this shows that a recipe works, and roughly what it costs; which of two is better is
a question for several seeds (`styles.py`). The world and the rows are those of `styles.py`, so that
one folder can serve both.

    python benchmarks/recipes.py --out runs/styles --jobs 2
"""

from pathlib import Path

from small_world import (
    LEARNING_RATE,
    Row,
    Trial,
    conditions,
    guesses,
    prepare,
    run_all,
    run_options,
)

from leadline.evaluation.alignment import Alignment

RECIPES = {
    "monodepth2_m": "monodepth2_m",
    "monodepth2_s": "monodepth2_s",
    "monodepth2_ms": "monodepth2_ms",
    # The name under which `styles.py` trains it: the run is shared.
    "soft": "depth_hints_s",
    "depth_hints_ms": "depth_hints_ms",
}
VIDEO = ("monodepth2_m", "monodepth2_ms")
VIDEO_RATE = 2e-4
"""At the rate of the others these end with one depth for all pixels: where the pose network knows
no motion yet, large steps drive depths to where the loss has no gradient."""
RESULTS = Path(__file__).with_name("recipes.md")


def table(rows: list[Row], metric: dict[str, float], scaled: dict[str, float]) -> str:
    lines = [
        "# Does every recipe learn?",
        "",
        f"{conditions()} One seed.",
        "",
        f"{' and '.join(f'`{name}`' for name in VIDEO)} learn at {VIDEO_RATE:g}: at the rate of",
        "the others they ended with one depth for all pixels (the first at the maximum, Abs Rel",
        "0.596 after median scaling; the second at 8.7 m, 0.521).",
        "",
        "Thin: poles, signs, fences, trunks. Occluded: in the right view.",
        "",
        "| recipe | scaling | Abs Rel | a1 | Abs Rel, thin | Abs Rel, occluded | edge F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: list(RECIPES).index(row["style"])):
        details = [
            f"{row[key]:.3f}" if key in row else "" for key in ("thin", "occluded", "edge_f1")
        ]
        cells = [
            *(f"`{RECIPES[row['style']]}`", "none" if "thin" in row else "median"),
            *(f"{row['abs_rel']:.3f}", f"{row['a1']:.3f}", *details),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for scaling, found in (("none", metric), ("median", scaled)):
        lines += [
            f"| {name} (no picture) | {scaling} | {value:.3f} | | | | |"
            for name, value in found.items()
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = run_options(__doc__).parse_args()
    prepare(options.out)
    trials = [
        Trial(name, recipe, 0, VIDEO_RATE if name in VIDEO else LEARNING_RATE)
        for name, recipe in RECIPES.items()
    ]
    rows = run_all(trials, options.out, options.jobs)
    median = Alignment("median")
    RESULTS.write_text(table(rows, guesses(options.out), guesses(options.out, median)))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
