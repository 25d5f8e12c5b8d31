"""What does refinement at test time gain, what does it cost, and does it harm a good frame?

Models that were trained elsewhere go on learning for 20 iterations on frames that they never saw:
per sample, every frame from the trained weights, and per sequence [featdepth]. In synthetic worlds,
on drives that were held out: the models of `velocity.py` (video and speed) and of
`hints_training.py` (stereo pairs with hints), three seeds each. On real photographs those of
`real_photographs.py` on KITTI drive 0023 against its LiDAR. Of video also without the prior, as the
paper has it; of pairs that makes no difference. A frame is made worse where its Abs Rel grows by
more than 1 %, and is good where it is among the third with the least. Hints are not looked at, also
by models that learnt from them: at test time there are none. Seconds are processor time of
refining, predicting and scoring a frame, of a few frames, on one thread: the machine may be busy,
and evaluations resume.

    python benchmarks/refinement.py --out runs/refinement --video runs/speed --stereo runs/hints
        --real runs/real [--jobs 1]
"""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from small_world import PROTOCOL, SEEDS, run_options
from stereo_drive import PNG_DRIVE, data_argument, open_drives, setting

from leadline.colour import DepthScale, colour_depth, montage
from leadline.data.image_files import read_picture, write_picture
from leadline.data.sources.detect import open_source
from leadline.evaluation.predictions import open_predictions
from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import PREDICTIONS, evaluate_model
from leadline.inference.refine import RefineSettings

ITERATIONS = 20
PER_SAMPLE = RefineSettings(ITERATIONS, "sample")
PER_SEQUENCE = replace(PER_SAMPLE, per="sequence")
REFINED = {"per sample": PER_SAMPLE, "per sequence": PER_SEQUENCE}
WITHOUT_PRIOR = {
    f"{name} without prior": replace(settings, prior=0.0) for name, settings in REFINED.items()
}
MANNERS = {"as trained": None, **REFINED, **WITHOUT_PRIOR}
VIDEO, STEREO = "M+v", "consistent"
"""Folders of `velocity.py` and of `hints_training.py`, without their seeds."""
REAL = ("monodepth2_s", "depth_hints_s_consistent")
"""Folders of `real_photographs.py`."""
WORSE, GOOD = 1.01, 1 / 3
TIMED = 5
"""Frames."""
TABLE = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "refinement.png"


@dataclass(frozen=True)
class Case:
    """A model, and the frames that it is refined on."""

    world: str
    name: str
    model: Path
    data: Path
    split: Path
    protocol: str

    def evaluated(self, manner: str, out: Path, split: Path | None = None) -> Evaluation:
        """The scores, those of an evaluation that was there are kept."""
        return evaluate_model(
            self.model,
            self.data,
            out / f"{self.world}_{self.name}_{manner}".replace(" ", "_"),
            split=split or self.split,
            protocol=self.protocol,
            refine=MANNERS[manner],
        )

    def seconds(self, manner: str) -> float:
        """Of the processor, a frame, of the first few."""
        with tempfile.TemporaryDirectory() as folder:
            few = Path(folder) / "few.txt"
            lines = self.split.read_text().splitlines()[:TIMED]
            few.write_text("".join(f"{line}\n" for line in lines))
            start = time.process_time()
            self.evaluated(manner, Path(folder), few)
            return (time.process_time() - start) / len(lines)


def cases(video: Path, stereo: Path, real: Path, data: Path, out: Path) -> Iterator[Case]:
    for name, style, folder in (("video", VIDEO, video), ("stereo", STEREO, stereo)):
        for seed in SEEDS:
            model = folder / f"{style}_{seed}" / "model"
            world, split = folder / "world", folder / "test.txt"
            yield Case("synthetic", f"{name}, seed {seed}", model, world, split, PROTOCOL)
    drives = open_drives(data)
    split = out / "drive_0023.txt"
    frames = [f for f in drives.frames if f.sequence.endswith(PNG_DRIVE) and f.camera == 0]
    split.write_text("".join(f"{frame}\n" for frame in frames))
    for name in REAL:
        model = real / name / "model"
        yield Case("real", name, model, data / "kitti_raw", split, "eigen")


def row(case: Case, out: Path, manners: Sequence[str]) -> str:
    torch.set_num_threads(1)
    before = case.evaluated("as trained", out)
    cells = [f"{before.mean.abs_rel:.3f}"]
    for manner in manners:
        after, seconds = case.evaluated(manner, out), case.seconds(manner)
        cells.append(f"{after.mean.abs_rel:.3f} | {harm(before, after)} | {seconds:.1f}")
    return f"| {case.world} | {case.name} | {' | '.join(cells)} |"


