"""Does bundle adjustment as a layer converge, and is a network better for it?

Two questions to `banet` [ba-net], in the synthetic world and on the red kitchen of 7-Scenes, where
depth and poses are known. First the layer by itself: with the trained pyramid and the true depth it
starts from the true pose turned by 2 degrees about a random axis and moved by 10 % of the way in a
random direction; how far off is it afterwards? Beside it the same with random weights. Then the
network: trained with the layer and without it for equal steps, on the same pairs; how far off are
depth and motion on frames that were not trained on? In the kitchen the first 80 frames
(every tenth of the recording) are trained on, the last of them only as a neighbour, and the last 20
tested; the camera comes back to the same places, so that this is memory more than generalisation.

    python benchmarks/banet.py --out runs/banet [--data ../shared/data] [--jobs 2]
"""

import math
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from small_world import WORLD, prepare, run_options
from stereo_drive import data_argument, setting
from torch import Tensor

from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.splits import read_split
from leadline.geometry.pose import compose_poses, matrix_to_rotvec, pose_from_rotvec
from leadline.geometry.ranges import depth_to_range
from leadline.inference.model_folder import load_predictor
from leadline.inference.train_model import train_model
from leadline.metrics import depth_metrics, mean_metrics
from leadline.networks.banet import BANet
from leadline.networks.bundle_adjustment import RangeMaps
from leadline.offset import TARGET, Offset
from leadline.training.recipe import read_recipe
from leadline.types import Batch

RECIPE, BACKBONE = "banet", "resnet18"
NEXT = Offset(time=1)
STEPS, BATCH, RATE, SEED = 2000, 4, 2e-4, 0
TURNED, MOVED = 2.0, 0.1
"""Degrees, and share of the way, by which the layer's start is off."""
TABLE = Path(__file__).with_suffix(".md")
TRAINED, TESTED = 80, 20


@dataclass(frozen=True)
class World:
    """A data set, what of it is trained on and tested, and the settings that fit it."""

    name: str
    source: dict[str, object]
    split: str
    tested: Sequence[FrameId]
    size: tuple[int, int]
    unit: float
    depths: tuple[float, float]
    """In network units."""

    def opened(self) -> Source:
        kinds = {"KittiRaw": KittiRaw, "RgbdSequences": RgbdSequences}
        kind = kinds[str(self.source["class_path"]).rpartition(".")[2]]
        return kind(**cast(dict[str, str], self.source["init_args"]))

    def batches(self) -> Iterator[Batch]:
        """One tested frame and the next, with true depth and motion."""
        data = DepthDataset(
            self.opened(), self.tested, (NEXT,), self.size, extras=Extras(depth=True)
        )
        for item in range(len(data)):
            sample = data.read(data.frames[item])
            if NEXT in sample.images and NEXT in sample.known_poses:
                yield collate([sample], (TARGET, NEXT), self.unit)


def worlds(out: Path, data: Path) -> list[World]:
    prepare(out, hints={})
    root = {"root": str(out / "world"), "temporal_poses": True}
    synthetic = {"class_path": "leadline.data.sources.kitti.KittiRaw", "init_args": root}
    kitchen = {
        "class_path": "leadline.data.sources.rgbd.RgbdSequences",
        "init_args": {"root": str(data / "seven_scenes_redkitchen"), "temporal_poses": True},
    }
    frames = RgbdSequences(data / "seven_scenes_redkitchen").frames
    # The next of the last frame trained on would be the first one tested.
    first, last = frames[: TRAINED - 1], frames[-TESTED:]
    (out / "kitchen.txt").write_text("".join(f"{frame}\n" for frame in first))
    return [
        World(
            "synthetic",
            synthetic,
            str(out / "train.txt"),
            read_split(out / "test.txt"),
            WORLD.size[::-1],
            5.0,
            (0.2, 20.0),
        ),
        World("kitchen", kitchen, str(out / "kitchen.txt"), last, (120, 160), 1.0, (0.3, 10.0)),
    ]


def train(world: World, layer: bool, out: Path) -> Path:
    torch.set_num_threads(1)
    height, width = world.size
    network = "--model.predictor.init_args"
    config = read_recipe(
        RECIPE,
        {"data": {"source": world.source, "train_split": world.split}},
        [
            f"--seed={SEED}",
            *(f"--data.height={height}", f"--data.width={width}", f"--data.unit={world.unit}"),
            *(f"--data.batch_size={BATCH}", "--data.workers=0", "--data.val_share=0"),
            *(f"{network}.backbone={BACKBONE}", f"{network}.weights=none"),
            f"{network}.bundle_adjustment={str(layer).lower()}",
            f"{network}.minimum_depth={world.depths[0]}",
            f"{network}.maximum_depth={world.depths[1]}",
            f"{network}.initial_depth={math.sqrt(world.depths[0] * world.depths[1])}",
            *(f"--model.optimiser.init_args.lr={RATE}", "--model.schedule=null"),
            *(f"--run.steps={STEPS}", "--run.epochs=100000", "--run.checkpoint_every=200"),
            "--run.loggers=[]",
        ],
    )
    kind = "with" if layer else "without"
    return train_model(config, RECIPE, out / f"{world.name}_{kind}")


def pose_error(found: Tensor, truth: Tensor) -> tuple[float, float]:
    """Degrees, and the translation's error as a share of the way."""
    turned = matrix_to_rotvec(found[:, :3, :3] @ truth[:, :3, :3].mT).norm(dim=1)
    moved = (found - truth)[:, :3, 3].norm(dim=1) / truth[:, :3, 3].norm(dim=1).clamp(min=1e-6)
    return math.degrees(turned.item()), moved.item()


