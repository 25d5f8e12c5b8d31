"""Frame id + offsets -> `Sample`: images at the training size and the geometry that fits them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from leadline.data.augment import Augmentation, augment
from leadline.data.cache import SampleCache
from leadline.data.confidence_files import CERTAIN
from leadline.data.crop_bottom import upper_rows
from leadline.data.hint_maps import load_confidence, load_hint
from leadline.data.image_tensors import load_image
from leadline.data.looking import looking_as_target
from leadline.data.randomness import Purpose, counted_generator
from leadline.data.rotation import black_beyond_pictures
from leadline.data.sampler import Draw
from leadline.data.sources.base import FrameId, Source
from leadline.data.sparse import is_dense, resize_depth
from leadline.geometry.camera import resize_intrinsics
from leadline.offset import TARGET, Offset
from leadline.types import Sample

REPLACEMENTS = 7
"""Frames tried in place of a damaged one; if they are damaged as well, something else is wrong."""


@dataclass(frozen=True)
class Extras:
    """What a sample holds beside images and cameras."""

    hints: Path | None = None
    """Folder of hint files, mirroring the source; a frame without one has no hint."""
    hint_confidence: bool = False
    """Whether to read how far each hint is to be trusted."""
    depth: bool = False
    """Whether to read true depth, where there is some."""
    looking_as_target: bool = False
    """Whether sources in time are turned back, by what the source tells of turns."""


class DepthDataset(Dataset[Sample]):
    """The samples of `frames`, each with the frames at `offsets`, at `size` (h, w), or windows of
    that where the augmentation asks for them.

    Files are read, and cached, at `reading_size`, by default `size`: what is to be zoomed wants
    more pixels. Before that `crop_bottom`, a share of the height, is cut off at the bottom of all
    that is seen, measured or hinted.
    Native sizes and cameras may differ from frame to frame. An item is asked for by a `Draw`
    (epoch, item); a bare number means epoch 0. What is random about it depends on (seed,
    epoch, item) alone. A frame whose files prove damaged only now, in their middle, is told of once
    per process, and the next one takes its place, always the same.
    """

    def __init__(
        self,
        source: Source,
        frames: Sequence[FrameId],
        offsets: Sequence[Offset],
        size: tuple[int, int],
        *,
        extras: Extras | None = None,
        augmentation: Augmentation | None = None,
        reading_size: tuple[int, int] | None = None,
        crop_bottom: float = 0.0,
        cache: SampleCache | None = None,
        seed: int = 0,
    ) -> None:
        self.source = source
        self.frames = tuple(frames)
        self.offsets = tuple(dict.fromkeys((TARGET, *offsets)))
        self.size = size
        self.reading_size = reading_size or size
        self.crop_bottom = crop_bottom
        self.extras = extras or Extras()
        self.augmentation = augmentation or Augmentation(flip="none", jitter=False)
        self.cache = cache
        self.seed = seed
        self._told: set[FrameId] = set()

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, draw: Draw | int) -> Sample:
        epoch, item = (0, draw) if isinstance(draw, int) else draw
        generator = counted_generator(self.seed, epoch, item, Purpose.AUGMENTATION)
        return augment(self._read_or_replace(item), self.augmentation, generator, self.size)

    def _read_or_replace(self, item: int) -> Sample:
        complaints = []
        for place in range(item, item + 1 + min(REPLACEMENTS, len(self) - 1)):
            frame = self.frames[place % len(self)]
            try:
                return self.read(frame)
            except (ValueError, FileNotFoundError) as error:
                complaints.append(error)
                if frame not in self._told:
                    self._told.add(frame)
                    print(f"leadline: left out {frame}: {error}", file=sys.stderr, flush=True)
        raise complaints[0]

    def read(self, target: FrameId) -> Sample:
        """The sample of a target frame as it is on disk, nothing varied, at `reading_size`.

        Raises:
            FileNotFoundError, ValueError: a file is gone or damaged, named in one line.
        """
        found = {offset: self.source.neighbour(target, offset) for offset in self.offsets}
        present = {offset: frame for offset, frame in found.items() if frame is not None}
        if TARGET not in present:
            raise FileNotFoundError(f"{target}: expected an image of the source, found none")
        hint, (depth, dense) = self._hint(target), self._depth(target)
        moved = {offset: frame for offset, frame in present.items() if _is_in_time_only(offset)}
        sample = Sample(
            id=str(target),
            images={offset: self._image(frame) for offset, frame in present.items()},
            intrinsics=self._intrinsics(present),
            known_poses=self._known_poses(target, present),
            distance={offset: self.source.distance(target, f) for offset, f in moved.items()},
            seconds={offset: self.source.seconds(target, f) for offset, f in moved.items()},
            hint=hint,
            hint_confidence=self._hint_confidence(target, hint),
            depth=depth,
            depth_is_dense=dense,
            pixel_aspect=self._pixel_aspect(target),
        )
        if not self.extras.looking_as_target:
            return sample
        turns = {offset: self.source.turn(target, frame) for offset, frame in moved.items()}
        return looking_as_target(sample, {o: turn for o, turn in turns.items() if turn is not None})

    def shown(self, target: FrameId) -> Sample:
        """The same as a network is shown it that is not trained on it: what comes from beyond a
        picture is black, as in training.
        """
        return black_beyond_pictures(self.read(target))

    def _image(self, frame: FrameId) -> UInt8[Tensor, "3 h w"]:
        cached = self.cache.image(frame) if self.cache is not None else None
        if cached is not None:
            return cached
        path, native = self.source.image_path(frame), self.source.size(frame)
        return load_image(path, self.reading_size, native, crop_bottom=self.crop_bottom)

    def _intrinsics(self, present: dict[Offset, FrameId]) -> dict[Offset, Tensor] | None:
        cameras = {offset: self.source.camera(frame) for offset, frame in present.items()}
        resized = {
            offset: resize_intrinsics(
                torch.from_numpy(camera.intrinsics), self._kept(camera.size), self.reading_size
            ).float()
            for offset, camera in cameras.items()
            if camera is not None
        }
        return resized if TARGET in resized else None

    def _known_poses(
        self, target: FrameId, present: dict[Offset, FrameId]
    ) -> dict[Offset, Float[Tensor, "4 4"]]:
        poses = {
            offset: self.source.target_to_source(target, frame)
            for offset, frame in present.items()
            if offset != TARGET
        }
        return {
            offset: torch.from_numpy(pose).float()
            for offset, pose in poses.items()
            if pose is not None
        }

    def _hint(self, target: FrameId) -> Float[Tensor, "1 h w"] | None:
        if self.extras.hints is None:
            return None
        cached = self.cache.hint(target) if self.cache is not None else None
        if cached is not None:
            return cached
        return load_hint(
            self.source, self.extras.hints, target, self.reading_size, self.crop_bottom
        )

    def _hint_confidence(
        self, target: FrameId, hint: Float[Tensor, "1 h w"] | None
    ) -> Float[Tensor, "1 h w"] | None:
        if self.extras.hints is None or hint is None or not self.extras.hint_confidence:
            return None
        stored = self.cache.hint_confidence(target) if self.cache is not None else None
        if stored is None:
            stored = load_confidence(
                self.source, self.extras.hints, target, self.reading_size, self.crop_bottom
            )
        # Whatever a file says, of a missing hint nothing is certain.
        return None if stored is None else (stored * (hint > 0)) / CERTAIN

    def _depth(self, target: FrameId) -> tuple[Float[Tensor, "1 h w"] | None, bool]:
        """True depth, and whether it is dense."""
        depth = self.source.true_depth(target) if self.extras.depth else None
        if depth is None:
            return None, False
        dense = is_dense(depth)
        kept = depth[: upper_rows(len(depth), self.crop_bottom)]
        return torch.from_numpy(resize_depth(kept, self.reading_size, dense))[None], dense

    def _pixel_aspect(self, target: FrameId) -> float:
        # Nobody else asks, and for a cached image it would open the file.
        if not self.augmentation.rotation or self.source.camera(target) is not None:
            return 1.0
        kept = self._kept(self.source.size(target))
        return (self.reading_size[1] * kept[0]) / (kept[1] * self.reading_size[0])

    def _kept(self, native: tuple[int, int]) -> tuple[int, int]:
        # What is cut off below moves no pixel: intrinsics stay, for an image less high.
        return upper_rows(native[0], self.crop_bottom), native[1]


def _is_in_time_only(offset: Offset) -> bool:
    return offset.camera == 0 and offset.time != 0
