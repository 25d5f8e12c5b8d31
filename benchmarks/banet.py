"""Does bundle adjustment as a layer converge, and is a network better for it?

Two questions to `banet` [ba-net], in the synthetic world and on the red kitchen of 7-Scenes, where
depth and poses are known. First the layer by itself: with the trained pyramid and the true depth it
starts from the true pose turned by 2 degrees about a random axis and moved by 10 % of the way in a
random direction; how far off is it afterwards? Beside it the same layer on features of random
weights, whose norms have seen the pictures, and on the colours themselves, at a quarter, half and
full size, with damping that does not learn. Colours and recorded poses need not agree on where the
camera was, so errors are given from both: from the truth, and from where the colours lead that
start at it.

Then the network: trained with the layer, without it (motion by a few convolutions on the same
pyramid), and as a depth network beside a pose ResNet of its own, for equal steps on the same pairs,
three seeds; how far off are depth and motion on frames that were not trained on? Guesses: nothing
moved; the mean motion of the frames trained on. In the kitchen the first 80 frames (every tenth of
the recording) are trained on, the last of them only as a neighbour, and the last 20 tested; the
camera comes back to the same places, so that this is memory more than generalisation. Runs resume.

    python benchmarks/banet.py --out runs/banet [--data ../shared/data] [--jobs 2]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from layer_alone import (
    MOVED,
    TURNED,
    colours,
    converged,
    layer_of_colours,
    pose_error,
    random_features,
    start_from_colours,
)
from posed_worlds import NEXT, TESTED, World, worlds
from small_world import PROTOCOL, SEEDS, WORLD, Row, digest, machine, resumed, run_options
from stereo_drive import data_argument
from torch import nn

from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.protocol import named_protocol
from leadline.geometry.pose import matrix_to_rotvec, pose_from_rotvec
from leadline.inference.model_folder import load_predictor
from leadline.inference.train_model import train_model
from leadline.metrics import depth_metrics, mean_metrics
from leadline.networks.banet import BANet
from leadline.offset import TARGET
from leadline.recipes import recipe_text
from leadline.training.recipe import read_recipe

RECIPE, BACKBONE = "banet", "resnet18"
STEPS, BATCH, RATE = 1000, 4, 2e-4
WITH, WITHOUT, OTHER = "with the layer", "without the layer", "pose ResNet"
KINDS = (WITH, WITHOUT, OTHER)
TABLE = Path(__file__).with_suffix(".md")
COLOURS = "colours"


@dataclass(frozen=True)
class Run:
    world: World
    kind: str
    seed: int

    @property
    def folder(self) -> str:
        return f"{self.world.name}_{self.kind}_{self.seed}".replace(" ", "_")

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Of what its figures hold."""
        return self.world.name, self.kind, self.seed, settings(self)


def recipe_of(run: Run, out: Path) -> tuple[str, list[str]]:
    """The recipe, and what of its networks is changed."""
    least, most = run.world.depths
    start = run.world.first_depth()
    if run.kind != OTHER:
        network = "--model.predictor.init_args"
        return RECIPE, [
            *(f"{network}.backbone={BACKBONE}", f"{network}.weights=none"),
            f"{network}.bundle_adjustment={str(run.kind == WITH).lower()}",
            *(f"{network}.minimum_depth={least}", f"{network}.maximum_depth={most}"),
            f"{network}.initial_depth={start}",
        ]
    content = yaml.safe_load(recipe_text(RECIPE))
    depth = {"backbone": BACKBONE, "weights": "none", "minimum_depth": least}
    depth |= {"maximum_depth": most, "initial_depth": start}
    networks = {
        "depth": _network("depth.DepthNetwork", depth),
        "pose": _network("pose.SeparateResNetPose", {"backbone": BACKBONE, "weights": "none"}),
    }
    content["model"]["predictor"] = {
        "class_path": "pose_regression.RegressedDepthAndPose",
        "init_args": networks,
    }
    path = out / f"{run.folder}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path), []


