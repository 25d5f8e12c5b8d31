"""How far does one run of the demo stray, and what makes it steadier?

The demo's world, recipe and length; rates and kinds of hints, three seeds each, one thread a run.
Rounding differs from processor to processor, which moves a run as another seed does. Runs resume.

    python benchmarks/demo_steadiness.py --out runs/demo --jobs 2
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from small_world import SEEDS, run_options
from stereo_drive import setting

from leadline.data.sources.detect import open_source, source_config
from leadline.data.splits import read_split
from leadline.data.synthetic.generate import generate
from leadline.demo import FULL, PROTOCOL, RECIPE
from leadline.evaluation.run import evaluate_model
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.method import HintMethod, Mode
from leadline.inference.train_model import train_model
from leadline.training.recipe import read_recipe

RATES = (1e-3, 5e-4)
HINT_MODES: tuple[Mode, ...] = ("consistent", "valid")
TABLE = Path(__file__).with_suffix(".md")


def prepare(out: Path) -> None:
    world = out / "world"
    print(generate(world, FULL.world))
    source = open_source(world)
    frames = [f for name in ("train", "val") for f in read_split(split(out, name))]
    for mode in HINT_MODES:
        method = HintMethod(mode, size=FULL.hint_size)
        print(generate_hints(source_jobs(source, frames).jobs, out / mode, method))


def split(out: Path, name: str) -> Path:
    return out / "world" / "splits" / f"{name}.txt"


def train_and_score(mode: Mode, rate: float, seed: int, out: Path) -> tuple[float, float]:
    """Abs Rel and a1 of one demo."""
    torch.set_num_threads(1)
    run = out / f"{mode}_{rate:g}_{seed}"
    data = {
        "source": source_config(out / "world"),
        "hints": str(out / mode),
        "train_split": str(split(out, "train")),
        "val_split": str(split(out, "val")),
    }
    changes = [f"--seed={seed}", f"--model.optimiser.init_args.lr={rate}", "--run.loggers=[]"]
    model = train_model(read_recipe(RECIPE, {"data": data}, changes), RECIPE, run)
    evaluation = evaluate_model(
        model, out / "world", run / "evaluation", split=split(out, "test"), protocol=PROTOCOL
    )
    print(mode, rate, seed, evaluation.mean.abs_rel, flush=True)
    return evaluation.mean.abs_rel, evaluation.mean.a1


def table(found: dict[tuple[Mode, float, int], tuple[float, float]]) -> str:
    lines = [
        "# How far does one run of the demo stray?",
        "",
        f"`python benchmarks/demo_steadiness.py`. {setting()}; one thread a run. The demo's world, "
        "recipe and length.",
        "",
        f"| hints | rate | {' | '.join(f'seed {seed}' for seed in SEEDS)} | mean | a1, mean |",
        f"|---|---|{'---|' * (len(SEEDS) + 2)}",
    ]
    for mode in HINT_MODES:
        for rate in RATES:
            own = np.array([found[mode, rate, seed] for seed in SEEDS])
            each = " | ".join(f"{value:.3f}" for value in own[:, 0])
            mean, spread = own[:, 0].mean(), own[:, 0].std(ddof=1)
            lines.append(
                f"| `{mode}` | {rate:g} | {each} | {mean:.3f} ± {spread:.3f} | "
                f"{own[:, 1].mean():.3f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    options = run_options(__doc__).parse_args()
    prepare(options.out)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        runs = {
            (mode, rate, seed): pool.submit(train_and_score, mode, rate, seed, options.out)
            for seed in SEEDS
            for mode in HINT_MODES
            for rate in RATES
        }
        found = {name: run.result() for name, run in runs.items()}
    TABLE.write_text(table(found))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
