"""What does each recipe's training step cost, per image, and where does the time go?

Every recipe of learned features and its kin beside Monodepth2's, on the same backbone (ResNet-18
in the place of whatever the recipe names) and size, with photographs. The recipes take turns, so
that a busy machine slows all alike; the least of the repeats counts. Parts are timed apart in the
same way: networks forward, errors of explanations, losses, backward, optimiser. `banet` is given
made-up depths and motion: its cost does not depend on them. `--record` adds the table to
recipe_cost.md.

    python benchmarks/recipe_cost.py [--batch 2] [--repeats 5] [--threads 2] [--device cpu]
        [--record]
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from stereo_drive import (
    HEIGHT,
    JPEG_DRIVE,
    WIDTH,
    data_argument,
    device_argument,
    left_frames,
    open_drives,
    record,
    setting,
    synchronize,
)

from leadline.data.augment import Augmentation, apply_jitter
from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset
from leadline.data.sources.detect import source_config
from leadline.offset import TARGET, Offset
from leadline.recipes import recipe_text
from leadline.training.module import DepthTraining
from leadline.training.recipe import read_recipe
from leadline.training.step import EXPLANATIONS
from leadline.types import Batch, Scene

RECIPES: Mapping[str, str] = {
    **dict.fromkeys(("monodepth2_s", "featdepth_autoencoder"), "monodepth2_s"),
    **dict.fromkeys(("monodepth2_m", "monodepth2_m_brightness", "featdepth_m"), "monodepth2_m"),
    "banet": "monodepth2_m",
    **dict.fromkeys(("monodepth2_ms", "featdepth_ms", "featdepth_joint"), "monodepth2_ms"),
    "dfr_ms": "monodepth2_ms",
}
"""By recipe, that of Monodepth2 that it is set beside: the one with the same frames, or nearest."""
BACKBONE = "resnet18"
PARTS = ("networks", "errors", "losses", "backward", "optimiser")
MADE_UP_DEPTH, MADE_UP_STEP = 10.0, 0.1
"""Metres: of every pixel, and of the camera to the right."""
TABLE = Path(__file__).with_suffix(".md")


def changes(recipe: str) -> list[str]:
    """The backbone of every network of a recipe, with random weights."""
    networks = yaml.safe_load(recipe_text(recipe))["model"]["predictor"]["init_args"]
    own = {"backbone": BACKBONE, "weights": "none", "trained": "none"}
    prefix = "--model.predictor.init_args"
    if "backbone" in networks:
        return [f"{prefix}.{name}={value}" for name, value in own.items() if name in networks]
    return [
        f"{prefix}.{name}.init_args.{argument}={value}"
        for name, network in networks.items()
        for argument, value in own.items()
        if argument in network.get("init_args", {})
    ]


def built(recipe: str, data: Path, device: str) -> DepthTraining:
    given = {"data": {"source": source_config(data / "kitti_raw")}}
    config = read_recipe(recipe, given, changes(recipe))
    parser = ArgumentParser()
    parser.add_class_arguments(DepthTraining, "model")
    model: DepthTraining = parser.instantiate(Namespace(model=config.model)).model
    return model.to(device).train()


def batch_for(recipe: str, data: Path, size: int) -> Batch:
    """Augmented photographs as the recipe's frames have them."""
    settings = yaml.safe_load(recipe_text(recipe))["data"]
    offsets = [Offset.parse(frame) for frame in settings["frames"]]
    source = open_drives(data)
    frames = left_frames(source, JPEG_DRIVE, size + 1)[1:]
    dataset = DepthDataset(
        source, frames, offsets, (HEIGHT, WIDTH), augmentation=Augmentation(flip="none")
    )
    samples = [dataset[item] for item in range(size)]
    baseline = source.baseline(frames[0].sequence)
    assert baseline is not None
    batch = apply_jitter(collate(samples, [TARGET, *offsets], unit=baseline / 0.1))
    if not settings.get("train_depth"):
        return batch
    pose = torch.eye(4).repeat(size, 1, 1)
    pose[:, 0, 3] = -MADE_UP_STEP
    depth = torch.full((size, 1, HEIGHT, WIDTH), MADE_UP_DEPTH)
    return replace(batch, depth=depth, known_poses=dict.fromkeys(offsets, pose))


@dataclass
class Recipe:
    """A recipe's step in parts, each timed as it comes."""

    module: DepthTraining
    batch: Batch
    gigabytes: float = 0.0
    """A GPU's memory at most in a step."""

    def __post_init__(self) -> None:
        configured = self.module.configure_optimizers()
        self.optimiser = configured["optimizer"] if isinstance(configured, dict) else configured
        self.learns = sum(p.numel() for p in self.module.predictor.parameters() if p.requires_grad)

    def step(self) -> dict[str, float]:
        """Seconds an image by part."""
        module, batch, found = self.module, self.batch, {}
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            held = torch.cuda.memory_allocated()
        with timed("networks", found):
            predictions = module.predictor(batch)
        with timed("errors", found):
            wanted = EXPLANATIONS & module.objective.needed()
            errors = module.explainer(batch, predictions, wanted)
        with timed("losses", found):
            loss, _ = module.objective(Scene(batch, predictions, errors))
        with timed("backward", found):
            self.optimiser.zero_grad()
            loss.backward()
        with timed("optimiser", found):
            self.optimiser.step()
        if torch.cuda.is_available():
            self.gigabytes = (torch.cuda.max_memory_allocated() - held) / 2**30
        return {part: seconds / len(batch) for part, seconds in found.items()}


@contextmanager
def timed(part: str, found: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    synchronize()
    found[part] = time.perf_counter() - start


def table(
    costs: Mapping[str, Mapping[str, float]], recipes: Mapping[str, Recipe], device: str
) -> str:
    lines = [
        f"### {setting(device)}; {torch.get_num_threads()} threads",
        "",
        f"Batches of {len(next(iter(recipes.values())).batch)}.",
        "",
        f"| recipe | frames | learns | step | times | of | {' | '.join(PARTS)} | memory |",
        f"|---|---|---:|---:|---:|---|{'---:|' * len(PARTS)}---:|",
    ]
    for name, parts in costs.items():
        whole, frames = sum(parts.values()), tuple(recipes[name].batch.images)
        base = sum(costs[RECIPES[name]].values())
        memory = f"{recipes[name].gigabytes:.1f} GiB" if device != "cpu" else ""
        shown = ", ".join("0" if offset == TARGET else str(offset) for offset in frames)
        cells = [milliseconds(parts[part]) for part in PARTS]
        lines.append(
            f"| `{name}` | {shown} | {recipes[name].learns / 1e6:.1f} M | {milliseconds(whole)} | "
            f"{whole / base:.2f} | `{RECIPES[name]}` | {' | '.join(cells)} | {memory} |"
        )
    return "\n".join(lines) + "\n"


def milliseconds(seconds: float) -> str:
    """Three digits, or all before the point."""
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    data_argument(parser)
    device_argument(parser)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--record", action="store_true", help=f"add the table to {TABLE.name}")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    data, device = options.data.resolve(), options.device
    recipes = {
        name: Recipe(built(name, data, device), batch_for(name, data, options.batch).to(device))
        for name in RECIPES
    }
    for recipe in recipes.values():
        recipe.step()
    turns = [
        {name: recipe.step() for name, recipe in recipes.items()} for _ in range(options.repeats)
    ]
    costs = {
        name: {part: min(turn[name][part] for turn in turns) for part in PARTS} for name in recipes
    }
    text = table(costs, recipes, device)
    print(text)
    if options.record:
        record(TABLE, text)


if __name__ == "__main__":
    main()
