"""The contract: the quantities that travel between the rooms of Leadline.

Every length is in metres (or in the arbitrary unit of an unscaled video model, see `Batch.unit`),
every pixel coordinate has its centre at an integer, every pose is named by its direction. Absent
means `None` or a missing key; nothing here is keyed by strings or tuples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from leadline.offset import TARGET, Offset


def _map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_tensors(item, change) for key, item in value.items()}
    if isinstance(value, _Record):
        return value.map_tensors(change)
    return value


RecordT = TypeVar("RecordT", bound="_Record")


@dataclass(frozen=True)
class _Record:
    """A frozen dataclass whose tensors move as one; Lightning calls these methods if they exist."""

    def map_tensors(self: RecordT, change: Callable[[Tensor], Tensor]) -> RecordT:
        """A copy with `change` applied to every tensor, once to one that is held twice."""
        changed: dict[int, Tensor] = {}

        def once(tensor: Tensor) -> Tensor:
            if id(tensor) not in changed:
                changed[id(tensor)] = change(tensor)
            return changed[id(tensor)]

        return type(self)(
            **{f.name: _map_tensors(getattr(self, f.name), once) for f in fields(self)}
        )

    def to(self: RecordT, device: torch.device | str, non_blocking: bool = False) -> RecordT:
        """A copy on `device`."""
        return self.map_tensors(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self: RecordT) -> RecordT:
        """A copy in page-locked memory, from which transfers to a GPU need not wait."""
        return self.map_tensors(lambda tensor: tensor.pin_memory())


@dataclass(frozen=True)
class Sample:
    """One target frame and its sources as the loader makes them: `Batch` without the batch axis.

    Images stay 8-bit until they are collated, so that a worker moves a quarter of the bytes.
    """

    id: str
    images: Mapping[Offset, UInt8[Tensor, "3 h w"]]
    intrinsics: Mapping[Offset, Float[Tensor, "3 3"]] | None = None
    known_poses: Mapping[Offset, Float[Tensor, "4 4"]] = field(default_factory=dict)
    distance: Mapping[Offset, float] = field(default_factory=dict)
    seconds: Mapping[Offset, float] = field(default_factory=dict)
    hint: Float[Tensor, "1 h w"] | None = None
    hint_confidence: Float[Tensor, "1 h w"] | None = None
    depth: Float[Tensor, "1 _ _"] | None = None
    depth_is_dense: bool = False
    """Whether it was measured as a map of surfaces, not as single points: how it is resized."""
    loss_mask: Bool[Tensor, "1 h w"] | None = None
    in_picture: Mapping[Offset, Bool[Tensor, "1 h w"]] = field(default_factory=dict)
    """Where each frame shows what its camera saw; empty: everywhere."""
    jitter: Float[Tensor, "4"] | None = None
    """Factors of brightness, contrast and saturation, and the shift of hue in turns."""
    gamma: Float[Tensor, "5"] | None = None
    """Exponent of colours, then factors of brightness and of red, green and blue."""
    pixel_aspect: float = 1.0
    """fx / fy of the file's pixels at this size, taken for square ones: what a roll goes by where
    no intrinsics are known."""
    zoom: float = 1.0
    """How many times larger it shows things than the whole image does at this size."""
    seed: int = 0
    """Drawn from (seed, epoch, item): the source of every random number spent on this sample."""


@dataclass(frozen=True)
class Batch(_Record):
    """What one training step sees: `b` targets with their sources, all at one size."""

    ids: tuple[str, ...]
    images: Mapping[Offset, Float[Tensor, "b 3 h w"]]
    """Clean, in [0, 1]: what losses compare."""
    inputs: Mapping[Offset, Float[Tensor, "b 3 h w"]]
    """Augmented: what networks see."""
    available: Mapping[Offset, Bool[Tensor, "b"]]
    """A missing neighbour is absent, never a copy of the target: a copy would win every minimum."""
    intrinsics: Mapping[Offset, Float[Tensor, "b 3 3"]] | None = None
    """Pixels of (h, w); `None` where a data set has none."""
    known_poses: Mapping[Offset, Float[Tensor, "b 4 4"]] = field(default_factory=dict)
    """target_to_source in metres; NaN where a sample lacks it."""
    distance: Mapping[Offset, Float[Tensor, "b"]] = field(default_factory=dict)
    """Metres travelled between target and source (speed x time); NaN where unknown."""
    seconds: Mapping[Offset, Float[Tensor, "b"]] = field(default_factory=dict)
    """Time of the source minus time of the target; NaN where unknown."""
    hint: Float[Tensor, "b 1 h w"] | None = None
    """Proxy depth in metres, 0 = missing."""
    hint_confidence: Float[Tensor, "b 1 h w"] | None = None
    """How far each hint is to be trusted, in [0, 1]; 0 where there is none, or one that was filled
    in from its neighbours.
    """
    depth: Float[Tensor, "b 1 _ _"] | None = None
    """True depth in metres at a size of its own, 0 = none; never interpolated."""
    loss_mask: Bool[Tensor, "b 1 h w"] | None = None
    """False where no loss may look: the ego vehicle, the borders of a rotation."""
    in_picture: Mapping[Offset, Bool[Tensor, "b 1 h w"]] = field(default_factory=dict)
    """Where each frame shows what its camera saw, and not the black from beyond the picture that a
    rotation brought in, which must explain no target; empty: everywhere.
    """
    jitter: Float[Tensor, "b 4"] | None = None
    """Colour jitter still to be applied to `inputs`, see `Sample.jitter`."""
    gamma: Float[Tensor, "b 5"] | None = None
    """The same of its other form, see `Sample.gamma`."""
    zoom: Float[Tensor, "b"] | None = None
    """How many times larger each sample shows things than its whole image does at this size;
    `None` = 1. What a network takes for the depth is so many times too near.
    """
    seeds: Int[Tensor, "b"] | None = None
    """One per sample, counted from (seed, epoch, item), for noise drawn during the step; always on
    the host.
    """
    unit: float = 1.0
    """Metres per network unit: the papers' constants live in network units."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """A copy on `device`; the seeds stay on the host, where generators take them from."""
        moved: Batch = super().to(device, non_blocking)
        return replace(moved, seeds=self.seeds)

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the images."""
        height, width = self.images[TARGET].shape[-2:]
        return height, width

    @property
    def sources(self) -> tuple[Offset, ...]:
        """Every offset but the target, in the order in which errors are stacked."""
        return tuple(offset for offset in self.images if offset != TARGET)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.images[TARGET].device

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class FeatureMaps(_Record):
    """What an extractor sees in the target and in its sources, one map each, on one grid."""

    maps: Mapping[Offset, Float[Tensor, "b c _ _"]]
    stride: int
    """Pixels of the image from one pixel of a map to the next."""
    centre: float
    """Pixel of the image at which the first pixel of a map has its centre, in rows and columns."""


@dataclass(frozen=True)
class Ordinal(_Record):
    """Depth as answers: is it farther than this, and this? [dorn]"""

    logits: Mapping[int, Float[Tensor, "b k _ _"]]
    """By scale; channel i says whether depth is at least `thresholds` i + 1."""
    thresholds: Float[Tensor, "b t"]
    """k + 1 depths, near to far, in metres (in a network's own answer: network units)."""


@dataclass(frozen=True)
class Predictions(_Record):
    """What the networks made of a batch, in metres; `None` unless made."""

    depth: Mapping[Offset, Mapping[int, Float[Tensor, "b 1 _ _"]]]
    """depth[offset][scale] at the scale's own size (h / 2^scale for most networks)."""
    poses: Mapping[Offset, Float[Tensor, "b 4 4"]] = field(default_factory=dict)
    """target_to_source, known or predicted."""
    brightness: Mapping[Offset, Float[Tensor, "b 2"]] | None = None
    """Gain a and offset b of each source: a I + b is exposed as the target is."""
    features: FeatureMaps | None = None
    """Without gradient: losses on learned features teach depth and motion, not the features."""
    feature_pyramid: Mapping[int, Float[Tensor, "b _ _ _"]] | None = None
    """All maps of the target in a network that learns features by stride, from fine to coarse."""
    reconstruction: Mapping[int, Float[Tensor, "b 3 _ _"]] | None = None
    """The target as such a network paints it from its features, by scale."""
    uncertainty: Mapping[int, Float[Tensor, "b 1 _ _"]] | None = None
    """Log of the per-pixel scale of the depth residual, u in exp(-u) * residual + u."""
    photometric_uncertainty: Mapping[int, Float[Tensor, "b n _ _"]] | None = None
    """Log of the per-pixel scale of the photometric error, u in exp(-u) * error + u, one channel
    per source."""
    explainability: Mapping[int, Float[Tensor, "b n _ _"]] | None = None
    """Logits of the predictive mask, one channel per source."""
    ordinal: Ordinal | None = None
    """What depth was decoded from, in networks that answer so."""


@dataclass(frozen=True)
class Errors(_Record):
    """Photometric error of each explanation of the target, at the size of the images.

    Channels `n` follow `Batch.sources`. A value where `valid` is False is finite but means nothing.
    """

    depth: Mapping[int, Float[Tensor, "b 1 h w"]]
    """The predicted target depth of each scale, brought to full size: what makes the warps."""
    valid: Bool[Tensor, "b n h w"]
    """Whether the source exists and the loss mask allows the pixel; the same for all scales."""
    predicted: Mapping[int, Float[Tensor, "b n _ _"]] | None = None
    """By scale; at its own size where the explainer judges so."""
    predicted_valid: Mapping[int, Bool[Tensor, "b n _ _"]] | None = None
    """Of the predicted warps: whether all that is compared moreover lies in the pictures; `None`:
    as `valid`."""
    identity: Float[Tensor, "b n h w"] | None = None
    """Of the sources as they stand, with the noise that breaks ties."""
    identity_valid: Bool[Tensor, "b n h w"] | None = None
    """The same of the sources as they stand."""
    hint: Float[Tensor, "b 1 h w"] | None = None
    hint_valid: Bool[Tensor, "b 1 h w"] | None = None
    features: Float[Tensor, "b n _ _"] | None = None
    """Of the sources' features warped by the finest depth, on the grid of the features."""
    features_valid: Bool[Tensor, "b n _ _"] | None = None
    warped: Mapping[int, Float[Tensor, "b n 3 _ _"]] | None = None
    """The warped sources themselves, kept only when pictures are asked for."""

    def warps_valid(self, scale: int) -> Bool[Tensor, "b n _ _"]:
        """Where the predicted warps of a scale may be judged."""
        return self.valid if self.predicted_valid is None else self.predicted_valid[scale]

    def identities_valid(self) -> Bool[Tensor, "b n h w"]:
        """Where the sources as they stand may be judged."""
        return self.valid if self.identity_valid is None else self.identity_valid


@dataclass(frozen=True)
class Scene:
    """All that a loss may look at."""

    batch: Batch
    predictions: Predictions
    errors: Errors
    partner: "Scene | None" = None
    """The same from the other camera of the pair, where terms ask for it."""


@dataclass(frozen=True)
class LossValue:
    """A loss as sums and counts, one per scale, so that masked means can be pooled over ranks."""

    sum: Float[Tensor, "s"]
    count: Float[Tensor, "s"]
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    """Pictures worth looking at, detached."""

    def mean(self) -> Float[Tensor, ""]:
        """Mean over scales of sum / count; a scale on which nothing counts adds 0."""
        return (self.sum / self.count.clamp(min=1)).mean()
