"""What the benchmarks of speed read and write: a real stereo drive with hints, dated tables."""

import argparse
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import cv2
import torch
from PIL import features
from torch import Tensor, nn

from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.kitti import KittiRaw
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob, make_hints
from leadline.offset import STEREO

HEIGHT, WIDTH = 192, 640
JPEG_DRIVE, PNG_DRIVE = "drive_unidentified_sync", "drive_0023_sync"


def data_argument(parser: argparse.ArgumentParser) -> None:
    """`--data`, the folder that holds `kitti_raw`."""
    default = os.environ.get("LEADLINE_REAL_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default), help="holds kitti_raw/")


def device_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def synchronize() -> None:
    """Wait for the GPU, if there is one, before a clock is read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def open_drives(data: Path) -> KittiRaw:
    return KittiRaw(data / "kitti_raw")


def left_frames(source: Source, drive: str, count: int) -> list[FrameId]:
    """The first left images of a drive that have a right one."""
    frames = [f for f in source.frames if f.sequence.endswith(drive) and f.camera == 0]
    return [f for f in frames if source.neighbour(f, STEREO) is not None][:count]


def write_hints(source: Source, frames: list[FrameId], folder: Path) -> None:
    """Hints of one matcher: how good they are does not matter here."""
    for frame in frames:
        partner = source.neighbour(frame, STEREO)
        assert partner is not None
        paths = source.image_path(frame), source.image_path(partner)
        make_hints(HintJob(*paths, source.hint_path(frame)), HintMethod("single"), folder)


def take_step(loss: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss().backward()
    optimiser.step()


def flat_gradient(loss: Callable[[], Tensor], network: nn.Module) -> Tensor:
    """Of all weights that learn, side by side."""
    network.zero_grad()
    loss().backward()
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def setting(device: str = "cpu") -> str:
    """Date, processor and versions, in one line."""
    processor = torch.cpu.get_capabilities().get("cpu_name", "unknown processor")
    if device != "cpu":
        processor = f"{torch.cuda.get_device_name(device)}; {processor}"
    extension = torch.backends.cpu.get_cpu_capability()
    return (
        f"{date.today()}; {processor}, {extension}, {os.cpu_count()} cores; load before the run "
        f"{os.getloadavg()[0]:.1f}; torch {torch.__version__}, OpenCV {cv2.__version__}, "
        f"Pillow with zlib {features.version('zlib')}"
    )


def record(path: Path, text: str) -> None:
    """Add a measurement to the end of a table's page."""
    with path.open("a") as page:
        page.write(f"\n{text}\n")
