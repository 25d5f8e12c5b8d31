"""Frames of a sequence -> the path of its camera, by the motions that a network sees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from leadline.data.sources.base import FrameId, Source
from leadline.inference.frames import FrameReader
from leadline.inference.predictor import DepthPredictor
from leadline.inference.trained_recipe import TrainedRecipe, load_trained_recipe
from leadline.metrics.trajectory import CameraPath
from leadline.networks.pose import JointPoseNetwork
from leadline.offset import TARGET, Offset
from leadline.synthesis.predict import DepthAndPose
from leadline.types import Batch, Sample

BATCH = 8


@dataclass(frozen=True)
class PredictedPath:
    """A camera's way through frames that follow each other."""

    name: str
    """The sequence, and the first frame's number where it is not the sequence's first path."""
    frames: tuple[FrameId, ...]
    path: CameraPath
    """camera_to_world of each frame, the world being the first one's camera."""
    seconds: Float64[np.ndarray, "n"]
    """Since the first frame of the sequence; NaN where the data have no times."""
    truth: CameraPath | None
    """The same by recorded poses, where all frames have them."""


class PathPredictor:
    """The paths of a source's sequences, as its left or only camera went them.

    A path steps as the recipe's sources did: by the least number of frames between a target and a
    source, so that motions are as large as in training. Of a recipe with frames 0, -2, 2 it has
    every other frame. A network that sees more than two frames at once is shown all of them.

    Raises:
        FileNotFoundError, ValueError: as `load_trained_recipe` and `FrameReader`; or the model sees
            no motion, or was trained on pictures turned back.
    """

    def __init__(self, model_folder: Path, source: Source, device: str | None = None) -> None:
        recipe = load_trained_recipe(model_folder)
        steps = {offset.time for offset in recipe.offsets if offset.camera == 0 and offset.time}
        if not steps or not getattr(recipe.predictor, "predicts_motion", False):
            raise ValueError(
                f"{model_folder}: expected a model that sees motion in time, got one that was "
                "trained without; train it on video, with `pose:` in the recipe"
            )
        if recipe.hand_held.chooses:
            raise ValueError(
                f"{model_folder}: expected a model of frames as they come, got one that sees "
                "neighbours chosen and turned back (data.hand_held); train it without"
            )
        # A step forward where the recipe has one: a step back is the same pair, read backwards.
        self.step = Offset(min(steps, key=lambda step: (abs(step), step < 0)))
        model = DepthPredictor(recipe.predictor, recipe.config, device=device)
        self.metric = recipe.config.metric
        self._source = source
        frames = [frame for frame in source.frames if frame.camera == 0]
        seeing = _seeing(recipe, self.step)
        self._reader = FrameReader(model, seeing, source, frames)
        # Where another frame than the step's own cannot be read, the step is seen without it.
        pair = replace(seeing, offsets=(TARGET, self.step))
        self._pairs = FrameReader(model, pair, source, frames)
        self._predictor = recipe.predictor

    def paths(
        self,
        sequences: Sequence[str],
        failed: dict[FrameId, str],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[PredictedPath]:
        """Of each sequence one for every run of frames without a gap, of two frames or more; frames
        that cannot be read are noted in `failed` and end a run.
        """
        chains = [chain for name in sequences for chain in self._chains(name)]
        total, done = sum(len(chain) - 1 for chain in chains), 0
        first_of: dict[str, FrameId] = {}
        for chain in chains:
            motions: dict[FrameId, Float64[np.ndarray, "4 4"]] = {}
            for targets in _pieces(self._targets(chain), BATCH):
                motions |= self._motions(targets, failed)
                done += len(targets)
                progress(done, total)
            for run in self._runs(chain, motions):
                first = first_of.setdefault(run[0].sequence, run[0])
                suffix = "" if run[0] == first else f"_from_{run[0].index}"
                yield self._predicted(f"{self._name(run[0].sequence)}{suffix}", run, motions)

    def _name(self, sequence: str) -> str:
        """As the sequence, or as the data set where images lie in its own folder."""
        return self._source.root.resolve().name if sequence in ("", ".") else sequence

    def _chains(self, sequence: str) -> list[list[FrameId]]:
        """Runs of frames each of which is the next one's neighbour."""
        chains: list[list[FrameId]] = []
        stride = Offset(abs(self.step.time))
        last: FrameId | None = None
        for frame in self._source.sequences[sequence]:
            if frame.camera or (last is not None and frame.index <= last.index):
                continue
            chain = [frame]
            while (following := self._source.neighbour(chain[-1], stride)) is not None:
                chain.append(following)
            if len(chain) > 1:
                chains.append(chain)
            last = chain[-1]
        return chains

    def _targets(self, chain: Sequence[FrameId]) -> list[FrameId]:
        """The frames whose sources tell the chain's steps."""
        return list(chain[:-1] if self.step.time > 0 else chain[1:])

    def _motions(
        self, targets: Sequence[FrameId], failed: dict[FrameId, str]
    ) -> dict[FrameId, Float64[np.ndarray, "4 4"]]:
        """By the earlier frame of each step, the later camera in the earlier one's."""
        samples: dict[FrameId, Sample] = {}
        for target in targets:
            sample = self._reader.read(target, {}) or self._pairs.read(target, failed)
            if sample is not None and self.step in sample.images:
                samples[target] = sample
        if not samples:
            return {}
        with torch.inference_mode():
            batch = self._reader.batch(list(samples.values()))
            found = motions_of(self._predictor, batch)[self.step].cpu().double().numpy()
        if self.step.time > 0:
            return dict(zip(samples, np.linalg.inv(found), strict=True))
        earlier = [self._source.neighbour(target, self.step) for target in samples]
        return {
            frame: motion for frame, motion in zip(earlier, found, strict=True) if frame is not None
        }

    def _runs(
        self, chain: Sequence[FrameId], motions: Mapping[FrameId, Float64[np.ndarray, "4 4"]]
    ) -> Iterator[tuple[FrameId, ...]]:
        """Where every step is known."""
        run = [chain[0]]
        for before, after in pairwise(chain):
            if before in motions:
                run.append(after)
                continue
            if len(run) > 1:
                yield tuple(run)
            run = [after]
        if len(run) > 1:
            yield tuple(run)

    def _predicted(
        self,
        name: str,
        run: tuple[FrameId, ...],
        motions: Mapping[FrameId, Float64[np.ndarray, "4 4"]],
    ) -> PredictedPath:
        path = [np.eye(4)]
        for frame in run[:-1]:
            path.append(path[-1] @ motions[frame])
        first = self._source.sequences[run[0].sequence][0]
        seconds = [self._source.seconds(first, frame) for frame in run]
        return PredictedPath(name, run, np.stack(path), np.array(seconds), self._truth(run))

    def _truth(self, run: Sequence[FrameId]) -> CameraPath | None:
        motions = [self._source.recorded_motion(run[0], frame) for frame in run]
        known = [motion for motion in motions if motion is not None]
        return np.linalg.inv(np.stack(known)) if len(known) == len(run) else None


def motions_of(predictor: nn.Module, batch: Batch) -> Mapping[Offset, Tensor]:
    """target_to_source of each source as the network sees it, in metres; what the data know of
    motion is not asked.
    """
    if isinstance(predictor, DepthAndPose):
        return predictor.motions(batch)
    poses: Mapping[Offset, Tensor] = predictor(batch).poses
    return poses


def _seeing(recipe: TrainedRecipe, step: Offset) -> TrainedRecipe:
    """The recipe with no more sources than the network needs for a step."""
    pose = getattr(recipe.predictor, "pose", None)
    if isinstance(pose, JointPoseNetwork) and pose.sources is not None:
        in_time = [offset for offset in recipe.offsets if offset.camera == 0 and offset != TARGET]
        return replace(recipe, offsets=(TARGET, *in_time))
    return replace(recipe, offsets=(TARGET, step))


def _pieces(frames: Sequence[FrameId], size: int) -> Iterator[Sequence[FrameId]]:
    for first in range(0, len(frames), size):
        yield frames[first : first + size]
