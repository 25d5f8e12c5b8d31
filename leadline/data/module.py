"""Batches for a training run: everything that a configuration says about its data."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only

from leadline.data.augment import Augmentation, Flip, Jitter, apply_jitter
from leadline.data.cache import SampleCache, fill_cache
from leadline.data.collate import collate
from leadline.data.crop_bottom import check_crop_bottom
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.gamma_jitter import PUBLISHED_RANGES, GammaJitter
from leadline.data.hand_held import AS_THEY_COME, HandHeld, as_hand_held, sharing_pictures
from leadline.data.hint_maps import check_hints, hints_description
from leadline.data.rig import (
    RigSummary,
    check_network_baseline,
    knows_motion,
    metres_per_unit,
    rig_summary,
)
from leadline.data.sampler import CountedLoader, CountedSampler
from leadline.data.selection import Needs, Selection, select
from leadline.data.sources.base import FrameId, Source
from leadline.data.splits import split_apart
from leadline.data.standstill import STATIC, Static, check_static, standing_frames
from leadline.data.ways import Ways, ways_to_neighbours
from leadline.data.zoom import checked_window
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch

Neighbours = Literal["required", "optional"]
Partner = Literal["either", "right"]


class DepthData(LightningDataModule):
    """Training and validation batches from one source.

    Args:
        source: where images, cameras and truth are.
        frames: what each sample holds beside the target, e.g. `[0, -1, 1, stereo]`.
        height: of the images, in pixels.
        width: of the images, in pixels.
        batch_size: per device.
        workers: processes that read, per device; 0 reads in the training process.
        train_split: file of frames, or name of a list of the data set's own; all frames without it.
        val_split: the same to validate on; without it, `val_share` is held out.
        val_share: share of each sequence to hold out, one block at its end.
        neighbours: whether a target needs every frame of `frames`, or one source suffices.
        partner: `right` leaves out targets whose stereo partner stands to their left [monodepth].
        static: what becomes of training frames at which the camera stood still, known by the way
            travelled or else seen in the images; validation keeps them all the same.
        hand_held: whether neighbours in time are chosen by parallax, and turned back.
        hints: folder of hint files; every target must have one.
        hint_confidence: batches hold how far each hint is to be trusted; every hint must have a
            file that says it.
        train_depth: targets must have true depth, and training batches hold it.
        train_distance: targets must have a known speed.
        val_depth: validation batches hold true depth, where there is some.
        calibrated: targets must have intrinsics; without, whole sets without them can be read.
        flip: whether half the samples are mirrored, or mirrored and swapped.
        jitter: whether half the samples have their colours changed, as in [monodepth2], or, with
            `gamma`, as in [monodepth].
        gamma_jitter: the ranges of `jitter: gamma`.
        zoom: up to how many times larger a part of each image is shown in training, at random; its
            depth counts as so many times nearer [eigen2014]. 1 shows the whole, as it must where
            poses are predicted, unless the predictor has `zoomed_poses`.
        rotation: up to how many degrees the cameras of each sample are rolled in training, either
            way; what comes from beyond the pictures is black, and teaches nothing.
        window: (h, w) of the part of each picture, of height x width, that is shown in training, at
            random; validation shows the whole, and so does prediction. Not where poses are
            predicted.
        crop_bottom: share of the height, at the bottom, that is cut off: a vehicle's own bonnet.
        cache: folder of this data set alone, in which images and hints are kept at the training
            size, times `zoom`.
        limit: train on so many frames only, the first ones: a check of recipe and installation.
        unit: metres per network unit; by default baseline / `network_baseline` with a stereo frame,
            1 without.
        network_baseline: the baseline in network units, by default 0.1 [monodepth2]; of pairs, and
            where there is no `unit`.
        seed: of order, augmentation and noise.
    """

    def __init__(
        self,
        source: Source,
        frames: Sequence[int | str] = (0, "stereo"),
        height: int = 192,
        width: int = 640,
        batch_size: int = 12,
        workers: int = 4,
        train_split: Path | None = None,
        val_split: Path | None = None,
        val_share: float = 0.1,
        neighbours: Neighbours = "required",
        partner: Partner = "either",
        static: Static = "keep",
        hand_held: HandHeld = AS_THEY_COME,
        hints: Path | None = None,
        hint_confidence: bool = False,
        train_depth: bool = False,
        train_distance: bool = False,
        val_depth: bool = True,
        calibrated: bool = True,
        flip: Flip = "mirror",
        jitter: Jitter = True,
        gamma_jitter: GammaJitter = PUBLISHED_RANGES,
        zoom: float = 1.0,
        rotation: float = 0.0,
        window: Sequence[int] | None = None,
        crop_bottom: float = 0.0,
        cache: Path | None = None,
        limit: int | None = None,
        unit: float | None = None,
        network_baseline: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source = source
        self.offsets = _offsets(frames)
        self.size = (height, width)
        self.batch_size = batch_size
        self.workers = workers
        self.train_split = train_split
        self.val_split = val_split
        self.val_share = val_share
        self.needs = Needs(
            self.offsets,
            every_offset=neighbours == "required",
            partner_right=partner == "right",
            camera=calibrated,
            depth=train_depth,
            distance=train_distance,
            hints=hints,
            hint_confidence=hint_confidence,
        )
        self._extras = Extras(hints, hint_confidence, looking_as_target=hand_held.chooses)
        self.static = static
        self.hand_held = hand_held
        self.val_depth = val_depth
        self.reading_size = (math.ceil(height * zoom), math.ceil(width * zoom))
        self.augmentation = Augmentation(
            flip, jitter, zoom, rotation, checked_window(window, self.size), gamma_jitter
        )
        self.crop_bottom = crop_bottom
        self.cache = cache
        self.limit = limit
        check_network_baseline(network_baseline, self.offsets, unit)
        if unit is None:
            baseline = self.rig_summary().baseline
            unit = metres_per_unit(baseline, self.offsets, network_baseline)
        self.unit = unit
        self.seed = seed
        self._train: Selection | None = None
        self._val: Selection | None = None
        self._between = 0
        self._images: SampleCache | None = None
        self._seen = source
        """With the neighbours that were chosen, where some were."""
        self._check()

    def prepare_data(self) -> None:
        """Fill the cache, once per machine."""
        if self.cache is not None:
            workers = max(self.workers, 1)
            filled = fill_cache(
                self.source,
                self.cache,
                self.reading_size,
                workers,
                self.needs.hints,
                self.needs.hint_confidence,
                self.crop_bottom,
            )
            print(f"cache: {filled.written} files resized, {filled.kept} were there already")
            if self.static == "skip" or self.hand_held.chooses:
                # Measured once; all processes then read what the cache has of it.
                self._choose()

    def setup(self, stage: str | None = None) -> None:
        """Choose the frames and say which were skipped and why.

        Raises:
            ValueError: no frame can be used for training.
        """
        if self._train is not None:
            return
        chosen, self._val = self._choose()
        self._train = replace(chosen, frames=chosen.frames[: self.limit])
        if self.cache is not None:
            self._images = SampleCache(
                self.source,
                self.cache,
                self.reading_size,
                self.needs.hints,
                self.needs.hint_confidence,
                self.crop_bottom,
            )
        _print_once(self.report())
        self._train.check_any(Counter({"too near to validation": self._between}))

    def report(self) -> str:
        """What is trained and validated on, what was skipped, and why."""
        train, val = self.train_selection, self.val_selection
        lines = [*self._seen.remarks(), f"training: {train}"]
        if self._between:
            lines.append(f"  {self._between} left out beside frames held out for validation")
        lines.append(f"validation: {val}" if val.frames or val.skipped else "validation: none")
        lines.append(f"unit: {self.unit:g} m per network unit")
        if self._images is not None:
            lines.append(f"cache: {len(self._images)} of {len(self.source.frames)} images")
        return "\n".join(lines)

    def description(self) -> str:
        """Which data are trained and validated on, in one line that names no place of this machine;
        known after `setup`.
        """
        parts = [
            f"{self.source.root.resolve().name} ({type(self.source).__name__})",
            f"training on {self.train_selection.counted()}{_named(self.train_split)}",
            f"validation on {self.val_selection.counted()}{_named(self.val_split)}",
        ]
        if self.needs.hints is not None:
            made = hints_description(self.needs.hints)
            by = "" if made is None else f" ({made.replace(';', ',')})"
            parts.append(f"hints of {self.needs.hints.resolve().name}{by}")
        return "; ".join(parts)

    @property
    def train_selection(self) -> Selection:
        """The frames to train on; known after `setup`."""
        return _known(self._train)

    @property
    def val_selection(self) -> Selection:
        """The frames to validate on; known after `setup`."""
        return _known(self._val)

    def train_dataloader(self) -> CountedLoader:
        """Whole batches in a counted order, another one in each epoch.

        Raises:
            ValueError: there are fewer frames than one batch per device takes.
        """
        frames = self.train_selection.frames
        _, world_size = self._rank()
        if len(frames) < self.batch_size * world_size:
            raise ValueError(
                f"training: expected at least batch_size x devices = "
                f"{self.batch_size * world_size} frames, got {len(frames)}; lower batch_size or "
                "add images"
            )
        dataset = self._dataset(frames, self.needs.depth, self.augmentation, self.reading_size)
        return self._loader(dataset, shuffle=True)

    def val_dataloader(self) -> CountedLoader | list[CountedLoader]:
        """The validation frames in order, nothing varied; an empty list where there are none."""
        frames = self.val_selection.frames
        if not frames:
            return []
        depth = self.val_depth or self.needs.depth
        dataset = self._dataset(frames, depth, None, self.size)
        return self._loader(dataset, shuffle=False)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Colours are changed on the device."""
        return apply_jitter(batch)

    def is_metric(self) -> bool:
        """Whether the sources give the scale: another calibrated camera, or motion known in metres,
        which is warped by in place of a predicted one.
        """
        if STEREO in self.offsets and self.rig_summary().baseline is not None:
            return True
        return self.knows_motion([offset for offset in self.offsets if offset.time != 0])

    def knows_motion(self, offsets: Sequence[Offset]) -> bool:
        """Whether each sequence to train on knows the motion to a frame at one of `offsets`."""
        frames = self.source.frames if self._train is None else self._train.frames
        return knows_motion(self._seen, frames, offsets)

    def ways(self) -> Ways:
        """What the frames to train on know of the way to their neighbours in time: all are asked,
        which reads a file for each where a data set has one.
        """
        frames = self.source.frames if self._train is None else self._train.frames
        in_time = [offset for offset in self.offsets if offset.time != 0 and offset.camera == 0]
        return ways_to_neighbours(self._seen, frames, in_time)

    def rig_summary(self) -> RigSummary:
        """The typical camera and baseline of the source."""
        return rig_summary(self.source)

    def _choose(self) -> tuple[Selection, Selection]:
        """What can be trained and validated on."""
        reach = max(abs(offset.time) for offset in self.offsets) * self.source.frame_step
        train, val, dropped = split_apart(
            self.source, self.train_split, self.val_split, self.val_share, reach
        )
        frames, workers = [*train, *val], max(self.workers, 1)
        self._seen = seen = as_hand_held(
            self.source, frames, self.offsets, self.hand_held, self.cache, workers
        )
        shared: set[FrameId] = set()
        # Two lists that were both given are a published split and stay as they are.
        if self.hand_held.chooses and None in (self.train_split, self.val_split):
            shared = set(sharing_pictures(seen, train, val, self.offsets))
        self._between = len(dropped) + len(shared)
        chosen = select(seen, [frame for frame in train if frame not in shared], self.needs)
        if self.static == "skip":
            still = standing_frames(seen, chosen.frames, self.offsets, self.cache, workers)
            chosen = chosen.without(still, STATIC)
        return chosen, select(seen, val, self.needs)

    def _dataset(
        self,
        frames: Sequence[FrameId],
        depth: bool,
        augmentation: Augmentation | None,
        reading_size: tuple[int, int],
    ) -> DepthDataset:
        return DepthDataset(
            self._seen,
            frames,
            self.offsets,
            self.size,
            extras=replace(self._extras, depth=depth),
            augmentation=augmentation,
            reading_size=reading_size,
            crop_bottom=self.crop_bottom,
            cache=self._images if reading_size == self.reading_size else None,
            seed=self.seed,
        )

    def _loader(self, dataset: DepthDataset, shuffle: bool) -> CountedLoader:
        rank, world_size = self._rank()
        sampler = CountedSampler(
            len(dataset), self.seed, rank=rank, world_size=world_size, shuffle=shuffle
        )
        return CountedLoader(
            dataset,
            sampler,
            self.batch_size,
            self.workers,
            partial(collate, offsets=self.offsets, unit=self.unit),
            drop_last=shuffle,
        )

    def _rank(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _check(self) -> None:
        if min(self.size) < 1 or self.batch_size < 1:
            raise ValueError(
                f"expected positive height, width and batch_size, got {self.size[0]}, "
                f"{self.size[1]}, {self.batch_size}"
            )
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: expected 1 frame or more, got {self.limit}")
        if self.workers < 0:
            raise ValueError(f"workers: expected 0 (none beside this) or more, got {self.workers}")
        check_crop_bottom(self.crop_bottom)
        target_only = self.needs.depth or self.needs.hints is not None
        self.augmentation.check(set(self.offsets) == {TARGET, STEREO} and not target_only)
        if self.unit <= 0:
            raise ValueError(f"unit: expected metres per network unit, got {self.unit}")
        check_static(self.static, self.offsets)
        self.hand_held.check(self.offsets)
        check_hints(self.needs.hints, self.needs.hint_confidence)


def _offsets(frames: Sequence[int | str]) -> tuple[Offset, ...]:
    return tuple(dict.fromkeys((TARGET, *(Offset.parse(frame) for frame in frames))))


def _named(split: Path | None) -> str:
    return "" if split is None else f" (split {split.name})"


def _known(selection: Selection | None) -> Selection:
    if selection is None:
        raise RuntimeError("frames are chosen by setup(); call it first")
    return selection


@rank_zero_only
def _print_once(text: str) -> None:
    print(text)
