"""What is varied at random in training: scale and place, mirroring, swapping, and one draw of
colours per item.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from leadline.data.colour_jitter import jitter_colours
from leadline.data.zoom import draw_window, show_window
from leadline.geometry.camera import flip_intrinsics
from leadline.geometry.pose import invert_pose, mirror_pose
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch, Sample

Flip = Literal["none", "mirror", "swap"]
"""Never, mirror the images and the geometry [monodepth2], or mirror and swap the pair
[monodepth]."""

FLIP_PROBABILITY = 0.5
JITTER_PROBABILITY = 0.5
FACTOR_RANGE = (0.8, 1.2)
"""Of brightness, contrast and saturation [monodepth2]."""
HUE_RANGE = (-0.1, 0.1)
"""In turns of the colour circle [monodepth2]."""
_SEEDS = 2**63


@dataclass(frozen=True)
class Augmentation:
    """Which of the variations are on."""

    flip: Flip = "mirror"
    jitter: bool = True
    zoom: float = 1.0
    """Up to how many times larger a part of the image is shown instead of the whole."""


def augment(
    sample: Sample,
    settings: Augmentation,
    generator: np.random.Generator,
    size: tuple[int, int] | None = None,
) -> Sample:
    """The sample at `size` (h, w), by default its own, with its seed, its jitter, zoomed and, one
    time in two, flipped.

    Always draws the same numbers in the same order, whatever is on: switching the flip off leaves
    the colours as they were.
    """
    seed = int(generator.integers(_SEEDS))
    flip, jitter = generator.random(2) < (FLIP_PROBABILITY, JITTER_PROBABILITY)
    factors = [*generator.uniform(*FACTOR_RANGE, size=3), generator.uniform(*HUE_RANGE)]
    height, width = sample.images[TARGET].shape[-2:]
    window = draw_window((height, width), settings.zoom, generator)
    sample = show_window(replace(sample, seed=seed), window, size or (height, width))
    if jitter and settings.jitter:
        sample = replace(sample, jitter=torch.tensor(factors, dtype=torch.float32))
    if flip and settings.flip == "mirror":
        return flipped(sample)
    if flip and settings.flip == "swap":
        return swap_and_mirror(sample)
    return sample


def flipped(sample: Sample) -> Sample:
    """The same scene in a mirror: images, hint and its confidence, depth and mask are mirrored, cx
    becomes w - 1 - cx, and every pose is conjugated with diag(-1, 1, 1, 1).

    The pair is not swapped: a right source of a left target now stands on the left.
    """
    width = sample.images[TARGET].shape[-1]
    return replace(
        sample,
        images=_mirrored(sample.images),
        intrinsics=_flipped_intrinsics(sample.intrinsics, width),
        known_poses={offset: mirror_pose(pose) for offset, pose in sample.known_poses.items()},
        hint=_mirrored_map(sample.hint),
        hint_confidence=_mirrored_map(sample.hint_confidence),
        depth=_mirrored_map(sample.depth),
        loss_mask=_mirrored_map(sample.loss_mask),
    )


def swap_and_mirror(sample: Sample) -> Sample:
    """The stereo flip of [monodepth]: mirrored, then swapped, so that the left image stays left.

    Raises:
        ValueError: there is more than the pair; hints, depth and other sources belong to the
            target and cannot follow it to the other camera.
    """
    target_only = (sample.hint, sample.hint_confidence, sample.depth, sample.loss_mask)
    if set(sample.images) != {TARGET, STEREO} or any(item is not None for item in target_only):
        offsets = ", ".join(str(offset) for offset in sample.images)
        raise ValueError(
            f"{sample.id}: flip 'swap' expects a stereo pair without hints, depth or mask, got "
            f"frames {offsets}; use flip 'mirror'"
        )
    mirror = flipped(sample)
    return replace(
        mirror,
        images=_swapped(mirror.images),
        intrinsics=None if mirror.intrinsics is None else _swapped(mirror.intrinsics),
        known_poses={
            offset: invert_pose(pose[None])[0] for offset, pose in mirror.known_poses.items()
        },
    )


def apply_jitter(batch: Batch) -> Batch:
    """The batch with `inputs` made from `images` by its jitter, on whatever device it is."""
    if batch.jitter is None:
        return replace(batch, inputs=batch.images)
    sources = list(batch.images)
    stacked = torch.cat([batch.images[offset] for offset in sources])
    coloured = jitter_colours(stacked, batch.jitter.repeat(len(sources), 1))
    return replace(batch, inputs=dict(zip(sources, coloured.chunk(len(sources)), strict=True)))


def _mirrored_map(values: Shaped[Tensor, "1 h w"] | None) -> Shaped[Tensor, "1 h w"] | None:
    return None if values is None else values.flip(-1)


def _mirrored(
    images: Mapping[Offset, Shaped[Tensor, "_ h w"]],
) -> dict[Offset, Shaped[Tensor, "_ h w"]]:
    return {offset: image.flip(-1) for offset, image in images.items()}


def _flipped_intrinsics(
    intrinsics: Mapping[Offset, Float[Tensor, "3 3"]] | None, width: int
) -> dict[Offset, Float[Tensor, "3 3"]] | None:
    if intrinsics is None:
        return None
    return {offset: flip_intrinsics(matrix, width) for offset, matrix in intrinsics.items()}


def _swapped(items: Mapping[Offset, Tensor]) -> dict[Offset, Tensor]:
    return {TARGET: items[STEREO], STEREO: items[TARGET]}
