"""Video learnt from random weights in small worlds: what the benchmarks of it share."""

from pathlib import Path

import yaml

from leadline.data.splits import read_split
from leadline.recipes import recipe_text

RECIPE = "monodepth2_m_scratch"
SIZE, RATE = (64, 192), 3e-4
FRAMES: tuple[int | str, ...] = (0, -2, 2)
"""Every second frame: these drives go half a metre to a metre from frame to frame."""
UNMASKED = 200
"""Steps before auto-masking begins."""
VELOCITY_WEIGHT = 0.05
"""That of the paper."""
NETWORKS = (
    f"`{RECIPE}` with the small pose network: ResNet-18 from scratch, a network unit of 50 m, "
    f"first depths at 10 m, no auto-masking before step {UNMASKED}, frames {list(FRAMES)}"
)


def scratch_changes(
    epochs: int, step_size: int, unmasked: int = UNMASKED, frames: tuple[int | str, ...] = FRAMES
) -> tuple[str, ...]:
    """Settings of `RECIPE` for so few steps, over those that all runs share."""
    networks = "--model.predictor.init_args"
    return (
        *(f"--data.height={SIZE[0]}", f"--data.width={SIZE[1]}"),
        *(f"--data.frames={_listed(frames)}", f"{networks}.pose=leadline.networks.pose.PoseCNN"),
        f"--run.epochs={epochs}",
        f"--model.schedule.init_args.step_size={step_size}",
        f"--model.objective.reprojection_at_first.end_step={unmasked}",
        f"--model.objective.reprojection.start_step={unmasked}",
        f"{networks}.depth.init_args.initial_depth=0.2",
    )


def hold_out(out: Path, drives: int) -> None:
    """Splits that keep so many of the last drives apart, every second one: the last to watch while
    training, the others to score. Their cars have been trained on in another drive, as in KITTI's
    splits: from a single image nobody knows how high, and how inclined, an unknown camera sits.
    """
    frames = {
        frame for name in ("train", "val", "test") for frame in read_split(out / f"{name}.txt")
    }
    sequences = sorted({frame.sequence for frame in frames})
    apart, last = set(sequences[: -2 * drives : -2]), sequences[-1]
    lists = {
        "train": [f for f in frames if f.sequence not in apart],
        "val": [f for f in frames if f.sequence == last],
        "test": [f for f in frames if f.sequence in apart - {last} and f.camera == 0],
    }
    for name, listed in lists.items():
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in sorted(listed)))


def _listed(frames: tuple[int | str, ...]) -> str:
    return f"[{','.join(map(str, frames))}]"


def with_velocity(recipe: str, out: Path) -> str:
    """The recipe with the term, as a file."""
    content = yaml.safe_load(recipe_text(recipe))
    content["model"]["objective"]["velocity"] = {
        "term": {"class_path": "leadline.losses.velocity.Velocity"},
        "weight": VELOCITY_WEIGHT,
    }
    path = out / f"{recipe}_velocity.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path)
