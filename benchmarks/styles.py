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

from pathlib import Path

from small_world import (
    SEEDS,
    Row,
    Trial,
    compared,
    conditions,
    every_run,
    guesses,
    means_table,
    prepare,
    run_all,
    run_options,
)

STYLES = {
    "self": "depth_hints_s_self",
    "hard": "depth_hints_s_hard",
    "hard + uncertainty": "depth_hints_s_uncertain",
    "sum": "depth_hints_s_sum",
    "soft": "depth_hints_s",
}
RESULTS = Path(__file__).with_name("styles.md")


def table(rows: list[Row], no_picture: dict[str, float]) -> str:
    lines = [
        "# Which style of proxy supervision wins?",
        "",
        f"{conditions()} Seeds {SEEDS}.",
        "",
        "Mean ± standard deviation over seeds. Thin: poles, signs, fences, trunks. Occluded: "
        "in the right view.",
        "",
        *means_table(rows, list(STYLES), "style", no_picture),
        "",
        "Soft minus the other style, paired by seed, mean ± standard error. A verdict needs two "
        "standard errors (fixed before the first run; chance passes it in 18 % of comparisons), a "
        "bold one 4.3 (5 %).",
        "",
    ]
    lines += ["| soft against | Abs Rel | thin | occluded | seeds won |", "|---|---|---|---|---|"]
    others = [style for style in STYLES if style != "soft"]
    lines += [f"| {other} | {compared(rows, 'soft', other)} |" for other in others]
    lines += ["", *every_run(rows, list(STYLES))]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = run_options(__doc__).parse_args()
    prepare(options.out)
    trials = [Trial(style, recipe, seed) for seed in SEEDS for style, recipe in STYLES.items()]
    rows = run_all(trials, options.out, options.jobs)
    RESULTS.write_text(table(rows, guesses(options.out)))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
