"""What does each recipe's training step cost, per image, and where does the time go?

Every recipe of learned features and its kin beside Monodepth2's, on the same backbone (ResNet-18
in the place of whatever the recipe names) and size, with photographs. The recipes take turns, so
that a busy machine slows all alike; the least of the repeats counts. Parts are timed apart in the
same way: networks forward, errors of explanations, losses, backward, optimiser.

    python benchmarks/recipe_cost.py [--data FOLDER] [--repeats 5] [--threads 2]
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from stereo_drive import (
    HEIGHT,
    JPEG_DRIVE,
    WIDTH,
    data_argument,
    left_frames,
    open_drives,
    setting,
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

RECIPES = (
    *("monodepth2_s", "monodepth2_m", "monodepth2_ms", "monodepth2_m_brightness"),
    *("featdepth_autoencoder", "featdepth_m", "featdepth_ms", "featdepth_joint", "dfr_ms"),
)
BACKBONE, BATCH_SIZE = "resnet18", 2
PARTS = ("networks", "errors", "losses", "backward", "optimiser")
TABLE = Path(__file__).with_suffix(".md")


def changes(recipe: str) -> list[str]:
    """The backbone of every network of a recipe, with random weights."""
    networks = yaml.safe_load(recipe_text(recipe))["model"]["predictor"]["init_args"]
    own = {"backbone": BACKBONE, "weights": "none", "trained": "none"}
    return [
        f"--model.predictor.init_args.{name}.init_args.{argument}={value}"
        for name, network in networks.items()
        for argument, value in own.items()
        if argument in network.get("init_args", {})
    ]


def built(recipe: str, data: Path) -> DepthTraining:
    given = {"data": {"source": source_config(data / "kitti_raw")}}
    config = read_recipe(recipe, given, changes(recipe))
    parser = ArgumentParser()
    parser.add_class_arguments(DepthTraining, "model")
    model: DepthTraining = parser.instantiate(Namespace(model=config.model)).model
    return model.train()


def batch_for(recipe: str, data: Path) -> Batch:
    """Augmented photographs as the recipe's frames have them."""
    settings = yaml.safe_load(recipe_text(recipe))["data"]
    offsets = [Offset.parse(frame) for frame in settings["frames"]]
    source = open_drives(data)
    frames = left_frames(source, JPEG_DRIVE, BATCH_SIZE + 1)[1:]
    dataset = DepthDataset(
        source, frames, offsets, (HEIGHT, WIDTH), augmentation=Augmentation(flip="none")
    )
    samples = [dataset[item] for item in range(BATCH_SIZE)]
    baseline = source.baseline(frames[0].sequence)
    assert baseline is not None
    return apply_jitter(collate(samples, [TARGET, *offsets], unit=baseline / 0.1))


@dataclass
class Recipe:
    """A recipe's step in parts, each timed as it comes."""

    module: DepthTraining
    batch: Batch

    def __post_init__(self) -> None:
        configured = self.module.configure_optimizers()
        self.optimiser = configured["optimizer"] if isinstance(configured, dict) else configured
        self.learns = sum(p.numel() for p in self.module.predictor.parameters() if p.requires_grad)

    def step(self) -> dict[str, float]:
        """Seconds an image by part."""
        module, batch, found = self.module, self.batch, {}
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
        return {part: seconds / len(batch) for part, seconds in found.items()}


@contextmanager
def timed(part: str, found: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    found[part] = time.perf_counter() - start


def table(costs: Mapping[str, Mapping[str, float]], recipes: Mapping[str, Recipe]) -> str:
    lines = [
        "# What does each recipe's training step cost?",
        "",
        f"`python benchmarks/recipe_cost.py`. {setting()}; {torch.get_num_threads()} threads. "
        f"{BACKBONE} everywhere, {WIDTH}x{HEIGHT}, batches of {BATCH_SIZE}, photographs in memory. "
        "Milliseconds an image, the least of the repeats of each part; times: by the step of the "
        f"first recipe with the same frames. Networks: forward. The autoencoder is frozen, and cut "
        "off after its first map, but in `featdepth_autoencoder` and `featdepth_joint`.",
        "",
        f"| recipe | frames | learns | step | times | {' | '.join(PARTS)} |",
        f"|---|---|---:|---:|---:|{'---:|' * len(PARTS)}",
    ]
    first: dict[tuple[Offset, ...], float] = {}
    for name, parts in costs.items():
        whole, frames = sum(parts.values()), tuple(recipes[name].batch.images)
        base = first.setdefault(frames, whole)
        shown = ", ".join("0" if offset == TARGET else str(offset) for offset in frames)
        cells = [f"{1000 * parts[part]:.0f}" for part in PARTS]
        lines.append(
            f"| `{name}` | {shown} | {recipes[name].learns / 1e6:.1f} M | {1000 * whole:.0f} | "
            f"{whole / base:.2f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    data_argument(parser)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    data = options.data.resolve()
    recipes = {name: Recipe(built(name, data), batch_for(name, data)) for name in RECIPES}
    for recipe in recipes.values():
        recipe.step()
    turns = [
        {name: recipe.step() for name, recipe in recipes.items()} for _ in range(options.repeats)
    ]
    costs = {
        name: {part: min(turn[name][part] for turn in turns) for part in PARTS} for name in recipes
    }
    TABLE.write_text(table(costs, recipes))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
