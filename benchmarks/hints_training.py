"""Do networks learn more from the default hints than from the published, and does confidence help?

`depth_hints_s` on hints of each mode, three seeds, equal steps, one world, that of `styles.py`.
Fixed before the first run: the world, steps, learning rate, and what counts as a win, which is that
of `styles.py`: two standard errors of the difference paired by seed. Runs resume.

The rate is half of that of `styles.py`, at which nine runs had been made before: the losses of some
rose in their first steps, which says more of the rate than of hints (see the end of the page).

    python benchmarks/hints_training.py --out runs/hints --jobs 2
"""

from dataclasses import dataclass
from pathlib import Path

from small_world import (
    HINTS_SIZE,
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

from leadline.hints.match import PUBLISHED_SETTINGS
from leadline.hints.method import HintMethod


@dataclass(frozen=True)
class Kind:
    """What a network learns from."""

    folder: str
    method: HintMethod
    recipe: str = "depth_hints_s"


_CONSISTENT = HintMethod(size=HINTS_SIZE)
KINDS = {
    "published": Kind("published", HintMethod("published", PUBLISHED_SETTINGS, HINTS_SIZE)),
    "valid": Kind("valid", HintMethod("valid", size=HINTS_SIZE)),
    "consistent": Kind("consistent", _CONSISTENT),
    "consistent, weighted by confidence": Kind(
        "consistent", _CONSISTENT, "depth_hints_s_confidence"
    ),
}
RATE = 5e-4
COMPARED = (
    ("consistent", "published"),
    ("consistent", "valid"),
    ("valid", "published"),
    ("consistent, weighted by confidence", "consistent"),
    ("consistent, weighted by confidence", "published"),
)
BEFORE = (
    "Nine runs before these at 1e-3, Abs Rel of seeds 0, 1, 2: published 0.371, 0.341, 0.374;",
    "valid 0.371, 0.385, 0.395; consistent 0.351, 0.364, 0.385. Consistent - published +0.005 ±",
    "0.013, a draw; consistent - valid -0.017 ± 0.004, a win.",
    "",
    "Confidence was written at sixteen levels in these runs, at six since.",
)
"""In the same world with the same hints."""
RESULTS = Path(__file__).with_name("hints_training.md")


def table(rows: list[Row], no_picture: dict[str, float]) -> str:
    lines = [
        "# What networks learn from hints of each kind",
        "",
        f"{conditions(RATE)} Seeds {SEEDS}. Hints at {HINTS_SIZE[1]}x{HINTS_SIZE[0]}.",
        "",
        "Mean ± standard deviation over seeds. Thin: poles, signs, fences, trunks. Occluded: "
        "in the right view.",
        "",
        *means_table(rows, list(KINDS), "hints", no_picture),
        "",
        "First minus second, paired by seed, mean ± standard error. A verdict needs two standard "
        "errors (chance passes it in 18 % of comparisons), a bold one 4.3 (5 %).",
        "",
        "| | Abs Rel | thin | occluded | seeds won |",
        "|---|---|---|---|---|",
        *(f"| {one} - {other} | {compared(rows, one, other)} |" for one, other in COMPARED),
        "",
        *every_run(rows, list(KINDS)),
        "",
        *BEFORE,
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = run_options(__doc__).parse_args()
    prepare(options.out, {kind.folder: kind.method for kind in KINDS.values()})
    trials = [
        Trial(name, kind.recipe, seed, RATE, kind.folder)
        for name, kind in KINDS.items()
        for seed in SEEDS
    ]
    rows = run_all(trials, options.out, options.jobs)
    RESULTS.write_text(table(rows, guesses(options.out)))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
