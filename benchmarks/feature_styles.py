"""Feature-metric alone, photometric alone, or both? And hints beside and on top of them.

The question that readers of [featdepth] are left with, asked where its claim should show: a world
whose walls and roads have next to no texture, and whose exposure hunts. Stereo video (`frames: [0,
-1, 1, stereo]`), the networks of [monodepth2], features of autoencoders that were trained on the
same drives, one for each seed. Equal steps, three seeds; scored in metres without scaling, over all
pixels, over those without texture, on thin structures and where the right view occludes.

Fixed before the first run: world, steps, rate, what is textureless, weights, and the verdicts of
`styles.py` (two standard errors of the paired difference are a win, 4.3 a certain one). The
published weight of features beside colours is 0.001; `evenly` weighs both alike, as far as a number
chosen beforehand can. Runs resume, and share world and features with `feature_basin.py` in the same
folder.

    python benchmarks/feature_styles.py --out runs/features --jobs 2
"""

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from feature_basin import BACKBONE, WORLD, features_run, train_features
from landscape import TEXTURELESS, WINDOW, contrast
from small_world import (
    FIGURES,
    LEARNING_RATE,
    PROTOCOL,
    SEEDS,
    Row,
    Trial,
    compared,
    conditions,
    every_run,
    finished,
    guesses,
    prepare,
    run_all,
    run_options,
    spread,
    train_and_score,
)

from leadline.data.image_files import read_picture
from leadline.data.sources.detect import open_source, source_config
from leadline.data.splits import read_split
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.run import PREDICTIONS, TRUTH
from leadline.metrics import region_abs_rel
from leadline.networks.trained_part import RUN_MODEL
from leadline.recipes import recipe_text

PUBLISHED, EVENLY = 0.001, 0.3
"""Weights of features beside a photometric error of weight 1."""
CALIBRATION = "photometric, calibrated"
STYLES: Mapping[str, tuple[str, float, float]] = {
    "photometric": ("monodepth2_ms", 1.0, 0.0),
    CALIBRATION: ("monodepth2_ms", 1.0, 0.0),
    "features": ("monodepth2_ms", 0.0, 1.0),
    "both": ("monodepth2_ms", 1.0, PUBLISHED),
    "both, evenly": ("monodepth2_ms", 1.0, EVENLY),
    "hints": ("depth_hints_ms", 1.0, 0.0),
    "hints and features": ("depth_hints_ms", 1.0, EVENLY),
}
"""Recipe, weight of the photometric term and of features."""
TABLE = Path(__file__).with_suffix(".md")
FINDINGS = """
What wins: hints, by far, overall, on thin structures and where there is no texture. Features beside
them change nothing that three seeds could show. Without hints 400 steps from scratch do not reach
even the best constant, which knows the truth: among those styles the table says how learning
begins, not how it ends. Features alone stray most (0.43 to 0.74; one seed is the best of all
without hints, and one the worst): where they agree they lead, and nothing keeps them from agreeing
elsewhere. The published small weight beside colours helps in one seed of three; weighing both alike
is as good as colours alone and a little steadier. Calibrating the brightness of each source costs
0.04 to 0.11: one more network is to be learnt, and gain and offset first explain what depth should.
"""
"""What was seen in the run."""
TEXTURELESS_FIGURE = "textureless"
FIGURES_HERE = (*FIGURES, TEXTURELESS_FIGURE)


def recipe_file(style: str, seed: int, out: Path) -> Path:
    """A recipe with and without colours, features and calibration, as a file; its name begins as
    that of the recipe, by which it is known whether it learns from hints.
    """
    base, colours, weight = STYLES[style]
    features = features_run("synthetic", "learned", out, seed) / RUN_MODEL
    content = yaml.safe_load(recipe_text(base))
    networks, objective = content["model"]["predictor"]["init_args"], content["model"]["objective"]
    if not colours:
        del objective["reprojection"]
    if weight:
        networks["extractor"] = {
            "class_path": "leadline.networks.features.FrozenAutoencoder",
            "init_args": {"backbone": BACKBONE, "trained": str(features)},
        }
        objective["features"] = _term("features.FeatureReprojection", weight)
    if style == CALIBRATION:
        networks["brightness"] = {"class_path": "leadline.networks.brightness.BrightnessNetwork"}
        objective["brightness"] = _term("brightness.BrightnessPrior", 0.01)
    # The seed tells features apart, and nothing else.
    own = f"_{seed}" if weight else ""
    path = out / f"{base}_{style.replace(' ', '_').replace(',', '')}{own}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _term(name: str, weight: float) -> dict[str, Any]:
    return {"term": {"class_path": f"leadline.losses.{name}"}, "weight": weight}


