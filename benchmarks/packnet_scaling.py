"""Does PackNet gain more than a ResNet from more weights and more pixels? [packnet] says so.

Narrow PackNets (the published form at a quarter and at half of its widths; the full one does not
train on two cores) against ResNet-18 at half width and whole, at two resolutions: eight runs of
`depth_hints_s` in the world of `styles.py`, in which nothing but the network differs. Learning from
pairs, where the paper learns from video: in so few steps what a pose network happens to learn would
decide. Equal steps, rate, first depths and range. The quarter PackNet and the half ResNet have
equally many weights. Runs resume.

    python benchmarks/packnet_scaling.py --out runs/styles --jobs 2
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
from small_world import (
    BATCH,
    INITIAL_DEPTH,
    SEEDS,
    Row,
    Trial,
    conditions,
    guesses,
    prepare,
    run_all,
    run_options,
)

from leadline.networks.backbone import Backbone
from leadline.networks.depth import DepthModule, DepthNetwork
from leadline.networks.packnet import PackNet

RATE, EPOCHS, STEP_SIZE = 5e-4, 12, 10
SIZES = ((64, 192), (96, 320))
PACKNETS: dict[str, tuple[tuple[int, int, int, int, int], int]] = {
    "PackNet, quarter": ((16, 16, 32, 64, 128), 4),
    "PackNet, half": ((32, 32, 64, 128, 256), 4),
}
"""Widths and 3-D features: with 8 of these the quarter has too few channels to normalise."""
RESNETS = ("ResNet-18, half", "ResNet-18")
TABLE = Path(__file__).with_suffix(".md")
FINDINGS = """
For the claim: twice the channels help PackNet at both sizes, a ResNet only at the smaller one, and
PackNet draws edges where depth jumps many times better than a ResNet of equally many weights.
Against it: in Abs Rel a ResNet of equally many weights is ahead at both sizes, at less than half
the cost, and more pixels made both PackNets worse. The larger size was seen with one seed only,
which decides no difference of a few hundredths. These are 576 steps from scratch; the paper trains
for a hundred epochs, and what is not learnt yet may come.
"""
_DEPTH = "--model.predictor.init_args.depth"


def half_resnet(out: Path) -> Path:
    """The architecture of ResNet-18 with half its channels."""
    content = json.loads(Backbone("resnet18", "none").architecture())
    content["hidden_sizes"] = [width // 2 for width in content["hidden_sizes"]]
    content["embedding_size"] //= 2
    path = out / "half_resnet18.json"
    path.write_text(json.dumps(content))
    return path


def settings(name: str, size: tuple[int, int], half: Path) -> tuple[str, ...]:
    """What differs from `depth_hints_s`."""
    height, width = size
    own: tuple[str, ...] = ()
    if name in PACKNETS:
        widths, features = PACKNETS[name]
        own = (
            f"{_DEPTH}=leadline.networks.packnet.PackNet",
            f"{_DEPTH}.init_args.widths={list(widths)}",
            f"{_DEPTH}.init_args.features={features}",
            *(f"{_DEPTH}.init_args.minimum_depth=0.1", f"{_DEPTH}.init_args.maximum_depth=100"),
            f"{_DEPTH}.init_args.initial_depth={INITIAL_DEPTH}",
        )
    elif name == RESNETS[0]:
        own = (f"{_DEPTH}.init_args.backbone={half}",)
    return (
        *own,
        *(f"--data.height={height}", f"--data.width={width}"),
        *(f"--run.epochs={EPOCHS}", f"--model.schedule.init_args.step_size={STEP_SIZE}"),
    )


def network(name: str, half: Path) -> DepthModule:
    if name in PACKNETS:
        return PackNet(*PACKNETS[name])
    return DepthNetwork(str(half) if name == RESNETS[0] else "resnet18", "none")


def cost(built: DepthModule, size: tuple[int, int]) -> float:
    """CPU seconds per image of a network's step, the least of three, on one thread."""
    torch.set_num_threads(1)
    images, seconds = torch.rand(BATCH, 3, *size), []
    for _ in range(3):
        start = time.process_time()
        torch.stack([d.mean() for d in built(images).depth.values()]).sum().backward()
        seconds.append(time.process_time() - start)
    return min(seconds) / BATCH


