"""What turning neighbours back, and choosing them by parallax, gain in a room.

`monodepth2_m`, `monodepth2_m_indoor` and what lies between them, in the kitchen of 7-Scenes: its
first 80 frames (every tenth of the recording, the last only as a neighbour) trained on, its last 20
scored, from random weights, for equally many steps, three seeds. Depth is scaled by each image's
median, because nothing tells metres, also of the run to which all motion is told. Motion: of each
test frame and the next one the predicted turn, put together with the one that was undone, and the
direction of the way, against the recorded ones. As nine of ten recorded frames are not there, the
next frame mostly has parallax enough: nearly all neighbours that are chosen by parallax are the
next ones, and what choosing gains in a video of thirty frames a second cannot be seen here. The
camera comes back to the same places, so that this is memory more than generalisation. Runs resume;
pictures stay in the folder of the runs, for photographs have terms of their own.

    python benchmarks/indoor_video.py --out runs/indoor_video [--data ../shared/data] [--jobs 2]
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from posed_worlds import TESTED, TRAINED
from small_world import SEEDS, Row, compared, digest, machine, resumed, run_options
from stereo_drive import data_argument

from leadline.colour import DepthScale, colour_depth, montage
from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.hand_held import AS_THEY_COME, HandHeld, as_hand_held
from leadline.data.image_files import read_picture, write_picture
from leadline.data.sources.base import FrameId
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.splits import read_split
from leadline.evaluation.alignment import Alignment
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.predictions import open_predictions
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.run import PREDICTIONS, evaluate_model
from leadline.geometry.pose import matrix_to_rotvec
from leadline.inference.model_folder import load_predictor
from leadline.inference.train_model import train_model
from leadline.offset import TARGET, Offset
from leadline.recipes import recipe_text
from leadline.training.recipe import read_recipe

RECIPE = "monodepth2_m_indoor"
SIZE = (128, 160)
STEPS, LAST_STEPS, BATCH, RATE = 1500, 300, 4, 2e-4
INITIAL_DEPTH = 2.0
PROTOCOL = "nyu"
BEFORE, AFTER = Offset(-1), Offset(1)
TABLE = Path(__file__).with_suffix(".md")
PLAIN, WHOLE = "monodepth2_m", "monodepth2_m_indoor"
ERRORS = ("abs_rel", "rmse")
FIGURES = (*ERRORS, "a1")


@dataclass(frozen=True)
class Style:
    """What a run is shown."""

    name: str
    hand_held: HandHeld = AS_THEY_COME
    automask: bool = False
    known: bool = False
    """Whether it is told all motion."""


CHOSEN: dict[str, Any] = {"least_parallax": 4.0, "most_parallax": 24.0, "reach": 8}
"""As in the recipe."""
STYLES = (
    Style(PLAIN, automask=True),
    Style("without auto-masking"),
    Style("the same, chosen by parallax", HandHeld("keep", **CHOSEN)),
    Style("the same, turned back", HandHeld("pictures")),
    Style(WHOLE, HandHeld("pictures", **CHOSEN)),
    Style(f"{WHOLE}, turns by poses", HandHeld("poses", **CHOSEN)),
    Style("without auto-masking, motion known", known=True),
)


@dataclass(frozen=True)
class Run:
    style: Style
    seed: int

    @property
    def folder(self) -> str:
        return f"{self.style.name}_{self.seed}".replace(" ", "_").replace(",", "")

    @property
    def settings(self) -> str:
        """A digest of all that its figures hold of."""
        content = (recipe_text(RECIPE), self.style, changes(self), PROTOCOL, TRAINED, TESTED)
        return digest(content)


def changes(run: Run) -> list[str]:
    networks = "--model.predictor.init_args"
    return [
        f"--seed={run.seed}",
        *(f"--data.height={SIZE[0]}", f"--data.width={SIZE[1]}", f"--data.batch_size={BATCH}"),
        *("--data.workers=0", "--data.val_share=0"),
        *(f"{networks}.{name}.init_args.weights=none" for name in ("depth", "pose")),
        f"{networks}.depth.init_args.initial_depth={INITIAL_DEPTH}",
        f"--model.optimiser.init_args.lr={RATE}",
        f"--model.schedule.init_args.step_size={STEPS - LAST_STEPS}",
        "--model.schedule_counts=steps",
        *(f"--run.steps={STEPS}", "--run.epochs=100000", "--run.checkpoint_every=200"),
        *("--run.pictures_every=500", "--run.loggers=[]"),
        f"--model.objective.reprojection.term.init_args.automask={str(run.style.automask).lower()}",
        *(f"--data.hand_held.{k}={v}" for k, v in asdict(run.style.hand_held).items()),
    ]


def kitchen(data: Path, known: bool = False) -> RgbdSequences:
    return RgbdSequences(data / "seven_scenes_redkitchen", temporal_poses=known)


def train_and_score(run: Run, data: Path, out: Path) -> Row:
    torch.set_num_threads(1)
    root = {"root": str(data / "seven_scenes_redkitchen"), "temporal_poses": run.style.known}
    source = {"class_path": "leadline.data.sources.rgbd.RgbdSequences", "init_args": root}
    config = read_recipe(
        RECIPE,
        {"data": {"source": source, "train_split": str(out / "train.txt")}},
        changes(run),
    )
    model = train_model(config, RECIPE, out / run.folder)
    evaluation = evaluate_model(
        model,
        data / "seven_scenes_redkitchen",
        out / run.folder / "evaluation",
        split=out / "test.txt",
        protocol=PROTOCOL,
        alignment="median",
    )
    row: Row = {"style": run.style.name, "seed": run.seed, "settings": run.settings}
    row |= {"machine": machine()} | {key: getattr(evaluation.mean, key) for key in FIGURES}
    return row | motion_errors(run, model, data, read_split(out / "test.txt"))


@torch.no_grad()
def motion_errors(run: Run, model: Path, data: Path, frames: Sequence[FrameId]) -> Row:
    """Medians of the degrees by which the turn is off, and between the ways that are said and
    recorded.
    """
    if run.style.known:
        return {"degrees": None, "direction": None}
    # The next frames of all styles alike.
    recorded, settings = kitchen(data), HandHeld(run.style.hand_held.turns)
    source = as_hand_held(recorded, frames, (AFTER,), settings)
    extras = Extras(looking_as_target=settings.chooses)
    dataset = DepthDataset(source, frames, (AFTER,), SIZE, extras=extras)
    predictor = load_predictor(model)[0]
    turns, ways = [], []
    for frame in frames:
        sample, other = dataset.shown(frame), source.neighbour(frame, AFTER)
        if other is None:
            continue
        pose = predictor(collate([sample], (TARGET, AFTER))).poses[AFTER][0].double()
        undone = source.turn(frame, other) if settings.chooses else None
        if undone is not None:
            whole = torch.eye(4, dtype=torch.float64)
            whole[:3, :3] = torch.from_numpy(undone)
            pose = whole @ pose
        motion = recorded.recorded_motion(frame, other)
        assert motion is not None
        truth = torch.from_numpy(motion)
        turns.append(matrix_to_rotvec((pose @ truth.inverse())[None, :3, :3]).norm().item())
        cosine = torch.cosine_similarity(pose[:3, 3], truth[:3, 3], dim=0)
        ways.append(cosine.clamp(-1, 1).acos().item())
    degrees, direction = np.degrees(np.median([turns, ways], axis=1)).tolist()
    return {"degrees": degrees, "direction": direction}


def prepare(data: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    source = kitchen(data)
    frames = source.frames
    # The next of the last frame trained on would be the first one tested.
    lists = {"train": frames[: TRAINED - 1], "test": frames[-TESTED:]}
    for style in STYLES:
        shown = as_hand_held(source, lists["train"], (BEFORE, AFTER), style.hand_held, out)
        sources = {shown.neighbour(f, offset) for f in lists["train"] for offset in (BEFORE, AFTER)}
        if sources & set(lists["test"]):
            raise ValueError(f"{style.name}: a frame that is tested would be trained on")
    for name, own in lists.items():
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in own))


def guesses(data: Path, out: Path) -> dict[str, dict[str, float]]:
    source, protocol = kitchen(data), named_protocol(PROTOCOL)
    truths = [source.true_depth(frame) for frame in read_split(out / "test.txt")]
    known = [truth for truth in truths if truth is not None]
    found = honest_guesses(known, protocol, Alignment("median"))
    return {name: {f: getattr(mean, f) for f in FIGURES} for name, mean in found.items()}


def draw(data: Path, out: Path) -> None:
    """Two frames, with what each style's first seed saw, scaled by the median of the truth."""
    source = kitchen(data)
    frames = read_split(out / "test.txt")
    for frame in (frames[len(frames) // 4], frames[-1]):
        truth = source.true_depth(frame)
        assert truth is not None
        scale, measured = DepthScale.spanning(truth), truth > 0
        cells = [read_picture(source.image_path(frame)), colour_depth(truth, scale)]
        labels = ["picture", "truth"]
        for style in STYLES:
            folder = out / Run(style, SEEDS[0]).folder / "evaluation" / PREDICTIONS
            depth = open_predictions(folder)[0].read(str(frame))
            depth = depth * (np.median(truth[measured]) / np.median(depth[measured]))
            cells.append(colour_depth(depth, scale))
            labels.append(style.name)
        write_picture(out / f"kitchen_{frame.index}.png", montage(cells, labels, 4, 320))


def table(rows: Sequence[Row], guessed: dict[str, dict[str, float]]) -> str:
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    lines = [
        "# What turning back and choosing neighbours gain in a room",
        "",
        f"`python benchmarks/indoor_video.py`. {date.today()}; {machines}. {STEPS} steps of "
        f"{BATCH} frames at {SIZE[1]}x{SIZE[0]}, ResNet-18 from random weights, first depths at "
        f"{INITIAL_DEPTH:g} m, Adam {RATE:g}, the last {LAST_STEPS} at a tenth. Protocol "
        f"`{PROTOCOL}` on the last {TESTED} frames, scaled by medians; mean ± standard deviation "
        f"over seeds {SEEDS}. Turn and direction: median degrees by which they are off, from the "
        "recorded motion to the next frame shown.",
        "",
        "| | Abs Rel | RMSE (m) | a1 | turn | direction |",
        "|---|---|---|---|---|---|",
    ]
    for style in STYLES:
        own = [row for row in rows if row["style"] == style.name]
        lines.append(f"| {style.name} | {' | '.join(cells(own))} |")
    for name, figures in guessed.items():
        of_guess = " | ".join(f"{figures[figure]:.3f}" for figure in FIGURES)
        lines.append(f"| {name} (no picture) | {of_guess} | | |")
    lines += ["", f"Minus `{PLAIN}`, paired by seed, mean ± standard error:", ""]
    lines += ["| | Abs Rel | RMSE (m) | seeds won |", "|---|---|---|---|"]
    for style in STYLES[1:]:
        lines.append(f"| {style.name} | {compared(list(rows), style.name, PLAIN, ERRORS)} |")
    return "\n".join(lines) + "\n"


def cells(own: Sequence[Row]) -> Iterator[str]:
    for figure, digits in (*((f, 3) for f in FIGURES), ("degrees", 2), ("direction", 0)):
        values = [row[figure] for row in own if row[figure] is not None]
        if values:
            yield f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"
        else:
            yield ""


def main() -> None:
    parser = run_options(__doc__)
    data_argument(parser)
    options = parser.parse_args()
    out, data = options.out.resolve(), options.data.resolve()
    prepare(data, out)
    everything = [Run(style, seed) for seed in SEEDS for style in STYLES]
    rows = resumed(
        {(run.style.name, run.seed, run.settings): run for run in everything},
        lambda row: (row["style"], row["seed"], row["settings"]),
        partial(train_and_score, data=data, out=out),
        out,
        options.jobs,
    )
    draw(data, out)
    TABLE.write_text(table(rows, guesses(data, out)))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
