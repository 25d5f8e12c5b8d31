"""One training step of Depth Hints on stereo pairs against its plain form, in one process.

usage: python benchmarks/training_step.py [--data FOLDER] [--repeats 5] [--threads 2 1]
           [--device cpu] [--record]

ResNet-18, 640x192, batch 4, four scales judged at full size, Adam. Both forms have equal weights
and see the same batch of photographs, hints and noise; their losses and gradients are compared
first (on a GPU without TF32), then they take turns, so that a busy machine slows both alike.
bfloat16 is timed where the processor multiplies in it. `--record` adds the tables to
training_step.md.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from plain.depth_hints import PlainBatch, PlainDepthHints
from plain.network import PlainDepthNetwork
from stereo_drive import (
    HEIGHT,
    JPEG_DRIVE,
    WIDTH,
    data_argument,
    device_argument,
    flat_gradient,
    left_frames,
    open_drives,
    record,
    setting,
    synchronize,
    take_step,
    write_hints,
)
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from leadline.data.augment import Augmentation, apply_jitter
from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset, Extras
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.term import Objective, Weighted
from leadline.networks.depth import DepthNetwork
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import TIE_BREAKER, Explainer, counted_noise
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import EXPLANATIONS, training_step
from leadline.types import Batch, Predictions, Scene

BATCH_SIZE = 4
PAGE = Path(__file__).with_suffix(".md")
PARTS = ("convolutions", "rest of the network", "warps, errors and losses", "optimiser")


@dataclass(frozen=True)
class Form:
    """One way to take the step, whole and in parts."""

    network: nn.Module
    loss: Callable[[], Tensor]
    network_alone: Callable[[], Tensor]
    """The network under a loss that costs nothing."""
    losses_alone: Callable[[], Tensor]
    """Warps, errors and losses of given depths."""
    optimiser: torch.optim.Optimizer

    def step(self) -> None:
        take_step(self.loss, self.optimiser)

    def gradient(self) -> Tensor:
        return flat_gradient(self.loss, self.network)


def real_batch(data: Path, folder: Path) -> Batch:
    """Augmented stereo pairs with hints."""
    source = open_drives(data)
    frames = left_frames(source, JPEG_DRIVE, BATCH_SIZE)
    write_hints(source, frames, folder)
    dataset = DepthDataset(
        source,
        frames,
        [STEREO],
        (HEIGHT, WIDTH),
        extras=Extras(folder),
        augmentation=Augmentation(),
    )
    baseline = source.baseline(frames[0].sequence)
    assert baseline is not None
    samples = [dataset[item] for item in range(BATCH_SIZE)]
    return apply_jitter(collate(samples, [TARGET, STEREO], unit=baseline / 0.1))


def our_form(batch: Batch) -> Form:
    """The step as a recipe runs it."""
    network = DepthAndPose(DepthNetwork("resnet18", "none")).to(batch.images[TARGET].device)
    explainer = Explainer()
    objective = Objective(
        {
            "reprojection": Weighted(Reprojection(average_over="kept", hint_competes=True)),
            "hint": Weighted(ProxySupervision()),
        }
    )
    with torch.no_grad():
        predicted = network(batch)
    depths = {s: d.detach().requires_grad_() for s, d in predicted.depth[TARGET].items()}
    given = Predictions(depth={TARGET: depths}, poses=predicted.poses)

    def losses_alone() -> Tensor:
        return objective(Scene(batch, given, explainer(batch, given, EXPLANATIONS)))[0]

    def network_alone() -> Tensor:
        return torch.stack([d.mean() for d in network(batch).depth[TARGET].values()]).sum()

    return Form(
        network,
        lambda: training_step(network, explainer, objective, batch).loss,
        network_alone,
        losses_alone,
        torch.optim.Adam(network.parameters(), lr=1e-4),
    )


def plain_form(batch: Batch, weights: nn.Module) -> Form:
    """The step as the papers write it, with the same weights in the same order."""
    device = batch.images[TARGET].device
    network = PlainDepthNetwork().to(device)
    own = network.state_dict()
    network.load_state_dict(dict(zip(own, weights.state_dict().values(), strict=True)))
    plain = plain_batch(batch)
    with device:
        loss = PlainDepthHints(HEIGHT, WIDTH)
    with torch.no_grad():
        given = [sigmoid.detach() for sigmoid in network(plain.inputs)]
    for sigmoid in given:
        sigmoid.requires_grad_()
    return Form(
        network,
        lambda: loss(network(plain.inputs), plain),
        lambda: torch.stack([sigmoid.mean() for sigmoid in network(plain.inputs)]).sum(),
        lambda: loss(given, plain),
        torch.optim.Adam(network.parameters(), lr=1e-4),
    )


def plain_batch(batch: Batch) -> PlainBatch:
    """The batch in the plain form's 4x4 matrices and units."""
    assert batch.intrinsics is not None
    assert batch.hint is not None
    known = batch.intrinsics[TARGET]
    intrinsics = torch.eye(4, device=known.device).repeat(len(batch), 1, 1)
    intrinsics[:, :3, :3] = known
    pose = batch.known_poses[STEREO].clone()
    pose[:, :3, 3] /= batch.unit
    return PlainBatch(
        inputs=batch.inputs[TARGET],
        target=batch.images[TARGET],
        source=batch.images[STEREO],
        intrinsics=intrinsics,
        inverse_intrinsics=torch.linalg.inv(intrinsics),
        target_to_source=pose,
        hint=batch.hint / batch.unit,
        noise=TIE_BREAKER * counted_noise(batch),
    )