def label(name: str, size: tuple[int, int]) -> str:
    return f"{name} at {size[1]}x{size[0]}"


def table(rows: list[Row], no_picture: dict[str, float], half: Path) -> str:
    lines = [
        "# Does PackNet gain more than a ResNet from more weights and more pixels?",
        "",
        conditions(
            RATE,
            schedule=(EPOCHS, STEP_SIZE),
            size="the sizes of the table",
            rows=rows,
            networks="`depth_hints_s` with the networks of the table from scratch, first depths at "
            f"{INITIAL_DEPTH:g} network units",
        )
        + f" Mean ± standard deviation over seeds {SEEDS} at the smaller size, seed {SEEDS[0]} at "
        "the larger. Cost: CPU time of the network's step per image, one thread.",
        "",
        "| network | weights | size | cost | Abs Rel | a1 | thin | edge F1 |",
        "|---|---:|---|---:|---|---|---|---|",
    ]
    for name in (*PACKNETS, *RESNETS):
        built = network(name, half)
        weights = sum(p.numel() for p in built.parameters()) / 1e6
        for size in SIZES:
            own = [row for row in rows if row["style"] == label(name, size)]
            figures = [
                spread([row[key] for row in own]) for key in ("abs_rel", "a1", "thin", "edge_f1")
            ]
            lines.append(
                f"| {name} | {weights:.1f} M | {size[1]}x{size[0]} | "
                f"{1000 * cost(built, size):.0f} ms | {' | '.join(figures)} |"
            )
    lines += [f"| {k} (no picture) | | | | {v:.3f} | | | |" for k, v in no_picture.items()]
    return "\n".join([*lines, "", *gains(rows)]) + f"\n{FINDINGS}"


def spread(values: list[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.3f}"


def gains(rows: list[Row]) -> list[str]:
    """What twice the channels and more pixels change, family by family."""
    value = {(row["style"], row["seed"]): row["abs_rel"] for row in rows}
    lines = []
    for family, (narrow, wide) in (("PackNet", tuple(PACKNETS)), ("ResNet", RESNETS)):
        wider = [
            value[label(wide, SIZES[0]), seed] - value[label(narrow, SIZES[0]), seed]
            for seed in SEEDS
        ]
        first = SEEDS[0]
        large = value[label(wide, SIZES[1]), first] - value[label(narrow, SIZES[1]), first]
        pixels = [
            f"{value[label(name, SIZES[1]), first] - value[label(name, SIZES[0]), first]:+.3f}"
            for name in (narrow, wide)
        ]
        lines.append(
            f"- {family}: twice the channels change Abs Rel by {np.mean(wider):+.3f} ± "
            f"{np.std(wider, ddof=1) / np.sqrt(len(wider)):.3f} (standard error) at the smaller "
            f"size, by {large:+.3f} at the larger; the larger size changes it by "
            f"{' and '.join(pixels)} at the smaller and the larger width (seed {first})."
        )
    return lines


def main() -> None:
    options = run_options(__doc__).parse_args()
    out = options.out.resolve()
    prepare(out)
    half = half_resnet(out)
    # The longest first, so that two processes end at about the same time.
    trials = [
        Trial(label(name, size), "depth_hints_s", seed, RATE, changes=settings(name, size, half))
        for size, seeds in ((SIZES[1], SEEDS[:1]), (SIZES[0], SEEDS))
        for name in (*reversed(PACKNETS), *reversed(RESNETS))
        for seed in seeds
    ]
    rows = run_all(trials, out, options.jobs)
    TABLE.write_text(table(rows, guesses(out), half))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
