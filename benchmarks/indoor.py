"""Supervised networks and losses in real rooms: what a hundred frames of a kitchen allow.

Every run learns from the first 80 frames of the red kitchen of 7-Scenes (every tenth of a
recording), from random weights, at 320x240, for equally many steps; it is tested on the last 20,
and on three frames of NYUv2. The kitchen's camera comes back to the same places, so that its last
frames say more of memory than of new rooms; the frames of NYUv2 are other rooms, seen by another
camera. The U-Net learns by the scale-invariant loss with no, half and full invariance (three seeds
each), and by berHu; FCRN, BTS and DORN by their own losses, on a ResNet-18 all three. In metres,
nothing scaled. Beside them what needs no picture, fitted to the very truth that is scored, and the
mean depth of the frames trained on, row by row, which anyone has. Runs resume; pictures stay in the
folder of the runs, for photographs have terms of their own.

    python benchmarks/indoor.py --out runs/indoor [--data ../shared/data] [--jobs 2]
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
from posed_worlds import TESTED, TRAINED
from small_world import SEEDS, Row, digest, machine, resumed, run_options
from stereo_drive import data_argument

from leadline.colour import DepthScale, colour_depth, montage
from leadline.data.image_files import read_picture, write_picture
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.list_files import write_list
from leadline.data.sources.listed import ListedFrames
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.splits import read_split
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.predictions import open_predictions
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.run import PREDICTIONS, evaluate_model
from leadline.inference.train_model import train_model
from leadline.metrics import DepthMetrics, depth_metrics, mean_metrics
from leadline.recipes import recipe_text
from leadline.training.recipe import read_recipe

HEIGHT, WIDTH, BATCH, STEPS = 240, 320, 4, 800
LAST_STEPS = 200
"""At a tenth of the rate."""
RATE = 3e-4
PROTOCOL = "nyu"
FIGURES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3", "silog")
TABLE = Path(__file__).with_suffix(".md")
_DEPTH = "--model.predictor.init_args.depth.init_args"
_TERM = "--model.objective.depth.term"
_SUPERVISED = "leadline.losses.supervised"


@dataclass(frozen=True)
class Run:
    name: str
    recipe: str
    changes: tuple[str, ...]
    seed: int

    @property
    def folder(self) -> str:
        return f"{self.name}_{self.seed}".replace(" ", "_").replace(",", "")

    @property
    def settings(self) -> str:
        """A digest of all that its figures hold of."""
        content = (recipe_text(self.recipe), self.changes, shared_changes(self.seed))
        return digest(content)


def runs() -> Iterator[Run]:
    """The longest first."""
    small = (f"{_DEPTH}.backbone=resnet18", f"{_DEPTH}.weights=none")
    bins = (
        f"{_DEPTH}.minimum_depth=0.3",
        f"{_DEPTH}.maximum_depth=10.38",
    )
    yield Run("DORN", "dorn_nyu", (*small, *bins), 0)
    yield Run("BTS", "bts_nyu", small, 0)
    yield Run("FCRN", "fcrn_nyu", small, 0)
    for seed in SEEDS:
        for invariance in (0.0, 0.5, 1.0):
            loss = (f"{_TERM}.init_args.invariance={invariance}",)
            yield Run(f"U-Net, invariance {invariance:g}", "unet_nyu", loss, seed)
    berhu = (
        f"{_TERM}={_SUPERVISED}.DepthResidual",
        f"{_TERM}.init_args.residual=berhu",
    )
    yield Run("U-Net, berHu", "unet_nyu", berhu, 0)


def shared_changes(seed: int) -> list[str]:
    """One size, rate, optimiser and length for all."""
    return [
        f"--seed={seed}",
        *(f"--data.height={HEIGHT}", f"--data.width={WIDTH}", f"--data.batch_size={BATCH}"),
        *("--data.workers=0", "--data.val_share=0", "--data.window=null"),
        *("--data.zoom=1.2", "--data.rotation=5", "--data.jitter=gamma"),
        "--data.gamma_jitter={gamma: [1, 1], brightness: [1, 1], colour: [0.8, 1.2]}",
        *("--model.optimiser=torch.optim.Adam", "--model.groups=[]"),
        f"--model.optimiser.init_args.lr={RATE}",
        *("--model.optimiser.init_args.eps=1e-8", "--model.optimiser.init_args.weight_decay=0"),
        "--model.schedule=torch.optim.lr_scheduler.StepLR",
        f"--model.schedule.init_args.step_size={STEPS - LAST_STEPS}",
        "--model.schedule.init_args.gamma=0.1",
        "--model.schedule_counts=steps",
        *(f"--run.steps={STEPS}", "--run.epochs=100000", "--run.accumulate=1"),
        *("--run.checkpoint_every=100", "--run.pictures_every=500", "--run.loggers=[]"),
    ]


def train(run: Run, data: Path, out: Path) -> tuple[Path, float]:
    """The model, and the CPU seconds of its training, if it was not cut off."""
    source = {
        "class_path": "leadline.data.sources.rgbd.RgbdSequences",
        "init_args": {"root": str(data / "seven_scenes_redkitchen")},
    }
    config = read_recipe(
        run.recipe,
        {"data": {"source": source, "train_split": str(out / "train.txt")}},
        [*shared_changes(run.seed), *run.changes],
    )
    folder, start = out / run.folder, time.process_time()
    clock = folder / "seconds.txt"
    model = train_model(config, run.recipe, folder)
    if not clock.exists():
        # Of a run that was cut off it is the last part's.
        clock.write_text(f"{time.process_time() - start:.0f}")
    return model, float(clock.read_text())


def train_and_score(run: Run, data: Path, out: Path) -> Row:
    torch.set_num_threads(1)
    model, seconds = train(run, data, out)
    row: Row = {"name": run.name, "seed": run.seed, "settings": run.settings}
    row |= {"machine": machine(), "seconds": seconds}
    for name, source, split in tests(data, out):
        evaluation = evaluate_model(
            model,
            source,
            out / run.folder / name,
            split=split,
            source_settings=list_settings(source, data),
            protocol=PROTOCOL,
            # Full invariance gives no scale; what comes of that is what is asked.
            alignment="none",
        )
        row[name] = {key: getattr(evaluation.mean, key) for key in FIGURES}
        row[name]["ratio"] = evaluation.median_ratio
    return row


def tests(data: Path, out: Path) -> list[tuple[str, Path, Path | None]]:
    """By name: data set and split."""
    return [
        ("kitchen", data / "seven_scenes_redkitchen", out / "test.txt"),
        ("other rooms", out / "nyu.txt", None),
    ]


def prepare(data: Path, out: Path) -> None:
    """Splits of the kitchen, and a list of the frames of NYUv2, with the depth in metres."""
    out.mkdir(parents=True, exist_ok=True)
    frames = RgbdSequences(data / "seven_scenes_redkitchen").frames
    for name, own in (("train", frames[:TRAINED]), ("test", frames[-TESTED:])):
        (out / f"{name}.txt").write_text("".join(f"{frame}\n" for frame in own))
    rooms = data / "nyu_v2"
    pairs = zip(sorted((rooms / "rgb").iterdir()), sorted((rooms / "depth").iterdir()), strict=True)
    camera = json.loads((rooms / "test_annotations.json").read_text())["files"][0]["cam_in"]
    write_list(
        out / "nyu.txt",
        [(f"rgb/{image.name}", f"depth/{depth.name}", camera[0]) for image, depth in pairs],
    )


def list_settings(source: Path, data: Path) -> tuple[str, ...]:
    """Of what is read by a list."""
    is_list = source.suffix == ".txt"
    return (f"folder={data / 'nyu_v2'}", "divide=1000") if is_list else ()


def opened(source: Path, data: Path) -> Source:
    if source.suffix == ".txt":
        return ListedFrames(source, folder=data / "nyu_v2", divide=1000)
    return RgbdSequences(source)


def tested(source: Source, split: Path | None) -> list[FrameId]:
    return list(source.frames) if split is None else read_split(split)


def row_means(data: Path, out: Path) -> np.ndarray:
    """The mean depth of each row in the frames trained on; of the nearest one where none is
    known.
    """
    source = RgbdSequences(data / "seven_scenes_redkitchen")
    sums, counts = np.zeros(480), np.zeros(480)
    for frame in read_split(out / "train.txt"):
        depth = source.true_depth(frame)
        assert depth is not None
        sums += depth.sum(1)
        counts += (depth > 0).sum(1)
    known = np.flatnonzero(counts)
    return np.asarray(np.interp(np.arange(480), known, sums[known] / counts[known]))


def guesses(data: Path, out: Path) -> Iterator[tuple[str, str, DepthMetrics]]:
    """Test, name and figures of what looks at no picture."""
    protocol, means = named_protocol(PROTOCOL), row_means(data, out)
    for test, path, split in tests(data, out):
        source = opened(path, data)
        truths = [source.true_depth(frame) for frame in tested(source, split)]
        known = [truth for truth in truths if truth is not None]
        for name, figures in honest_guesses(known, protocol).items():
            yield test, f"{name} (knows the truth)", figures
        rows = []
        for truth in known:
            mask = protocol.mask(truth)
            guess = np.repeat(means[:, None], truth.shape[1], 1)[mask]
            rows.append(depth_metrics(protocol.clamp(guess), truth[mask].astype(float)))
        yield test, "mean of each row, from training", mean_metrics(rows)


def draw(runs_made: Sequence[Run], data: Path, out: Path) -> None:
    """Two frames of the kitchen and one of another room, with what each run saw."""
    for test, path, split in tests(data, out):
        source = opened(path, data)
        frames = tested(source, split)
        for frame in (frames[len(frames) // 4], frames[-1]):
            truth = source.true_depth(frame)
            assert truth is not None
            scale = DepthScale.spanning(truth)
            cells = [read_picture(source.image_path(frame)), colour_depth(truth, scale)]
            labels = ["picture", "truth"]
            for run in runs_made:
                if run.seed == SEEDS[0]:
                    folder = out / run.folder / test / PREDICTIONS
                    predicted = open_predictions(folder)[0].read(str(frame))
                    cells.append(colour_depth(predicted, scale))
                    labels.append(run.name)
            name = f"{test}_{frame.index}.png".replace(" ", "_")
            write_picture(out / name, montage(cells, labels, 4, 320))


def table(rows: Sequence[Row], guessed: Sequence[tuple[str, str, DepthMetrics]]) -> str:
    machines = sorted({row["machine"] for row in rows})
    names = list(dict.fromkeys(run.name for run in runs()))
    lines = [
        "# Supervised networks and losses in real rooms",
        "",
        f"`python benchmarks/indoor.py`. {date.today()}; {'; '.join(machines)}. {STEPS} steps of "
        f"{BATCH} pictures at {WIDTH}x{HEIGHT}, from random weights, Adam {RATE:g}, the last "
        f"{LAST_STEPS} at a tenth; mirrored, rolled by up to 5 degrees, enlarged by up to 1.2. "
        f"Protocol `{PROTOCOL}` (Eigen's crop, up to 10 m). U-Net: mean ± standard deviation over "
        f"seeds {SEEDS}, berHu one seed, as the others. Seconds: CPU time of the training of a "
        "run. Ratio: median over images of median(truth) / median(prediction).",
    ]
    for test in ("kitchen", "other rooms"):
        lines += ["", f"## {test.capitalize()}", ""]
        lines += [f"| | {' | '.join(FIGURES)} | ratio | seconds |"]
        lines += ["|---" * (len(FIGURES) + 3) + "|"]
        for name in names:
            own = [row for row in rows if row["name"] == name]
            cells = [spread([row[test][key] for row in own], key) for key in (*FIGURES, "ratio")]
            seconds = np.mean([row["seconds"] for row in own])
            lines.append(f"| {name} | {' | '.join(cells)} | {seconds:.0f} |")
        for where, name, figures in guessed:
            if where == test:
                cells = [spread([getattr(figures, key)], key) for key in FIGURES]
                lines.append(f"| {name} | {' | '.join(cells)} | | |")
    return "\n".join([*lines, "", *lambda_lines(rows)]) + "\n"


def spread(values: Sequence[float], key: str) -> str:
    digits = 1 if key == "silog" else 3
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def lambda_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Which invariance has the best absolute and the best scale-invariant error, seed by seed."""
    yield "Which invariance is best, seed by seed (SILog is the scale-invariant error):"
    yield ""
    for test in ("kitchen", "other rooms"):
        for key in ("abs_rel", "rmse", "silog"):
            best = []
            for seed in SEEDS:
                own = {r["name"]: r[test][key] for r in rows if r["seed"] == seed}
                of_invariance = {n: v for n, v in own.items() if n.startswith("U-Net, invariance")}
                best.append(min(of_invariance, key=of_invariance.__getitem__).rpartition(" ")[2])
            yield f"- {test}, {key}: {', '.join(best)}"


def main() -> None:
    parser = run_options(__doc__)
    data_argument(parser)
    options = parser.parse_args()
    out, data = options.out.resolve(), options.data.resolve()
    prepare(data, out)
    everything = list(runs())
    rows = resumed(
        {(run.name, run.seed, run.settings): run for run in everything},
        lambda row: (row["name"], row["seed"], row["settings"]),
        partial(train_and_score, data=data, out=out),
        out,
        options.jobs,
    )
    draw(everything, data, out)
    TABLE.write_text(table(rows, list(guesses(data, out))))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
