"""What is varied at random in training: roll, scale and place, mirroring, swapping, and one draw of
colours per item.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from leadline.data.colour_jitter import jitter_colours
from leadline.data.gamma_jitter import DRAWS, PUBLISHED_RANGES, GammaJitter, jitter_gamma
from leadline.data.rotation import black_beyond_pictures, check_rotation, rolled
from leadline.data.zoom import draw_window, show_window
from leadline.geometry.camera import flip_intrinsics
from leadline.geometry.pose import invert_pose, mirror_pose
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch, Sample

Flip = Literal["none", "mirror", "swap"]
"""Never, mirror the images and the geometry [monodepth2], or mirror and swap the pair
[monodepth]."""
Jitter = bool | Literal["gamma"]
"""Brightness, contrast, saturation and hue [monodepth2] or not, or gamma, brightness and each
colour [monodepth]."""

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
    jitter: Jitter = True
    zoom: float = 1.0
    """Up to how many times larger a part of the image is shown instead of the whole."""
    rotation: float = 0.0
    """Up to how many degrees all cameras are rolled, either way."""
    window: tuple[int, int] | None = None
    """(h, w) of the part of the image that is shown instead of the whole."""
    gamma_jitter: GammaJitter = PUBLISHED_RANGES

    def check(self, pair_alone: bool) -> None:
        """Refuse a rotation or a zoom that is none, and swapping of what is no `pair_alone`.

        Raises:
            ValueError: it is out of its range, or there is more than the images of a pair.
        """
        check_rotation(self.rotation)
        if not self.zoom >= 1:
            raise ValueError(f"zoom: expected 1 or more, got {self.zoom}")
        if self.flip == "swap" and not pair_alone:
            raise ValueError(
                "flip 'swap' expects frames [0, stereo] without hints and train_depth, which "
                "belong to one camera; use flip 'mirror'"
            )


def augment(
    sample: Sample,
    settings: Augmentation,
    generator: np.random.Generator,
    size: tuple[int, int] | None = None,
) -> Sample:
    """The sample at `size` (h, w), by default its own, or the window of that which the settings
    ask for: with its seed, its jitter, rolled, zoomed and, one time in two, flipped.

    Always draws the same numbers in the same order, whatever is on: switching the flip off leaves
    the colours as they were.
    """
    seed = int(generator.integers(_SEEDS))
    flip, jitter = generator.random(2) < (FLIP_PROBABILITY, JITTER_PROBABILITY)
    factors = [*generator.uniform(*FACTOR_RANGE, size=3), generator.uniform(*HUE_RANGE)]
    height, width = sample.images[TARGET].shape[-2:]
    picture = size or (height, width)
    shown = settings.window or picture
    part = (shown[0] / picture[0], shown[1] / picture[1])
    window = draw_window((height, width), settings.zoom, generator, part)
    turn, *gamma_shares = generator.random(1 + DRAWS)
    if settings.rotation:
        # Before anything is cut off: a corner of a window may still have a picture to turn in.
        sample = rolled(sample, math.radians(settings.rotation) * (2 * turn - 1))
    sample = show_window(replace(sample, seed=seed), window, shown, picture)
    if jitter and settings.jitter == "gamma":
        sample = replace(sample, gamma=settings.gamma_jitter.scaled(np.array(gamma_shares)))
    elif jitter and settings.jitter:
        sample = replace(sample, jitter=torch.tensor(factors, dtype=torch.float32))
    if flip and settings.flip == "mirror":
        sample = flipped(sample)
    elif flip and settings.flip == "swap":
        sample = swap_and_mirror(sample)
    return black_beyond_pictures(sample)


def flipped(sample: Sample) -> Sample:
    """The same scene in a mirror: images, hint and its confidence, depth and masks are mirrored, cx
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
        in_picture=_mirrored(sample.in_picture),
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
        in_picture=_swapped(mirror.in_picture) if mirror.in_picture else {},
        intrinsics=None if mirror.intrinsics is None else _swapped(mirror.intrinsics),
        known_poses={
            offset: invert_pose(pose[None])[0] for offset, pose in mirror.known_poses.items()
        },
    )


def apply_jitter(batch: Batch) -> Batch:
    """The batch with `inputs` made from `images` by its jitter, on whatever device it is."""
    inputs = batch.images
    if batch.jitter is not None:
        inputs = _coloured(inputs, jitter_colours, batch.jitter)
    if batch.gamma is not None:
        inputs = _coloured(inputs, jitter_gamma, batch.gamma)
    return replace(batch, inputs=inputs)


def _coloured(
    images: Mapping[Offset, Float[Tensor, "b 3 h w"]],
    change: Callable[[Tensor, Tensor], Tensor],
    factors: Float[Tensor, "b _"],
) -> dict[Offset, Float[Tensor, "b 3 h w"]]:
    """All frames of a sample by the same factors, in one look."""
    changed = change(torch.cat(list(images.values())), factors.repeat(len(images), 1))
    return dict(zip(images, changed.chunk(len(images)), strict=True))


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
