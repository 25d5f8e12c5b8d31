"""Metres from the speed of a real drive: seven frames of KITTI with oxts, poses and LiDAR.

First the way by speed and time against the way by the poses. Then M+v is trained on these very
frames, which proves the path and no accuracy: what is scored was trained on, without its LiDAR. The
recipe is `monodepth2_m_scratch` with the velocity term as one more entry of its objective; with
another backbone; from a model of the synthetic world, as [packnet] starts on KITTI from one of
Cityscapes; and the recipe without the term. Abs Rel as it is and by medians, the scale that the
predictions lack, the error of the learnt motions' lengths.

    python benchmarks/real_velocity.py --out runs/real_velocity [--start runs/speed/M+v_0/model]
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from small_video import RECIPE, with_velocity
from stereo_drive import PNG_DRIVE, data_argument, setting

from leadline.data.sources.base import FrameId
from leadline.data.sources.detect import source_config
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.kitti_motion import DriveMotion
from leadline.evaluation.run import evaluate_model
from leadline.inference.train_model import train_model
from leadline.training.curves import read_curves
from leadline.training.recipe import read_recipe
from leadline.training.run_folder import CURVES

HEIGHT, WIDTH, BATCH, RATE = 96, 320, 2, 2e-4
EPOCHS, STEP_SIZE, UNMASKED = 50, 40, 100
"""Ten images, five frames with both neighbours by two cameras: five steps an epoch."""
UNMASKED_AT_FIRST = (
    f"--model.objective.reprojection_at_first.end_step={UNMASKED}",
    f"--model.objective.reprojection.start_step={UNMASKED}",
)
MARK = 0.02
PROTOCOL = "eigen"
TABLE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Way:
    """One step of a drive, in metres by two records of it."""

    frames: tuple[int, int]
    by_speed: float
    """By the camera's clock, at which the pictures were taken."""
    by_oxts: float
    """By the clock of oxts, at which the poses were."""
    by_poses: float


@dataclass(frozen=True)
class Run:
    name: str
    recipe: str = RECIPE
    velocity: bool = True
    backbone: str = "resnet18"
    start: Path | None = None


def ways(source: KittiRaw, frames: Sequence[FrameId]) -> Iterator[Way]:
    oxts = DriveMotion(source.root / frames[0].sequence, "oxts")
    for one, other in pairwise(frames):
        motion = source.target_to_source(one, other)
        assert motion is not None
        metres = float(np.linalg.norm(motion[:3, 3]))
        indices = one.index, other.index
        yield Way(indices, source.distance(one, other), oxts.distance(*indices), metres)


def train(run: Run, root: Path, out: Path) -> Path:
    """The model folder of a run, on one thread; goes on where it was cut off."""
    recipe = with_velocity(run.recipe, out) if run.velocity else run.recipe
    networks = "--model.predictor.init_args"
    changes = [
        *(f"--data.height={HEIGHT}", f"--data.width={WIDTH}", f"--data.batch_size={BATCH}"),
        *("--data.workers=0", f"{networks}.depth.init_args.backbone={run.backbone}"),
        *(f"{networks}.{name}.init_args.weights=none" for name in ("depth", "pose")),
        *(UNMASKED_AT_FIRST if run.recipe == RECIPE else ()),
        f"--model.optimiser.init_args.lr={RATE}",
        *(f"--run.epochs={EPOCHS}", f"--model.schedule.init_args.step_size={STEP_SIZE}"),
        *("--run.loggers=[]", "--run.checkpoint_every=100000", "--run.pictures_every=100"),
        *(_starting_from(run.start) if run.start is not None else ()),
    ]
    lists = {f"{name}_split": str(out / f"{name}.txt") for name in ("train", "val")}
    data = {"source": source_config(root), **lists}
    config = read_recipe(recipe, {"data": data}, changes)
    return train_model(config, run.name, out / run.name.replace(" ", "_").replace("`", "") / "run")


def _starting_from(model: Path) -> tuple[str, ...]:
    """A model of `velocity.py`, which has the small pose network."""
    return (
        "--model.predictor.init_args.pose=leadline.networks.pose.PoseCNN",
        f"--run.init_from={model.resolve()}",
    )


