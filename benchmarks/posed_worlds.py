"""Two data sets of which depth and motion are known: what of them is trained on, what is tested."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from small_world import WORLD, prepare

from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.splits import read_split
from leadline.offset import TARGET, Offset
from leadline.types import Batch

NEXT = Offset(time=1)
TRAINED, TESTED = 80, 20
"""Frames of the kitchen, first and last."""


@dataclass(frozen=True)
class World:
    """A data set, what of it is trained on and tested, and the settings that fit it."""

    name: str
    source: dict[str, object]
    trained: str
    """File of a split."""
    tested: Sequence[FrameId]
    size: tuple[int, int]
    unit: float
    depths: tuple[float, float]
    """In network units."""

    def opened(self) -> Source:
        kinds = {"KittiRaw": KittiRaw, "RgbdSequences": RgbdSequences}
        kind = kinds[str(self.source["class_path"]).rpartition(".")[2]]
        return kind(**cast(dict[str, str], self.source["init_args"]))

    def batches(self, frames: Sequence[FrameId]) -> Iterator[Batch]:
        """One frame and the next, with true depth and motion."""
        data = DepthDataset(self.opened(), frames, (NEXT,), self.size, extras=Extras(depth=True))
        for frame in data.frames:
            sample = data.read(frame)
            if NEXT in sample.images and NEXT in sample.known_poses:
                yield collate([sample], (TARGET, NEXT), self.unit)

    def frames_trained_on(self) -> list[FrameId]:
        return read_split(Path(self.trained))

    def first_depth(self) -> float:
        return math.sqrt(self.depths[0] * self.depths[1])


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
