"""The whole chain on the synthetic world, for a newcomer's eyes: make, match, train, measure."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from leadline.colour import DepthScale, colour_depth, montage
from leadline.data.image_files import read_picture, write_picture
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.detect import open_source, source_config
from leadline.data.splits import read_split
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.evaluation.details import Details, score_details
from leadline.evaluation.predictions import open_predictions
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import PREDICTIONS, REPORT, evaluate_model
from leadline.evaluation.world import detailed_frames
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.method import HintMethod, Mode
from leadline.inference.train_model import train_model
from leadline.report.elements import Facts, Section
from leadline.training.recipe import read_recipe

RECIPE, PROTOCOL = "demo", "dense"
PICTURE = "demo.png"
SHOWN = 3
"""Frames of the test drive on the picture."""


Progress = Callable[[int, int], None]
ShowProgress = Callable[[str], AbstractContextManager[Progress]]

HINT_MODE: Mode = "valid"
"""That of the run whose figures README shows (benchmarks/demo.md)."""


@dataclass(frozen=True)
class DemoSize:
    """How much of everything."""

    world: WorldSettings
    hint_size: tuple[int, int]
    """(h, w) at which stereo pairs are matched: twice the images, where a disparity of whole pixels
    is half as coarse."""
    overrides: tuple[str, ...] = ()


FULL = DemoSize(
    WorldSettings(drives=16, frames=10, size=(320, 96), velodyne=False), hint_size=(192, 640)
)
QUICK = DemoSize(
    WorldSettings(drives=3, frames=4, size=(160, 48), velodyne=False),
    hint_size=(96, 320),
    overrides=(
        *("--data.height=32", "--data.width=96", "--data.batch_size=2"),
        "--run.epochs=1",
    ),
)


@contextmanager
def no_progress(what: str) -> Iterator[Progress]:
    """Shows nothing."""
    yield lambda done, total: None


def run_demo(out: Path, quick: bool = False, progress: ShowProgress = no_progress) -> Evaluation:
    """Run every stage in the folder `out`; a stage that was finished before is not done again.

    `progress` opens a display for things of some name, which is then told (done, total).
    """
    size = QUICK if quick else FULL
    console, start = Console(soft_wrap=True), time.monotonic()
    world, hints, run = out / "world", out / "hints", out / "run"
    console.rule("1 of 4  a stereo world")
    with progress("frames") as advance:
        made = generate(world, size.world, progress=advance)
    console.print(str(made))
    console.rule("2 of 4  hints from stereo matching")
    source = open_source(world)
    train, val, test = (
        read_split(world / "splits" / f"{name}.txt") for name in ("train", "val", "test")
    )
    method = HintMethod(HINT_MODE, size=size.hint_size)
    jobs = source_jobs(source, [*train, *val]).jobs
    with progress("pairs") as advance:
        matched = generate_hints(jobs, hints, method, progress=advance)
    console.print(str(matched))
    console.rule("3 of 4  training")
    model = _train(world, hints, run, size.overrides)
    console.rule("4 of 4  evaluation on a drive that training never saw")
    evaluation, details = _evaluate(model, world, source, test, out / "evaluation")
    _draw(source, test, out)
    console.print(_table(evaluation, details))
    console.print(f"depth, to look at:    {out / PICTURE}")
    console.print(f"hints, to look at:    {hints / 'contact_sheet.png'}")
    console.print(f"training, to look at: {run / 'pictures'}")
    console.print(f"report:               {out / 'evaluation' / REPORT}")
    console.print(f"{time.monotonic() - start:.0f} s in all")
    return evaluation


def _train(world: Path, hints: Path, run: Path, overrides: Sequence[str]) -> Path:
    data = {
        "source": source_config(world),
        "cache": str(run.parent / "cache"),
        "hints": str(hints),
        "train_split": str(world / "splits" / "train.txt"),
        "val_split": str(world / "splits" / "val.txt"),
    }
    return train_model(read_recipe(RECIPE, {"data": data}, overrides), RECIPE, run)


def _evaluate(
    model: Path, world: Path, source: Source, test: Sequence[FrameId], out: Path
) -> tuple[Evaluation, Details]:
    found: list[Details] = []

    def detail_section(predictions: Path, truth: Path) -> list[Section]:
        frames = detailed_frames(source, test, predictions, truth)
        found.append(score_details(frames, named_protocol(PROTOCOL)))
        return [Section("Details", (Facts(_words(found[0])),))]

    split = world / "splits" / "test.txt"
    evaluation = evaluate_model(
        model, world, out, split=split, protocol=PROTOCOL, extra=detail_section
    )
    return evaluation, found[0]


def _draw(source: Source, test: Sequence[FrameId], out: Path) -> None:
    """Photograph, prediction and truth of some test frames, in one range of colours."""
    predicted = open_predictions(out / "evaluation" / PREDICTIONS)[0]
    scale = DepthScale(3, named_protocol(PROTOCOL).cap or 80)
    cells, captions = [], []
    for frame in test[:: max(len(test) // SHOWN, 1)][:SHOWN]:
        truth = source.true_depth(frame)
        if truth is None:
            continue
        cells.append(read_picture(source.image_path(frame)))
        cells += [colour_depth(depth, scale) for depth in (predicted.read(str(frame)), truth)]
        captions += [f"{frame}", "depth by the network, bright is near", "true depth"]
    if cells:
        write_picture(out / PICTURE, montage(cells, captions, columns=3))


def _words(details: Details) -> dict[str, str]:
    return {
        "Abs Rel on poles": f"{details.poles_abs_rel:.3f}",
        "Abs Rel on all thin structures (signs, fences, trunks)": f"{details.thin_abs_rel:.3f}",
        "Abs Rel where occluded in the right view": f"{details.occluded_abs_rel:.3f}",
        "F1 of depth edges": f"{details.edge_f1:.3f}",
    }


def _table(evaluation: Evaluation, details: Details) -> Table:
    table = Table(title=f"metres, no median scaling; {named_protocol(PROTOCOL).describe()}")
    table.add_column("")
    for heading in ("Abs Rel", "RMSE", "a1"):
        table.add_column(heading, justify="right")
    rows = {"the network": evaluation.mean, **evaluation.guesses}
    for name, mean in rows.items():
        figures = (mean.abs_rel, mean.rmse, mean.a1)
        table.add_row(name, *(f"{figure:.3f}" for figure in figures))
    for name, figure in _words(details).items():
        table.add_row(name, figure, "", "")
    return table
