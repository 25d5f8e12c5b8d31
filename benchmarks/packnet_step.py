"""What PackNet01 costs against its plain form: inference, a training step, and its memory.

usage: python benchmarks/packnet_step.py [--batch 4] [--repeats 5] [--threads 2 1] [--device cpu]
           [--record]

640x192. All forms have equal weights and see the same photographs: depths, losses and gradients are
compared first; then they take turns, so that a busy machine slows all alike. A training step is
that of `packnet_m`, batch and optimiser included. Its memory is the peak of a process that takes
two steps and does nothing else, one process for each form; as activations in place save some of it
as well, the plain form has it both ways. On a GPU memory is what its tensors take at most; there
depths and gradients are compared without TF32, and times are those of the defaults. `--record` adds
the tables to packnet_step.md.
"""

import argparse
import gc
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
from stereo_drive import (
    JPEG_DRIVE,
    data_argument,
    device_argument,
    flat_gradient,
    open_drives,
    record,
    setting,
    synchronize,
    take_step,
)
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
PLAIN, IN_PLACE, OURS, RECOMPUTED = (
    *("plain", "plain, activations in place"),
    *("leadline", "leadline, recomputed"),
)
TIMED = (PLAIN, OURS, RECOMPUTED)
EQUAL, FASTER, SMALLER, SLOWER = 1e-4, 1.8, 0.25, 1.1
"""Marks: difference of depths in any pixel, ratio of inference, share of memory, time of a step."""
PAGE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Form:
    """A recipe's training in one form."""

    training: DepthTraining
    batch: Batch
    optimiser: torch.optim.Optimizer

    @classmethod
    def of(cls, name: str, data: Path, size: int, device: str) -> "Form":
        """Weights from the recipe's seed, so that all forms have the same."""
        given = {"source": source_config(data / "kitti_raw")}
        depth = "model.predictor.init_args.depth.init_args"
        changes = [f"--{depth}.recompute={name == RECOMPUTED}"]
        training = build(read_recipe(RECIPE, {"data": given}, changes))[1]
        if name in (PLAIN, IN_PLACE):
            as_published(training.predictor, in_place=name == IN_PLACE)
        training.to(device)
        optimiser = torch.optim.Adam(training.predictor.parameters(), lr=2e-4)
        return cls(training, video_batch(data, size).to(device), optimiser)

    def loss(self) -> Tensor:
        own = self.training
        return training_step(own.predictor, own.explainer, own.objective, self.batch).loss

    def step(self) -> None:
        take_step(self.loss, self.optimiser)

    def gradient(self) -> Tensor:
        return flat_gradient(self.loss, self.training.predictor)


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


def gpu_gigabytes(name: str, data: Path, size: int, device: str) -> float:
    """What a GPU's tensors take at most in two steps."""
    form = Form.of(name, data, size, device)
    torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
        form.step()
    peak = torch.cuda.max_memory_allocated() / 2**30
    del form
    gc.collect()
    torch.cuda.empty_cache()
    return peak


def peak_gigabytes(name: str, data: Path, size: int) -> float:
    """Resident memory of this process at most, in two steps."""
    torch.set_num_threads(2)
    form = Form.of(name, data, size, "cpu")
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
            synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: found[1:] for name, found in seconds.items()}


def rows(
    what: str, works: dict[str, Callable[[], object]], repeats: int, threads: int
) -> tuple[list[str], float]:
    """A line for each form beside the plain one, and the ratio of the first of them."""
    torch.set_num_threads(threads)
    seconds = in_turn(works, repeats)
    lines, first = [], 0.0
    for name in works:
        if name == PLAIN:
            continue
        ratios = [a / b for a, b in zip(seconds[PLAIN], seconds[name], strict=True)]
        first = first or median(ratios)
        cells = [
            f"{median(seconds[each]):.3g} s ({min(seconds[each]):.3g} to {max(seconds[each]):.3g})"
            for each in (PLAIN, name)
        ]
        lines.append(
            f"| {what} | {name} | {threads} | {' | '.join(cells)} | {median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    return lines, first


def inference(network: nn.Module, image: Tensor) -> Callable[[], Tensor]:
    def work() -> Tensor:
        with torch.no_grad():
            depth: Tensor = network(image).depth[0]
        return depth

    return work


def measured_memory(data: Path, size: int, device: str) -> dict[str, float]:
    """Of each form; on a CPU in a process of its own."""
    names = (PLAIN, IN_PLACE, OURS, RECOMPUTED)
    if device != "cpu":
        return {name: gpu_gigabytes(name, data, size, device) for name in names}
    context, found = multiprocessing.get_context("spawn"), {}
    for name in names:
        with context.Pool(1) as pool:
            found[name] = pool.apply(peak_gigabytes, (name, data, size))
    return found


def report(options: argparse.Namespace) -> str:
    header = f"### {setting(options.device)}"
    memory = measured_memory(options.data, options.batch, options.device)
    forms = {name: Form.of(name, options.data, options.batch, options.device) for name in TIMED}
    image = forms[PLAIN].batch.inputs[TARGET][:1]
    networks = {name: deepcopy(forms[name].training.predictor.depth) for name in (PLAIN, OURS)}
    infer = {name: inference(network.eval(), image) for name, network in networks.items()}
    torch.backends.cudnn.allow_tf32 = False
    depths = [work() for work in infer.values()]
    apart = float(((depths[1] - depths[0]) / depths[0]).abs().max())
    losses = [forms[name].loss().item() for name in (PLAIN, OURS)]
    gradients = [forms[name].gradient() for name in TIMED]
    off = [float((g - gradients[0]).norm() / gradients[0].norm()) for g in gradients[1:]]
    torch.backends.cudnn.allow_tf32 = True
    lines, ratios = [], {}
    steps = {name: form.step for name, form in forms.items()}
    for what, works in (("inference, batch of 1", infer), ("training step", steps)):
        for threads in options.threads:
            found, ratios[what, threads] = rows(what, works, options.repeats, threads)
            lines += found
    return "\n".join(
        [
            header,
            "",
            f"Before the first step: depths {apart:.1e} apart in the worst pixel (mark {EQUAL:g}), "
            f"losses {losses[0]:.6f} and {losses[1]:.6f}, gradients {off[0]:.1e} apart (relative "
            f"norm), recomputed {off[1]:.1e}. Batch of {options.batch} for training.",
            "",
            "| training | peak memory | less than plain |",
            "|---|---:|---:|",
            *(
                f"| {name} | {size:.2f} GiB | {1 - size / memory[PLAIN]:.0%} |"
                for name, size in memory.items()
            ),
            "",
            "| | form | threads | plain | form | ratio |",
            "|---|---|---:|---:|---:|---:|",
            *lines,
            "",
            *verdicts(memory, ratios),
        ]
    )


def verdicts(memory: dict[str, float], ratios: dict[tuple[str, int], float]) -> list[str]:
    """Whether the marks were met."""
    lines = []
    for (what, threads), ratio in ratios.items():
        faster, wanted = ratio, FASTER if what.startswith("inference") else 1 / SLOWER
        word = "met" if faster >= wanted else "missed"
        lines.append(f"- {what}, {threads} threads: {faster:.2f} times; mark {wanted:.2f}: {word}.")
    saved = 1 - memory[OURS] / memory[PLAIN]
    word = "met" if saved >= SMALLER else "missed"
    lines.append(f"- memory of a training step: {saved:.0%} less; mark {SMALLER:.0%}: {word}.")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_argument(parser)
    device_argument(parser)
    parser.add_argument("--batch", type=int, default=4)
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