def _network(name: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    return {"class_path": f"leadline.networks.{name}", "init_args": dict(arguments)}


def settings(run: Run) -> str:
    """A digest of all that a run's figures hold of."""
    content = (recipe_text(RECIPE), STEPS, BATCH, RATE, BACKBONE, run.world.depths, run.world.size)
    return digest(content)


def train(run: Run, out: Path) -> Path:
    world = run.world
    height, width = world.size
    recipe, changes = recipe_of(run, out)
    config = read_recipe(
        recipe,
        {"data": {"source": world.source, "train_split": world.trained}},
        [
            *changes,
            f"--seed={run.seed}",
            *(f"--data.height={height}", f"--data.width={width}", f"--data.unit={world.unit}"),
            *(f"--data.batch_size={BATCH}", "--data.workers=0", "--data.val_share=0"),
            *(f"--model.optimiser.init_args.lr={RATE}", "--model.schedule=null"),
            *(f"--run.steps={STEPS}", "--run.epochs=100000", "--run.checkpoint_every=200"),
            "--run.loggers=[]",
        ],
    )
    return train_model(config, RECIPE, out / run.folder)


def train_and_measure(run: Run, out: Path) -> Row:
    torch.set_num_threads(1)
    network = load_predictor(train(run, out))[0]
    row: Row = {"world": run.world.name, "kind": run.kind, "seed": run.seed}
    row["settings"] = settings(run)
    row["machine"] = machine()
    row |= scored(network, run.world)
    if isinstance(network, BANet) and network.adjustment is not None:
        random = random_features(network, BACKBONE, run.seed, run.world)
        assert random.adjustment is not None
        row["layer"] = {
            "trained": converged(run.world, network.adjustment, network.levels),
            "random weights": converged(run.world, random.adjustment, random.levels),
            COLOURS: converged(run.world, layer_of_colours(), colours),
        }
    return row


@torch.no_grad()
def scored(network: nn.Module, world: World) -> Row:
    """Depth in metres as it is, and motion, of frames that were not trained on."""
    rows, errors = [], []
    for batch in world.batches(world.tested):
        assert batch.depth is not None
        found = network(batch)
        depth, truth = found.depth[TARGET][0][0, 0].numpy(), batch.depth[0, 0].numpy()
        measured = (truth > 0) & (truth < 80)
        rows.append(depth_metrics(depth[measured].astype(float), truth[measured].astype(float)))
        errors.append(pose_error(found.poses[NEXT], batch.known_poses[NEXT]))
    mean = mean_metrics(rows)
    return {"abs_rel": mean.abs_rel, "a1": mean.a1, "pose": np.median(errors, axis=0).tolist()}


def pose_guesses(world: World) -> dict[str, list[float]]:
    """Median errors of whoever says that nothing moved, or moves as on the mean."""
    trained = [b.known_poses[NEXT] for b in world.batches(world.frames_trained_on())]
    poses = torch.cat(trained)
    turn, way = matrix_to_rotvec(poses[:, :3, :3]).mean(0), poses[:, :3, 3].mean(0)
    guessed = {
        "nothing moved": torch.eye(4)[None],
        "mean motion": pose_from_rotvec(turn[None], way[None]),
    }
    truths = [batch.known_poses[NEXT] for batch in world.batches(world.tested)]
    return {
        name: np.median([pose_error(pose, truth) for truth in truths], axis=0).tolist()
        for name, pose in guessed.items()
    }


def depth_guesses(world: World) -> dict[str, float]:
    """Abs Rel of what needs no picture."""
    truths = [b.depth[0, 0].numpy() for b in world.batches(world.tested) if b.depth is not None]
    found = honest_guesses(truths, named_protocol(PROTOCOL))
    return {name: mean.abs_rel for name, mean in found.items()}


def layer_rows(world: World, rows: Sequence[Row]) -> Iterator[str]:
    start = start_from_colours(world)
    for features in rows[0]["layer"]:
        # Colours do not learn: every seed says the same.
        own = [row["layer"][features] for row in (rows[:1] if features == COLOURS else rows)]
        cells = []
        for index, form in ((0, "{:.2f}°"), (1, "{:.1%}")):
            for name, before in (
                ("after", np.mean([one["before"][index] for one in own])),
                ("from colours", start[index]),
            ):
                ends = " / ".join(form.format(one[name][index]) for one in own)
                cells.append(f"{form.format(before)} to {ends}")
        nearer = " / ".join(f"{one['nearer'][0]:.0%}, {one['nearer'][1]:.0%}" for one in own)
        way = " / ".join(f"{one['after'][2]:.0f} mm" for one in own)
        data = f"{world.name}, {own[0]['pairs'][0]} pairs"
        yield f"| {data} | {features} | {' | '.join([*cells, way, nearer])} |"


def network_rows(world: World, rows: Sequence[Row]) -> Iterator[str]:
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        found = [[row["abs_rel"], row["a1"], *row["pose"]] for row in own]
        forms = ("{:.3f}", "{:.3f}", "{:.2f}°", "{:.1%}", "{:.0f} mm")
        cells = [
            f"{form.format(np.mean(values))} ± {form.format(np.std(values, ddof=1))}"
            for form, values in zip(forms, np.transpose(found), strict=True)
        ]
        yield f"| {world.name} | {kind} | {' | '.join(cells)} |"
    for name, (turned, share, off) in pose_guesses(world).items():
        yield f"| {world.name} | {name} | | | {turned:.2f}° | {share:.1%} | {off:.0f} mm |"
    for name, value in depth_guesses(world).items():
        yield f"| {world.name} | {name} (no picture) | {value:.3f} | | | | |"


def verdicts(world: World, rows: Sequence[Row]) -> Iterator[str]:
    """Whether the layer helps, seed by seed."""
    value = {(row["kind"], row["seed"]): row for row in rows}
    for other in (WITHOUT, OTHER):
        wins = []
        for seed in SEEDS:
            first, second = value[WITH, seed], value[other, seed]
            pairs = (
                (first["abs_rel"], second["abs_rel"]),
                *zip(first["pose"], second["pose"], strict=True),
            )
            wins.append([a < b for a, b in pairs])
        depth, turned, _, moved = np.sum(wins, axis=0)
        yield (
            f"- {world.name}: with the layer against {other}: better depth in {depth} of "
            f"{len(SEEDS)} seeds, rotation in {turned}, translation in {moved}."
        )


FINDINGS = """
The layer converges in the synthetic world: from 2 degrees to 0.06, from 10 % of the way to 4 or 5,
in nearly all pairs; features of random weights find the turn and lose the way. In the kitchen the
turn converges, to half a degree in every pair; the way does not: it ends farther from the recorded
one than it began. Colours that start at the recorded pose do not stay there either, but go 0.4
degrees and a quarter of the way off, that is by 14 mm: by so much recorded poses, recorded depth
and pictures disagree, whichever of them is wrong, and no layer that compares pictures can be
expected to end nearer. To where colours lead the trained layer comes nearer in way, too, from 25 %
to 14; with features of random weights it does not.

The network with the layer finds motion better than without it in all six trainings, by a factor of
two in the synthetic world and of seven (turns) in the kitchen, where nothing else has learnt to
turn: without the layer turns are little better than none, and ways no better. Depth, which all
learn from truth, is a draw: better in two of three and in one of three.
"""


def table(all_worlds: Sequence[World], rows: Sequence[Row]) -> str:
    machines = sorted({row["machine"] for row in rows})
    lines = [
        "# Does bundle adjustment as a layer converge, and is a network better for it?",
        "",
        f"`python benchmarks/banet.py`. {date.today()}; {'; '.join(machines)}. "
        "`banet` with ResNet-18 from "
        f"scratch, {STEPS} steps of {BATCH} pairs, Adam {RATE:g}, seeds {SEEDS}. Synthetic: "
        f"{WORLD.size[0]}x{WORLD.size[1]}, two held-out drives; kitchen: 160x120, the last "
        f"{TESTED} frames.",
        "",
        f"## The layer: from {TURNED:g} degrees and {MOVED:.0%} of the way off, at true depth",
        "",
        "Medians over pairs, before and after the steps of the layer, after for each seed; nearer: "
        "the share of pairs whose rotation and whose translation end nearer to the truth than they "
        "began.",
        "",
        "| data | features | rotation, from the truth | from where colours lead "
        "| translation, from the truth | from where colours lead | it ends off by | nearer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    by_world = {world.name: [r for r in rows if r["world"] == world.name] for world in all_worlds}
    for world in all_worlds:
        lines += layer_rows(world, [row for row in by_world[world.name] if "layer" in row])
    lines += [
        "",
        "## The network, with the layer and without it",
        "",
        "Depth in metres, no scaling; rotation and translation: medians of the errors. Mean ± "
        "standard deviation over seeds.",
        "",
        "| data | | Abs Rel | a1 | rotation | translation, of the way | translation |",
        "|---|---|---|---|---|---|---|",
    ]
    for world in all_worlds:
        lines += network_rows(world, by_world[world.name])
    lines.append("")
    for world in all_worlds:
        lines += verdicts(world, by_world[world.name])
    return "\n".join(lines) + f"\n{FINDINGS}"


def main() -> None:
    parser = run_options(__doc__)
    data_argument(parser)
    options = parser.parse_args()
    out = options.out.resolve()
    everything = worlds(out, options.data.resolve())
    runs = [Run(world, kind, seed) for seed in SEEDS for kind in KINDS for world in everything]
    rows = sorted(
        resumed(
            {run.key: run for run in runs},
            lambda row: (row["world"], row["kind"], row["seed"], row["settings"]),
            partial(train_and_measure, out=out),
            out,
            options.jobs,
        ),
        key=lambda row: row["seed"],
    )
    torch.set_num_threads(1)
    TABLE.write_text(table(everything, rows))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
