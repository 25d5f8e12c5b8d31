"""Who teaches best: truth, hints, or the pictures themselves? One network, equal steps.

The depth network of [monodepth2] in the world of `styles.py`, from random weights, taught by the
exact depth of every pixel (`monodepth2_supervised`), by hints beside the pictures (`depth_hints_s`)
and by the pictures alone (`depth_hints_s_self`); same unit, size, batches, rate and steps, three
seeds. Then by as much of the truth as a LiDAR sees: one pixel in a hundred, drawn once. What truth
is worth, and what a stereo rig gives of it for nothing. Runs resume.

    python benchmarks/teachers.py --out runs/styles --jobs 2
"""

from pathlib import Path

import numpy as np
from small_world import (
    LEARNING_RATE,
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

from leadline.data.depth_files import write_depth
from leadline.data.sources.detect import open_source
from leadline.data.sources.list_files import write_list
from leadline.data.splits import read_split

TRUTH, SPARSE, HINTS, PICTURES = "truth", "a hundredth of it", "hints", "pictures alone"
SHARE = 0.01
TABLE = Path(__file__).with_suffix(".md")


def sparse_list(out: Path) -> Path:
    """The frames trained on with a hundredth of their depth, as a list."""
    folder, source = out / "sparse", open_source(out / "world")
    folder.mkdir(exist_ok=True)
    lines = []
    for number, frame in enumerate(read_split(out / "train.txt")):
        depth = source.true_depth(frame)
        assert depth is not None
        kept = np.random.default_rng(number).random(depth.shape) < SHARE
        name = f"{number:04d}.npy"
        write_depth(folder / name, depth * kept)
        image = source.image_path(frame).relative_to(out)
        lines.append((str(image), f"sparse/{name}", None))
    write_list(out / "sparse.txt", lines)
    return out / "sparse.txt"


def trials(out: Path, seed: int) -> list[Trial]:
    listed = "leadline.data.sources.listed.ListedFrames"
    few = (
        f"--data.source={listed}",
        f"--data.source.init_args.root={out / 'sparse.txt'}",
        *("--data.train_split=null", "--data.val_split=null", "--data.val_share=0"),
    )
    supervised = "monodepth2_supervised"
    return [
        Trial(TRUTH, supervised, seed),
        Trial(SPARSE, supervised, seed, changes=few),
        Trial(HINTS, "depth_hints_s", seed),
        Trial(PICTURES, "depth_hints_s_self", seed),
    ]


def table(rows: list[Row], no_picture: dict[str, float]) -> str:
    teachers = (TRUTH, SPARSE, HINTS, PICTURES)
    lines = [
        "# Who teaches best?",
        "",
        f"`python benchmarks/teachers.py`. {conditions(LEARNING_RATE, rows=rows)} Seeds {SEEDS}. "
        "Mean ± standard deviation over seeds.",
        "",
        *means_table(rows, teachers, "teacher", no_picture),
        "",
        f"Each minus `{TRUTH}`, paired by seed, mean ± standard error.",
        "",
        "| teacher | Abs Rel | thin | occluded | seeds won |",
        "|---|---|---|---|---|",
        *(f"| {name} | {compared(rows, name, TRUTH)} |" for name in teachers[1:]),
        "",
        *every_run(rows, list(teachers)),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = run_options(__doc__).parse_args()
    out = options.out.resolve()
    prepare(out)
    sparse_list(out)
    everything = [trial for seed in SEEDS for trial in trials(out, seed)]
    rows = run_all(everything, out, options.jobs)
    TABLE.write_text(table(rows, guesses(out)))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
