"""PackNet [packnet]: a depth network that packs where others pool, and unpacks where they enlarge.

It stays whole: its encoder and decoder share their folded maps.
"""

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from leadline.networks.backbone import pad_to_multiple
from leadline.networks.depth import DepthModule, RawDepth, cropped_to_image
from leadline.networks.heads import (
    apply_in_full_precision,
    bounded_depth,
    check_depth_range,
    logit_of_depth,
)
from leadline.networks.initialise import xavier_without_bias
from leadline.networks.packing import ConvNormELU, Packing, Unpacking, residual_block

Join = Literal["concatenate", "add"]

WIDTHS = (64, 64, 128, 256, 512)
"""Channels at strides 1 and 2, 4, 8, 16, 32 of the full network."""
KERNELS = (5, 3, 3, 3, 3)
"""Of the packings."""
BLOCKS = (2, 2, 3, 3)
"""Residual convolutions at strides 2, 4, 8 and 16."""
STRIDE = 32
LEVELS = range(len(WIDTHS))
SCALES = range(4)
"""Levels of the decoder at which depth is said: scale s has stride 2^s."""
FIRST_KERNEL, SECOND_KERNEL, DECODER_KERNEL = 5, 7, 3
ADDED_SHARES = (1, 1, 2, 2, 2)
"""By what the channels of an unpacking are divided, fine to coarse, so that maps can be added."""


class PackNet(DepthModule):
    """PackNet01 of [packnet], its slim form, and narrower ones.

    Inverse depth is twice a sigmoid, at four scales, each of which joins the maps of the next finer
    one. With `widths` (64, 64, 128, 256, 512), 8 features and `concatenate` this is PackNet01 A
    (128,294,020 parameters), with `add` PackNet01 B (124,164,580); with (32, 64, 128, 256, 512) and
    4 features PackNetSlim01 A (76,997,796). Images are taken as they are, in [0, 1].

    Departure: the least inverse depth is 1 / `maximum_depth`, to which the sigmoid adds; the
    released code leaves the sigmoid as it is and cuts at 1e-6 when it inverts.

    Args:
        widths: channels of the five levels of the encoder, fine to coarse.
        features: 3-D features of each packed channel.
        join: how decoder and encoder maps meet.
        minimum_depth: least depth, in network units.
        maximum_depth: greatest depth, in network units.
        dropout: share of channels dropped in the shortcuts of the residual convolutions.
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.
        recompute: while learning, keep the maps between levels only, and compute those within a
            level again for its gradients: less memory for about a third more work.

    Raises:
        ValueError: the range is empty, or widths and features do not fit each other.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int, int] = WIDTHS,
        features: int = 8,
        join: Join = "concatenate",
        minimum_depth: float = 0.5,
        maximum_depth: float = 1e6,
        dropout: float = 0.0,
        initial_depth: float | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        check_depth_range(minimum_depth, maximum_depth)
        self.join = join
        self.recompute = recompute
        self.minimum_depth = minimum_depth
        self.maximum_depth = maximum_depth
        self.first = ConvNormELU(3, widths[0], FIRST_KERNEL)
        before = (widths[0], *widths[:-1])
        self.encoder = nn.ModuleList(
            ConvNormELU(before[level], widths[level], SECOND_KERNEL)
            if level == 0
            else residual_block(before[level], widths[level], BLOCKS[level - 1], dropout)
            for level in LEVELS
        )
        self.packings = nn.ModuleList(
            Packing(widths[level], KERNELS[level], features) for level in LEVELS
        )
        # Level i of the decoder ends at stride 2^i, where it meets what was packed to that stride.
        unpacked = [_unpacked_width(widths[level], before[level], level, join) for level in LEVELS]
        coming = (*widths[1:], widths[-1])
        self.unpackings = nn.ModuleList(
            Unpacking(coming[level], unpacked[level], DECODER_KERNEL, features) for level in LEVELS
        )
        self.merges = nn.ModuleList(
            ConvNormELU(
                unpacked[level]
                + (before[level] if join == "concatenate" else 0)
                + (1 if level + 1 in SCALES else 0),
                widths[level],
                DECODER_KERNEL,
            )
            for level in LEVELS
        )
        self.heads = nn.ModuleList(nn.Conv2d(widths[scale], 1, 3, padding=1) for scale in SCALES)
        self.apply(xavier_without_bias)
        if initial_depth is not None:
            logit = logit_of_depth(initial_depth, minimum_depth, maximum_depth)
            for head in self.heads:
                nn.init.constant_(cast(nn.Conv2d, head).bias, logit)  # type: ignore[arg-type]

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        x = self.first(pad_to_multiple(image, STRIDE))
        skips = []
        for level in LEVELS:
            skips.append(x)
            x = self._run(self._encode, level, x)
        depths: dict[int, Tensor] = {}
        for level in reversed(LEVELS):
            coarser = 1 / depths[level + 1] if level + 1 in depths else None
            x = self._run(self._decode, level, x, skips[level], coarser)
            if level in SCALES:
                logits = apply_in_full_precision(self.heads[level], x)
                depths[level] = bounded_depth(logits, self.minimum_depth, self.maximum_depth)
        finest_first = {scale: depths[scale] for scale in SCALES}
        return RawDepth(cropped_to_image(finest_first, *image.shape[-2:]))

    def _encode(self, level: int, x: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ _ _"]:
        packed: Tensor = self.packings[level](self.encoder[level](x))
        return packed

    def _decode(
        self,
        level: int,
        x: Float[Tensor, "b _ _ _"],
        skip: Float[Tensor, "b _ h w"],
        coarser: Float[Tensor, "b 1 _ _"] | None,
    ) -> Float[Tensor, "b _ h w"]:
        """Maps of a level from those of the next coarser one and its inverse depth."""
        unpacked = self.unpackings[level](x)
        parts = [unpacked + skip] if self.join == "add" else [unpacked, skip]
        if coarser is not None:
            enlarged = functional.interpolate(coarser, scale_factor=2.0, mode="nearest")
            parts.append(enlarged.to(x.dtype))
        merged: Tensor = self.merges[level](torch.cat(parts, dim=1))
        return merged

    def _run(self, function: Callable[..., Tensor], *arguments: Any) -> Tensor:
        if self.recompute and self.training and torch.is_grad_enabled():
            result: Tensor = checkpoint(function, *arguments, use_reentrant=False)
            return result
        return function(*arguments)


def _unpacked_width(width: int, skip: int, level: int, join: Join) -> int:
    """Channels that an unpacking makes: those of its level or, to be added, those it meets."""
    if join == "concatenate":
        return width
    shared = width // ADDED_SHARES[level]
    if shared != skip:
        raise ValueError(
            f"widths: expected channels that can be added, got {shared} and {skip} at stride "
            f"{2**level}; choose `join: concatenate`"
        )
    return shared
