"""The convolutional encoder and decoder that single-view depth began with: [sfmlearner] with ReLU,
[monodepth] with ELU.
"""

from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD
from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.heads import apply_in_full_precision
from leadline.networks.initialise import xavier_without_bias

ENCODER_WIDTHS = (32, 64, 128, 256, 512, 512, 512)
ENCODER_KERNELS = (7, 5, 3, 3, 3, 3, 3)
DECODER_WIDTHS = (16, 32, 64, 128, 256, 512, 512)
"""Of the stages that end at strides 1, 2, 4 ... 64."""
SCALES = (0, 1, 2, 3)
Enlarging = Literal["transposed", "nearest"]
Activation = Callable[[], nn.Module]


class ConvolutionEncoder(nn.Module):
    """Seven pairs of convolutions, of stride 1 and 2 in the order of the paper -> maps at strides
    2 to 128 [monodepth], [sfmlearner].

    Args:
        activation: after every convolution.
        strided_first: whether the first of a pair has the stride [sfmlearner], or the second
            [monodepth].
    """

    strides = (2, 4, 8, 16, 32, 64, 128)
    channels = ENCODER_WIDTHS

    def __init__(self, activation: Activation, strided_first: bool) -> None:
        super().__init__()
        strides = (2, 1) if strided_first else (1, 2)
        self.pairs = nn.ModuleList()
        coming = 3
        for width, kernel in zip(ENCODER_WIDTHS, ENCODER_KERNELS, strict=True):
            layers: list[nn.Module] = []
            for stride in strides:
                layers += [nn.Conv2d(coming, width, kernel, stride, kernel // 2), activation()]
                coming = width
            self.pairs.append(nn.Sequential(*layers))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        maps, x = [], image
        for pair in self.pairs:
            x = pair(x)
            maps.append(x)
        return maps


class DisparityDecoder(nn.Module):
    """Maps from fine to coarse -> disparities at four scales, each of which the next finer stage
    sees [monodepth], [sfmlearner].

    Stage i ends at stride 2^i: enlarge by two to 16, 32, 64, 128, 256, 512, 512 channels from fine
    to coarse, join the encoder's map and, from the third finest stage on, the disparity of the
    stage before, 3x3 convolution.

    Args:
        channels: of the encoder's maps, at strides 2, 4, 8 and so on.
        outputs: disparities at each pixel.
        response: what makes a disparity of a head's logits.
        activation: after every convolution but those of heads.
        enlarging: `transposed` convolutions of 3x3, and disparities bilinearly [sfmlearner], or
            `nearest` pixels of both, and a 3x3 convolution [monodepth].
    """

    def __init__(
        self,
        channels: Sequence[int],
        outputs: int,
        response: Callable[[Tensor], Tensor],
        activation: Activation,
        enlarging: Enlarging,
    ) -> None:
        super().__init__()
        self._response, self._enlarging = response, enlarging
        stages = len(channels)
        self.enlargings, self.merges = nn.ModuleList(), nn.ModuleList()
        for stage, width in enumerate(DECODER_WIDTHS[:stages]):
            coming = channels[-1] if stage == stages - 1 else DECODER_WIDTHS[stage + 1]
            joined = channels[stage - 1] if stage else 0
            seen = outputs if stage + 1 in SCALES else 0
            self.enlargings.append(
                nn.Sequential(_enlarging(coming, width, enlarging), activation())
            )
            self.merges.append(
                nn.Sequential(nn.Conv2d(width + joined + seen, width, 3, padding=1), activation())
            )
        self.heads = nn.ModuleList(
            nn.Conv2d(DECODER_WIDTHS[scale], outputs, 3, padding=1) for scale in SCALES
        )

    def forward(
        self, maps: Sequence[Float[Tensor, "b _ _ _"]], size: tuple[int, int]
    ) -> dict[int, Float[Tensor, "b k _ _"]]:
        """By scale, finest first; `size` (h, w) is that of the image."""
        found: dict[int, Tensor] = {}
        x = maps[-1]
        for stage in reversed(range(len(maps))):
            # The map that is joined says how large the stage is: strides may not divide the image.
            wanted = maps[stage - 1].shape[-2:] if stage else size
            x = self.enlargings[stage](x)[..., : wanted[0], : wanted[1]]
            parts = [x] if stage == 0 else [x, maps[stage - 1]]
            if stage + 1 in found:
                seen = _enlarged(found[stage + 1], self._enlarging)
                parts.append(seen[..., : wanted[0], : wanted[1]].to(x.dtype))
            x = self.merges[stage](torch.cat(parts, dim=1))
            if stage in SCALES:
                found[stage] = self._response(apply_in_full_precision(self.heads[stage], x))
        return {scale: found[scale] for scale in SCALES}


class DispNet(DepthModule):
    """The depth network of [sfmlearner]: inverse depth 10 sigmoid + 0.01, from 0.1 to 100.

    Departure: where strides do not divide the image, maps are cut to those they meet, not resized
    by the nearest pixel; colours are normalised as [monodepth2] does, not to [-1, 1].

    Args:
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units; by default 1 / 5.01, as random weights say.

    Raises:
        ValueError: the initial depth lies beyond what the network can say.
    """

    def __init__(self, initial_depth: float | None = None) -> None:
        super().__init__()
        self.encoder = ConvolutionEncoder(_relu, strided_first=True)
        self.decoder = DisparityDecoder(
            ENCODER_WIDTHS, 1, inverse_depth_of_logits, _relu, "transposed"
        )
        self.apply(xavier_without_bias)
        if initial_depth is not None:
            share = (1 / initial_depth - LEAST_INVERSE) / INVERSE_RANGE if initial_depth else 0.0
            if not 0 < share < 1:
                raise ValueError(
                    f"initial_depth: expected more than {1 / (INVERSE_RANGE + LEAST_INVERSE):.2g} "
                    f"and less than {1 / LEAST_INVERSE:g} network units, got {initial_depth}"
                )
            logit = torch.logit(torch.tensor(share)).item()
            for head in self.decoder.heads:
                nn.init.constant_(cast(Tensor, head.bias), logit)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        size = (image.shape[-2], image.shape[-1])
        inverse = self.decoder(self.encoder((image - MONODEPTH_MEAN) / MONODEPTH_STD), size)
        return RawDepth({scale: 1 / value for scale, value in inverse.items()})


INVERSE_RANGE, LEAST_INVERSE = 10.0, 0.01


def inverse_depth_of_logits(logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
    """10 sigmoid + 0.01 [sfmlearner]."""
    return INVERSE_RANGE * logits.sigmoid() + LEAST_INVERSE


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def _enlarging(inputs: int, outputs: int, how: Enlarging) -> nn.Module:
    if how == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(
        nn.Upsample(scale_factor=2.0, mode="nearest"), nn.Conv2d(inputs, outputs, 3, padding=1)
    )


def _enlarged(values: Float[Tensor, "b k _ _"], how: Enlarging) -> Float[Tensor, "b k _ _"]:
    if how == "nearest":
        return functional.interpolate(values, scale_factor=2.0, mode="nearest")
    return functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=False)