def perturbed(truth: Tensor, random: torch.Generator) -> Tensor:
    axis, way = torch.randn(2, 1, 3, generator=random)
    turn = pose_from_rotvec(math.radians(TURNED) * axis / axis.norm(), torch.zeros(1, 3))
    start = compose_poses(truth, turn)
    start[:, :3, 3] = truth[:, :3, 3] + MOVED * truth[:, :3, 3].norm() * way / way.norm()
    return start


@torch.no_grad()
def converged(network: BANet, world: World) -> tuple[list[tuple[float, float]], ...]:
    """Pose errors before and after the layer's steps, from a start that is off, at true depth."""
    assert network.adjustment is not None
    network.adjustment.joint_levels = 0
    random = torch.Generator().manual_seed(SEED)
    before, after = [], []
    for batch in world.batches():
        assert batch.depth is not None
        assert batch.intrinsics is not None
        truth = batch.known_poses[NEXT]
        start = perturbed(truth, random)
        unit = torch.ones(4, 4)
        unit[:3, 3] = batch.unit
        camera = batch.intrinsics[TARGET]
        ranges = depth_to_range(batch.depth / batch.unit, camera)
        nothing = torch.zeros_like(ranges)
        found = network.adjustment(
            network.levels(batch), RangeMaps(ranges, nothing, camera), (start / unit)[:, None]
        )
        before.append(pose_error(start, truth))
        after.append(pose_error(found.poses[:, 0] * unit, truth))
    return before, after


@torch.no_grad()
def scored(network: BANet, world: World) -> dict[str, float]:
    """Depth in metres as it is, and motion, of frames that were not trained on."""
    rows, errors = [], []
    for batch in world.batches():
        assert batch.depth is not None
        found = network(batch)
        depth, truth = found.depth[TARGET][0][0, 0].numpy(), batch.depth[0, 0].numpy()
        measured = (truth > 0) & (truth < 80)
        rows.append(depth_metrics(depth[measured].astype(float), truth[measured].astype(float)))
        errors.append(pose_error(found.poses[NEXT], batch.known_poses[NEXT]))
    mean = mean_metrics(rows)
    turned, moved = np.median(np.array(errors), axis=0)
    return {"abs_rel": mean.abs_rel, "a1": mean.a1, "turned": turned, "moved": moved}


def still(world: World) -> tuple[float, float]:
    """Median errors of whoever says that nothing moved."""
    errors = [pose_error(torch.eye(4)[None], b.known_poses[NEXT]) for b in world.batches()]
    turned, moved = np.median(np.array(errors), axis=0)
    return float(turned), float(moved)


def network_of(folder: Path) -> BANet:
    return cast(BANet, load_predictor(folder)[0])


def table(all_worlds: Sequence[World], models: Mapping[tuple[str, bool], Path]) -> str:
    lines = [
        "# Does bundle adjustment as a layer converge, and is a network better for it?",
        "",
        f"`python benchmarks/banet.py`. {setting()}; one thread a run. `banet` with ResNet-18 from "
        f"scratch, {STEPS} steps of {BATCH} pairs, Adam {RATE:g}, seed {SEED}. Synthetic: "
        f"{WORLD.size[0]}x{WORLD.size[1]}, two held-out drives; kitchen: 160x120, the last "
        f"{TESTED} frames.",
        "",
        f"## The layer: from {TURNED:g} degrees and {MOVED:.0%} of the way off, at true depth",
        "",
        "Medians over pairs; in brackets the share of pairs that end nearer than they began.",
        "",
        "| data | features | rotation before | after | translation before | after |",
        "|---|---|---|---|---|---|",
    ]
    for world in all_worlds:
        torch.manual_seed(SEED)
        trained = network_of(models[world.name, True])
        kinds = {"trained": trained, "random": BANet(BACKBONE, "none").eval()}
        for name, network in kinds.items():
            before, after = (np.array(e) for e in converged(network, world))
            nearer = (after < before).mean(0)
            old, new = np.median(before, axis=0), np.median(after, axis=0)
            lines.append(
                f"| {world.name}, {len(before)} pairs | {name} | {old[0]:.2f}° | {new[0]:.2f}° "
                f"({nearer[0]:.0%}) | {old[1]:.1%} | {new[1]:.1%} ({nearer[1]:.0%}) |"
            )
    lines += [
        "",
        "## The network, with the layer and without it",
        "",
        "Depth in metres, no scaling; rotation and translation: medians of the errors.",
        "",
        "| data | | Abs Rel | a1 | rotation | translation, of the way |",
        "|---|---|---|---|---|---|",
    ]
    for world in all_worlds:
        for layer in (True, False):
            row = scored(network_of(models[world.name, layer]), world)
            lines.append(
                f"| {world.name} | {'with' if layer else 'without'} | {row['abs_rel']:.3f} | "
                f"{row['a1']:.3f} | {row['turned']:.2f}° | {row['moved']:.1%} |"
            )
        turned, moved = still(world)
        lines.append(f"| {world.name} | nothing moved | | | {turned:.2f}° | {moved:.1%} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = run_options(__doc__)
    data_argument(parser)
    options = parser.parse_args()
    out = options.out.resolve()
    everything = worlds(out, options.data.resolve())
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        runs = {
            (world.name, layer): pool.submit(train, world, layer, out)
            for layer in (True, False)
            for world in everything
        }
        models = {name: run.result() for name, run in runs.items()}
    torch.set_num_threads(1)
    TABLE.write_text(table(everything, models))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