def in_bfloat16(form: Form, device: str) -> Form:
    """The same step under autocast."""

    def loss() -> Tensor:
        with torch.autocast(device, dtype=torch.bfloat16):
            return form.loss()

    return Form(form.network, loss, form.network_alone, form.losses_alone, form.optimiser)


def multiplies_in_bfloat16(device: str) -> bool:
    """Without such instructions bfloat16 is emulated, and slower than float32."""
    if device != "cpu":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has = torch.cpu.get_capabilities()
    return bool(has.get("amx_bf16") or has.get("avx512_bf16"))


def agreement(ours: Form, plain: Form) -> str:
    """How near losses and gradients are, before either form has learned anything."""
    losses = [form.loss().item() for form in (plain, ours)]
    gradients = [form.gradient() for form in (plain, ours)]
    apart = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    return (
        f"loss {losses[0]:.6f} plain, {losses[1]:.6f} ours "
        f"({abs(losses[1] / losses[0] - 1):.1e} apart); gradients {apart:.1e} apart (relative norm)"
    )


def taking_turns(
    works: dict[str, Callable[[], object]], repeats: int
) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) seconds of each work, `repeats` times after one unmeasured round."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            synchronize()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: seconds[1:] for name, seconds in times.items()}


def step_rows(forms: dict[str, Form], repeats: int, threads: int) -> list[str]:
    """Seconds per image of whole steps, and their ratios to the first form."""
    torch.set_num_threads(threads)
    times = taking_turns({name: form.step for name, form in forms.items()}, repeats)
    first = next(iter(times.values()))
    rows = []
    for name, seconds in times.items():
        wall, cpu = ([pair[k] / BATCH_SIZE for pair in seconds] for k in (0, 1))
        ratios = (median(a[k] / b[k] for a, b in zip(first, seconds, strict=True)) for k in (0, 1))
        cells = (
            *(name, threads, f"{median(wall):.3f}", f"{min(wall):.3f} to {max(wall):.3f}"),
            *(f"{median(cpu):.3f}", *(f"{ratio:.2f}" for ratio in ratios)),
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def seconds_of_parts(form: Form, repeats: int) -> list[float]:
    """CPU seconds per image of `PARTS`, on one thread."""
    torch.set_num_threads(1)
    works: dict[str, Callable[[], object]] = {
        "network": lambda: form.network_alone().backward(),
        "losses": lambda: form.losses_alone().backward(),
        "optimiser": form.optimiser.step,
    }
    times = taking_turns(works, repeats)
    cpu = {name: median(pair[1] for pair in pairs) / BATCH_SIZE for name, pairs in times.items()}
    convolutions = cpu["network"] * share_of_convolutions(form)
    return [convolutions, cpu["network"] - convolutions, cpu["losses"], cpu["optimiser"]]


def share_of_convolutions(form: Form) -> float:
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        form.network_alone().backward()
    own = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    return sum(t for name, t in own.items() if "convolution" in name) / sum(own.values())


def part_rows(forms: dict[str, Form], repeats: int) -> list[str]:
    columns = [seconds_of_parts(form, repeats) for form in forms.values()]
    sums = [sum(column) for column in columns]
    rows = []
    for name, *seconds in zip(PARTS, *columns, strict=True):
        cells = [f"{t:.3f} ({t / total:.0%})" for t, total in zip(seconds, sums, strict=True)]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def report(data: Path, repeats: int, threads: Sequence[int], device: str) -> str:
    torch.manual_seed(0)
    header = f"### {setting(device)}"
    with TemporaryDirectory() as folder:
        batch = real_batch(data, Path(folder)).to(device)
    ours = our_form(batch)
    forms = {"plain": plain_form(batch, ours.network), "leadline": ours}
    torch.backends.cudnn.allow_tf32 = False
    lines = [header, "", f"Before the first step: {agreement(ours, forms['plain'])}.", ""]
    torch.backends.cudnn.allow_tf32 = True
    timed = dict(forms)
    if multiplies_in_bfloat16(device):
        timed["leadline, bfloat16"] = in_bfloat16(ours, device)
    else:
        lines += [
            "bfloat16 is not measured: this (virtual) processor shows no instructions for it.",
            "",
        ]
    lines += [
        "| step | threads | wall s per image | least to most | CPU s per image "
        "| wall ratio | CPU ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(row for number in threads for row in step_rows(timed, repeats, number)),
    ]
    if device == "cpu":
        lines += [
            "",
            f"| CPU s per image, one thread | {' | '.join(forms)} |",
            "|---|---:|---:|",
            *part_rows(forms, repeats),
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_argument(parser)
    device_argument(parser)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--record", action="store_true", help=f"add the tables to {PAGE.name}")
    arguments = parser.parse_args()
    text = report(arguments.data, arguments.repeats, arguments.threads, arguments.device)
    print(text)
    if arguments.record:
        record(PAGE, text)


if __name__ == "__main__":
    main()