def harm(before: Evaluation, after: Evaluation) -> str:
    """How many frames are made worse, how many of these were good, and how much at most."""
    changes = np.array(ratios(before, after))
    worse = changes > WORSE
    text = f"{worse.sum()} of {len(changes)}"
    if not worse.any():
        return text
    errors = [row.metrics.abs_rel for row in before.rows]
    good = worse & (errors <= np.quantile(errors, GOOD))
    return f"{text}, {good.sum()} good, at most {changes.max() - 1:+.1%}"


def ratios(before: Evaluation, after: Evaluation) -> list[float]:
    """Of each image, its Abs Rel after by that before."""
    first = {row.id: row.metrics.abs_rel for row in before.rows}
    return [row.metrics.abs_rel / first[row.id] for row in after.rows]


def draw(case: Case, out: Path) -> None:
    """The synthetic frame that changes most: picture, depth before and after, truth."""
    before, after = (case.evaluated(manner, out) for manner in ("as trained", "per sample"))
    index = int(np.argmin(ratios(before, after)))
    name = after.rows[index].id
    source = open_source(case.data)
    frame = next(frame for frame in source.frames if str(frame) == name)
    truth = source.true_depth(frame)
    assert truth is not None
    scale = DepthScale.spanning(truth)
    cells = [read_picture(source.image_path(frame))]
    for manner in ("as trained", "per sample"):
        folder = out / f"{case.world}_{case.name}_{manner}".replace(" ", "_")
        depth = open_predictions(folder / PREDICTIONS)[0].read(name)
        cells.append(colour_depth(depth, scale))
    cells.append(colour_depth(truth, scale))
    write_picture(PICTURE, montage(cells, ["picture", "as trained", "refined", "truth"], 2, 320))


FINDINGS = """
Of pairs, on the real drive too, every frame gains, with the other picture of the pair at hand:
Abs Rel falls to 0.42 to 0.58 of what it was, per sequence to 0.37 to 0.44.

Of video nearly all frames gain, by a quarter in the median. Per sample 9 of the 300 become worse,
by 14 % at most; without the prior 36 did, though their loss fell, one or two of two models to
twice their error. What the prior holds back is harm more than gain, which is an eighth less (Abs
Rel 0.203 in the mean of the models, 0.195 without). Two of the 99 good frames are still made
worse, one and the same frame of two models, by 13 and 14 %: cars close by. Per
sequence, where many frames tell of every thing, the prior costs more than it saves: the mean
error is a fifth higher with it (0.193, 0.162 without), and 8 frames become worse in place of 13,
by 9 % at most in place of 26.

The weight was chosen on twelve drives of the same car that are neither trained on nor scored
here, 60 frames of each model: with 0.05 two of 180 became worse, by 4 % at most, with 0.1 none,
at a fifth less gain; without the prior 11 of 60 of the first model, up to twice their error.
Whoever must not lose a frame takes 0.1; whoever has whole sequences of scenes that stand still
may take 0.

Seconds of pairs were taken while the trained depth was still computed for them, which is
not done any more: about a quarter of the time per sequence.
"""


HEAD = (
    "",
    "| data | model | as trained | per sample | worse | s | per sequence | worse | s |",
    "|---|---|---|---|---|---|---|---|---|",
)


def table(rows: Sequence[str], without_prior: Sequence[str]) -> str:
    lines = [
        "# What does refinement at test time gain?",
        "",
        f"`python benchmarks/refinement.py`. {setting()}; one thread. {ITERATIONS} iterations, "
        f"Adam {PER_SAMPLE.learning_rate:g}, prior {PER_SAMPLE.prior:g}. Abs Rel in metres, no "
        f"scaling. Worse: frames whose Abs Rel grows by more than {WORSE - 1:.0%}; good: of the "
        f"best third as trained. Seconds: processor time a frame, scoring included.",
        *HEAD,
        *rows,
        "",
        "Without the prior, as in the paper:",
        *HEAD,
        *without_prior,
    ]
    return "\n".join(lines) + f"\n{FINDINGS}"


def main() -> None:
    parser = run_options(__doc__)
    for name in ("video", "stereo", "real"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    data_argument(parser)
    options = parser.parse_args()
    out, data = options.out.resolve(), options.data.resolve()
    out.mkdir(parents=True, exist_ok=True)
    folders = [path.resolve() for path in (options.video, options.stereo, options.real)]
    everything = list(cases(*folders, data, out))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        video = [case for case in everything if case.name.startswith("video")]
        rows = list(pool.map(row, everything, repeat(out), repeat(tuple(REFINED))))
        without_prior = list(pool.map(row, video, repeat(out), repeat(tuple(WITHOUT_PRIOR))))
    draw(everything[0], out)
    picture = f"![A frame before and after](../docs/images/{PICTURE.name})"
    TABLE.write_text(f"{table(rows, without_prior)}\n{picture}\n")
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
