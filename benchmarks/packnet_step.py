"""What PackNet01 costs against its plain form: inference, a training step, and its memory.

usage: python benchmarks/packnet_step.py [--batch 1] [--repeats 5] [--threads 2 1] [--record]

640x192. Both forms have equal weights and see the same photographs: depths, loss and gradients are
compared first; then they take turns, so that a busy machine slows both alike. A training step is
that of `packnet_m`, optimiser included. Its memory is the peak of a process that takes two steps
and does nothing else, one process for each form. `--record` adds the tables to packnet_step.md.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from plain.packnet import as_published
from stereo_drive import JPEG_DRIVE, data_argument, open_drives, record, setting
from torch import Tensor, nn

from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset
from leadline.data.sources.detect import source_config
from leadline.offset import TARGET, Offset
from leadline.training.module import DepthTraining
from leadline.training.recipe import build, read_recipe
from leadline.training.step import training_step
from leadline.types import Batch

HEIGHT, WIDTH = 192, 640
RECIPE = "packnet_m"
FORMS = ("plain", "leadline", "leadline, recomputed")
PAGE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Form:
    """A recipe's training in one form."""

    training: DepthTraining
    batch: Batch
    optimiser: torch.optim.Optimizer

    @classmethod
    def of(cls, name: str, data: Path, size: int) -> "Form":
        """Weights from the recipe's seed, so that all forms have the same."""
        given = {"source": source_config(data / "kitti_raw")}
        depth = "model.predictor.init_args.depth.init_args"
        changes = [f"--{depth}.recompute={'recomputed' in name}"]
        training = build(read_recipe(RECIPE, {"data": given}, changes))[1]
        if name == "plain":
            as_published(training.predictor)
        optimiser = torch.optim.Adam(training.predictor.parameters(), lr=2e-4)
        return cls(training, video_batch(data, size), optimiser)

    def loss(self) -> Tensor:
        own = self.training
        return training_step(own.predictor, own.explainer, own.objective, self.batch).loss

    def step(self) -> None:
        self.optimiser.zero_grad()
        self.loss().backward()
        self.optimiser.step()

    def gradient(self) -> Tensor:
        self.optimiser.zero_grad()
        self.loss().backward()
        parameters = self.training.predictor.parameters()
        return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


def video_batch(data: Path, size: int) -> Batch:
    """Frames of a drive, each with both its neighbours in time."""
    source = open_drives(data)
    offsets = [Offset(-1), Offset(1)]
    frames = [
        frame
        for frame in source.frames
        if frame.sequence.endswith(JPEG_DRIVE)
        and all(source.neighbour(frame, offset) is not None for offset in offsets)
    ]
    dataset = DepthDataset(source, frames[:size], offsets, (HEIGHT, WIDTH))
    samples = [dataset[item] for item in range(size)]
    return collate(samples, [TARGET, *offsets], unit=1.0)


def peak_gigabytes(name: str, data: Path, size: int) -> float:
    """Resident memory of this process at most, in two steps."""
    torch.set_num_threads(2)
    form = Form.of(name, data, size)
    for _ in range(2):
        form.step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_turn(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Wall seconds of each work, after one unmeasured round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return {name: found[1:] for name, found in seconds.items()}


def rows(what: str, works: dict[str, Callable[[], object]], repeats: int, threads: int) -> str:
    torch.set_num_threads(threads)
    seconds = in_turn(works, repeats)
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["leadline"], strict=True)]
    cells = [
        f"{median(seconds[name]):.2f} s ({min(seconds[name]):.2f} to {max(seconds[name]):.2f})"
        for name in FORMS
    ]
    ratio = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return f"| {what} | {threads} | {' | '.join(cells)} | {ratio} |"


def inference(network: nn.Module, image: Tensor) -> Callable[[], Tensor]:
    def work() -> Tensor:
        with torch.no_grad():
            depth: Tensor = network(image).depth[0]
        return depth

    return work


def report(options: argparse.Namespace) -> str:
    lines = [f"### {setting()}", ""]
    context = multiprocessing.get_context("spawn")
    memory = {}
    for name in FORMS:
        with context.Pool(1) as pool:
            memory[name] = pool.apply(peak_gigabytes, (name, options.data, options.batch))
    forms = {name: Form.of(name, options.data, options.batch) for name in FORMS}
    image = forms["plain"].batch.inputs[TARGET][:1]
    networks = {
        name: deepcopy(form.training.predictor.depth).eval() for name, form in forms.items()
    }
    as_published(networks["plain"])
    infer = {name: inference(networks[name], image) for name in FORMS}
    depths = [infer[name]() for name in FORMS]
    apart = float((depths[0] - depths[1]).abs().max() / depths[0].abs().max())
    gradients = [forms[name].gradient() for name in FORMS]
    off = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    saved = 1 - memory["leadline"] / memory["plain"]
    lines += [
        f"Depths {apart:.1e} apart (of the largest), gradients {off:.1e} (relative norm). Batch of "
        f"{options.batch} for training, 1 for inference.",
        "",
        f"Peak memory of training: {memory['plain']:.2f} GiB plain, {memory['leadline']:.2f} GiB "
        f"ours, {saved:.0%} less.",
        "",
        "| | threads | plain | leadline | ratio |",
        "|---|---:|---:|---:|---:|",
        *(rows("inference", infer, options.repeats, n) for n in options.threads),
        *(
            rows("training step", {k: f.step for k, f in forms.items()}, options.repeats, n)
            for n in options.threads
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_argument(parser)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--record", action="store_true", help=f"add the tables to {PAGE.name}")
    options = parser.parse_args()
    text = report(options)
    print(text)
    if options.record:
        record(PAGE, text)


if __name__ == "__main__":
    main()
