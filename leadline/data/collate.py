"""Samples -> one batch: stacked, in [0, 1], with every gap marked as a gap."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.data.gamma_jitter import DRAWS
from leadline.offset import TARGET, Offset
from leadline.types import Batch, Sample

_WHITE = 255
"""Largest value of an 8-bit image."""
_NO_JITTER = (1.0, 1.0, 1.0, 0.0)
_NO_GAMMA = (1.0,) * DRAWS


def collate(
    samples: Sequence[Sample], offsets: Sequence[Offset] | None = None, unit: float = 1.0
) -> Batch:
    """One batch of the samples, with the frames of `offsets` (by default, of any sample).

    A frame that a sample lacks is black, unavailable, and has the target's intrinsics (they must be
    invertible); its pose, distance and seconds are NaN. A hint, its
    confidence or depth that a sample lacks is 0.
    `inputs` are the images themselves until `leadline.data.augment.apply_jitter` replaces them.

    Raises:
        ValueError: the samples differ in size, or only some have a camera.
    """
    if offsets is None:
        offsets = list(dict.fromkeys(offset for sample in samples for offset in sample.images))
    images = {offset: _images(samples, offset) for offset in offsets}
    return Batch(
        ids=tuple(sample.id for sample in samples),
        images=images,
        inputs=images,
        available={offset: _available(samples, offset) for offset in offsets},
        intrinsics=_intrinsics(samples, offsets),
        known_poses=_known_poses(samples, offsets),
        distance=_numbers(samples, offsets, lambda sample: sample.distance),
        seconds=_numbers(samples, offsets, lambda sample: sample.seconds),
        hint=_maps(samples, "hints", [sample.hint for sample in samples], 0.0),
        hint_confidence=_maps(
            samples, "confidence of hints", [sample.hint_confidence for sample in samples], 0.0
        ),
        depth=_maps(samples, "depth", [sample.depth for sample in samples], 0.0),
        loss_mask=_maps(samples, "loss masks", [sample.loss_mask for sample in samples], True),
        in_picture=_in_picture(samples, offsets),
        jitter=_factors(samples, "jitter", [sample.jitter for sample in samples], _NO_JITTER),
        gamma=_factors(samples, "gamma", [sample.gamma for sample in samples], _NO_GAMMA),
        zoom=_zoom(samples),
        seeds=torch.tensor([sample.seed for sample in samples], dtype=torch.int64),
        unit=unit,
    )


def _images(samples: Sequence[Sample], offset: Offset) -> Float[Tensor, "b 3 h w"]:
    black = torch.zeros_like(samples[0].images[TARGET])
    items = [sample.images.get(offset) for sample in samples]
    return _stack(samples, "images", items, black).float().div_(_WHITE)


def _maps(
    samples: Sequence[Sample], name: str, items: Sequence[Tensor | None], absent: float
) -> Tensor | None:
    present = next((item for item in items if item is not None), None)
    if present is None:
        return None
    return _stack(samples, name, items, torch.full_like(present, absent))


def _stack(
    samples: Sequence[Sample], name: str, items: Sequence[Tensor | None], absent: Tensor
) -> Tensor:
    for sample, item in zip(samples, items, strict=True):
        if item is not None and item.shape != absent.shape:
            raise ValueError(
                f"{sample.id}: expected {name} of one size in a batch, got {tuple(item.shape)} "
                f"after {tuple(absent.shape)}; resize them when the sample is made"
            )
    return torch.stack([absent if item is None else item for item in items])


def _in_picture(
    samples: Sequence[Sample], offsets: Sequence[Offset]
) -> dict[Offset, Bool[Tensor, "b 1 h w"]]:
    if not any(sample.in_picture for sample in samples):
        return {}
    everywhere = torch.ones_like(samples[0].images[TARGET][:1], dtype=torch.bool)
    return {
        offset: _stack(
            samples, "masks", [sample.in_picture.get(offset) for sample in samples], everywhere
        )
        for offset in offsets
    }


def _factors(
    samples: Sequence[Sample],
    name: str,
    items: Sequence[Tensor | None],
    unchanged: tuple[float, ...],
) -> Float[Tensor, "b _"] | None:
    if all(item is None for item in items):
        return None
    return _stack(samples, name, items, torch.tensor(unchanged))


def _zoom(samples: Sequence[Sample]) -> Float[Tensor, "b"] | None:
    zooms = [sample.zoom for sample in samples]
    return None if set(zooms) == {1.0} else torch.tensor(zooms)


def _available(samples: Sequence[Sample], offset: Offset) -> Bool[Tensor, "b"]:
    return torch.tensor([offset in sample.images for sample in samples])


def _intrinsics(
    samples: Sequence[Sample], offsets: Sequence[Offset]
) -> dict[Offset, Float[Tensor, "b 3 3"]] | None:
    cameras = [sample.intrinsics for sample in samples if sample.intrinsics is not None]
    if not cameras:
        return None
    if len(cameras) < len(samples):
        bare = next(sample.id for sample in samples if sample.intrinsics is None)
        raise ValueError(
            f"{bare}: expected intrinsics as the rest of the batch has, got none; "
            "do not mix calibrated and uncalibrated data"
        )
    return {
        offset: torch.stack([camera.get(offset, camera[TARGET]) for camera in cameras])
        for offset in offsets
    }


def _known_poses(
    samples: Sequence[Sample], offsets: Sequence[Offset]
) -> dict[Offset, Float[Tensor, "b 4 4"]]:
    unknown = torch.full((4, 4), math.nan)
    return {
        offset: torch.stack([sample.known_poses.get(offset, unknown) for sample in samples])
        for offset in offsets
        if any(offset in sample.known_poses for sample in samples)
    }


def _numbers(
    samples: Sequence[Sample],
    offsets: Sequence[Offset],
    choose: Callable[[Sample], Mapping[Offset, float]],
) -> dict[Offset, Float[Tensor, "b"]]:
    return {
        offset: torch.tensor([choose(sample).get(offset, math.nan) for sample in samples])
        for offset in offsets
        if any(offset in choose(sample) for sample in samples)
    }
