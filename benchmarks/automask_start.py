"""Does auto-masking keep random weights from learning motion? The first steps of video, watched.

`monodepth2_m` from random weights in the world of `styles.py` at 192x64, with auto-masking from the
first step and without it; three seeds. Of every batch: the motion that the pose network says, along
the camera's axis and across it, in shares of the way that was gone, after bringing the predicted
median depth to the true one (the scale of video is free). 1 and 0 are right.

    python benchmarks/automask_start.py --out runs/styles --jobs 2
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from recipes import VIDEO_RATE
from small_world import SEEDS, prepare, run_options
from stereo_drive import setting

from leadline.data.sources.detect import source_config
from leadline.offset import TARGET, Offset
from leadline.training.recipe import build, read_recipe
from leadline.training.step import training_step
from leadline.types import Batch, Predictions

HEIGHT, WIDTH, BATCH, STEPS, WINDOW = 64, 192, 6, 120, 20
TABLE = Path(__file__).with_suffix(".md")


def watch(masked: bool, seed: int, out: Path) -> list[tuple[float, float]]:
    """Motion along and across, of each step."""
    torch.set_num_threads(1)
    networks = "--model.predictor.init_args"
    changes = [
        *(f"--seed={seed}", f"--data.height={HEIGHT}", f"--data.width={WIDTH}"),
        *(f"--data.batch_size={BATCH}", "--data.workers=0", "--data.train_depth=true"),
        *(f"{networks}.{name}.init_args.weights=none" for name in ("depth", "pose")),
        f"--model.objective.reprojection.term.init_args.automask={masked}",
    ]
    data = {"source": source_config(out / "world"), "train_split": str(out / "train.txt")}
    batches, module, _ = build(read_recipe("monodepth2_m", {"data": data}, changes))
    batches.setup()
    optimiser = torch.optim.Adam(module.predictor.parameters(), lr=VIDEO_RATE)
    found = []
    loader = batches.train_dataloader()
    for batch in islice((batch for _ in range(STEPS) for batch in loader), STEPS):
        prepared = batches.on_after_batch_transfer(batch, 0)
        step = training_step(module.predictor, module.explainer, module.objective, prepared)
        found.append(motion(prepared, step.scene.predictions))
        optimiser.zero_grad()
        step.loss.backward()
        optimiser.step()
    return found


def motion(batch: Batch, predictions: Predictions) -> tuple[float, float]:
    """Shares of the way along the camera's axis and across it, means over the batch."""
    assert batch.depth is not None
    depth, before = predictions.depth[TARGET][0].detach(), Offset(-1)
    rows = []
    for i, truth in enumerate(batch.depth):
        scale = truth[truth > 0].median() / depth[i].median()
        # target_to_source of the frame before: the way lies along the axis.
        x, y, z = (scale * predictions.poses[before][i, :3, 3].detach()).tolist()
        way = float(batch.distance[before][i])
        rows.append((z / way, float(np.hypot(x, y)) / way))
    along, across = np.mean(rows, axis=0)
    return float(along), float(across)


def table(found: dict[tuple[bool, int], list[tuple[float, float]]]) -> str:
    starts = range(0, STEPS, WINDOW)
    lines = [
        "# Does auto-masking keep random weights from learning motion?",
        "",
        f"`python benchmarks/automask_start.py`. {setting()}. `monodepth2_m` from random weights "
        f"at {WIDTH}x{HEIGHT}, batches of {BATCH}, Adam {VIDEO_RATE:g}. Motion along the camera's "
        "axis / across it, in shares of the way that was gone, after bringing the predicted median "
        "depth to the true one; means over the steps of the column. 1 / 0 is right.",
        "",
        f"| auto-masking | seed | {' | '.join(f'{s} to {s + WINDOW}' for s in starts)} |",
        f"|---|---|{'---|' * len(starts)}",
    ]
    for (masked, seed), steps in sorted(found.items()):
        means = [np.mean(steps[start : start + WINDOW], axis=0) for start in starts]
        cells = " | ".join(f"{along:.2f} / {across:.2f}" for along, across in means)
        lines.append(f"| {'from the first step' if masked else 'none'} | {seed} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    options = run_options(__doc__).parse_args()
    prepare(options.out, hints={})
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        runs = {
            (masked, seed): pool.submit(watch, masked, seed, options.out)
            for seed in SEEDS
            for masked in (True, False)
        }
        found = {name: run.result() for name, run in runs.items()}
    TABLE.write_text(table(found))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