def figures(model: Path, root: Path, out: Path) -> tuple[float, float, float, float]:
    """Abs Rel as it is and by medians, and the scale that it lacks, of the left camera; metres by
    which the learnt motions are too long or too short, at the end of training.
    """
    found = [
        evaluate_model(
            model,
            root,
            out / f"evaluation_{alignment}",
            split=out.parent / "left.txt",
            protocol=PROTOCOL,
            alignment=alignment,
        )
        for alignment in ("none", "median")
    ]
    assert found[0].median_ratio is not None
    lengths = [v for _, name, v in read_curves(out / "run" / CURVES) if name == "val/velocity"]
    off = lengths[-1] if lengths else float("nan")
    return found[0].mean.abs_rel, found[1].mean.abs_rel, found[0].median_ratio, off


def table(steps: list[Way], rows: dict[str, tuple[float, float, float, float]]) -> str:
    names = ("by_speed", "by_oxts", "by_poses")
    speed, oxts, poses = (sum(getattr(way, name) for way in steps) for name in names)
    within = "within" if abs(oxts / poses - 1) <= MARK else "beyond"
    lines = [
        "# Metres from the speed of a real drive",
        "",
        f"`python benchmarks/real_velocity.py`. {setting()}.",
        "",
        f"## The way of {PNG_DRIVE}",
        "",
        "Poses are those of oxts, which takes a sample every 10 ms: up to 5 ms beside the picture. "
        "Training goes by the clock of the pictures.",
        "",
        "| frames | poses, m | speed x time of oxts | speed x time of the camera |",
        "|---|---:|---:|---:|",
        *(
            f"| {way.frames[0]} to {way.frames[1]} | {way.by_poses:.3f} | "
            f"{_beside(way.by_oxts, way.by_poses)} | {_beside(way.by_speed, way.by_poses)} |"
            for way in steps
        ),
        f"| all | {poses:.3f} | {_beside(oxts, poses)}, {within} {MARK:.0%} | "
        f"{_beside(speed, poses)} |",
        "",
        "## Trained on these frames",
        "",
        f"Seven frames, of which five have both neighbours, two cameras: {EPOCHS} epochs of five "
        f"steps, {WIDTH}x{HEIGHT}, Adam {RATE:g}, from random weights. `{RECIPE}` unless said, "
        f"auto-masking from step {UNMASKED}. Scored on the same frames by their LiDAR "
        f"({PROTOCOL}), which took no part: this proves the path, not the accuracy. The drive is "
        "one of the test drives of Eigen's split: no figure here can be compared with a published "
        "one. Scale: median over images of median(truth) / median(prediction). Lengths: by how "
        "much the learnt motions differ in length from speed x time, mean. One seed.",
        "",
        "| | Abs Rel, as it is | Abs Rel, by medians | scale | lengths, m |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {none:.3f} | {median:.3f} | {scale:.3f} | "
            f"{'' if np.isnan(off) else f'{off:.3f}'} |"
            for name, (none, median, scale, off) in rows.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _beside(metres: float, poses: float) -> str:
    return f"{metres:.3f} ({metres / poses - 1:+.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_argument(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="model of M+v in the synthetic world")
    options = parser.parse_args()
    torch.set_num_threads(1)
    root, out = (options.data / "kitti_raw").resolve(), options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    source = KittiRaw(root, temporal_poses=True)
    frames = [frame for frame in source.frames if frame.sequence.endswith(PNG_DRIVE)]
    left = [frame for frame in frames if frame.camera == 0]
    for name, listed in (("train", frames), ("val", frames), ("left", left)):
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in listed))
    runs = [
        Run("M", velocity=False),
        Run("M+v"),
        Run("M+v, Swin v2", backbone="swinv2-tiny"),
        Run("M+v by `monodepth2_m`", recipe="monodepth2_m"),
    ]
    if options.start is not None:
        runs.append(Run("M+v, from the synthetic world", start=options.start))
    rows = {}
    for run in runs:
        model = train(run, root, out)
        rows[run.name] = figures(model, root, model.parents[1])
        print(run.name, rows[run.name], flush=True)
    TABLE.write_text(table(list(ways(source, left)), rows))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