def train_and_score_textureless(trial: Trial, out: Path) -> Row:
    return train_and_score(trial, out) | {TEXTURELESS_FIGURE: textureless(trial, out)}


def textureless(trial: Trial, out: Path) -> float:
    """Abs Rel of a finished run where there is no texture, mean over images."""
    folder, source = out / trial.folder / "evaluation", open_source(out / "world")
    predicted, true = open_predictions(folder / PREDICTIONS)[0], open_truth(folder / TRUTH)
    protocol, found = named_protocol(PROTOCOL), []
    for frame in read_split(out / "test.txt"):
        picture = torch.from_numpy(read_picture(source.image_path(frame))).movedim(-1, 0)[None]
        truth = true.read(str(frame))
        region = protocol.mask(truth) & (contrast(picture.float() / 255) <= TEXTURELESS)
        if region.any():
            depth = protocol.clamp(predicted.read(str(frame)))
            found.append(region_abs_rel(depth, truth, region))
    return float(np.mean(found))


def table(rows: list[Row], no_picture: dict[str, float]) -> str:
    lines = [
        "# Feature-metric, photometric, or both?",
        "",
        f"`python benchmarks/feature_styles.py`. {conditions(LEARNING_RATE, WORLD, rows=rows)} "
        "Stereo video; plain surfaces, exposure that hunts by "
        f"{WORLD.exposure_drift:.0%} within one to two seconds. Seeds {SEEDS}.",
        "",
        f"Textureless: brightness varies by at most {TEXTURELESS} (of 1) within {WINDOW}x{WINDOW} "
        "pixels. Features weigh 1 alone, "
        f"{PUBLISHED:g} in `both` as published, {EVENLY:g} in `evenly` and beside hints. Mean ± "
        "standard deviation over seeds.",
        "",
        "| style | Abs Rel | thin | occluded | textureless |",
        "|---|---|---|---|---|",
    ]
    for style in STYLES:
        own = [row[TEXTURELESS_FIGURE] for row in rows if row["style"] == style]
        cells = f"{np.mean(own):.3f} ± {np.std(own, ddof=1):.3f}"
        lines.append(f"| {style} | {spread(rows, style)} | {cells} |")
    lines += [f"| {name} (no picture) | {value:.3f} | | | |" for name, value in no_picture.items()]
    lines += [
        "",
        "Each style minus `photometric`, paired by seed, mean ± standard error; textureless last.",
        "",
        "| style | Abs Rel | thin | occluded | textureless | seeds won |",
        "|---|---|---|---|---|---|",
    ]
    for style in STYLES:
        if style != "photometric":
            lines.append(f"| {style} | {compared(rows, style, 'photometric', FIGURES_HERE)} |")
    return "\n".join([*lines, "", *every_run(rows, list(STYLES))]) + f"\n{FINDINGS}"


def trials(out: Path) -> list[Trial]:
    """All styles of a seed, then those of the next."""
    return [
        Trial(style, str(recipe_file(style, seed, out)), seed) for seed in SEEDS for style in STYLES
    ]


def seeds_without_features(everything: Sequence[Trial], out: Path) -> set[int]:
    """Those of runs that are still to be made and compare features."""
    done = {(row["style"], row["seed"]) for row in finished(everything, out)}
    return {
        trial.seed
        for trial in everything
        if STYLES[trial.name][2] and (trial.name, trial.seed) not in done
    }


def main() -> None:
    options = run_options(__doc__).parse_args()
    out = options.out.resolve()
    prepare(out, settings=WORLD)
    (out / "synthetic.txt").write_text((out / "train.txt").read_text())
    everything = trials(out)
    source, context = source_config(out / "world"), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        runs = [
            pool.submit(train_features, "synthetic", "learned", source, out, seed)
            for seed in sorted(seeds_without_features(everything, out))
        ]
        for run in runs:
            run.result()
    rows = run_all(everything, out, options.jobs, train_and_score_textureless)
    TABLE.write_text(table(rows, guesses(out)))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
