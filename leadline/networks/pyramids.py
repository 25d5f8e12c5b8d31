"""The maps that a transformers backbone gives out, as a pyramid from fine to coarse."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig

from leadline.networks.architectures import RESNETS, TOKENS

COARSE_STRIDES = (4, 8, 16, 32)
DILATED_STRIDE = 8


class ResNetPyramid(nn.Module):
    """The five maps of [monodepth2]: after the first ReLU, before pooling, then of each stage."""

    strides: tuple[int, ...] = (2, *COARSE_STRIDES)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.channels = (network.config.embedding_size, *network.config.hidden_sizes)

    def centre(self, level: int) -> float:
        """Of the first pixel of a map, in pixels of the image: odd kernels stand on every second
        pixel.
        """
        return 0.0

    def keep_finest(self, count: int) -> None:
        """Drop the stages that only coarser maps need."""
        del self.network.encoder.stages[count - 1 :]
        self.strides, self.channels = self.strides[:count], self.channels[:count]

    def dilate(self) -> None:
        """Let the maps from stride 8 on stay at stride 8: where a map was halved, what follows
        reaches twice as far instead, so that the same weights see what they saw, at every pixel.
        """
        reach = 1
        for stage in self.network.encoder.stages[2:]:
            for layer in stage.modules():
                if not isinstance(layer, nn.Conv2d):
                    continue
                halves = layer.stride == (2, 2)
                layer.stride = (1, 1)
                if layer.kernel_size == (3, 3):
                    # Of a convolution that halved, the input was not halved yet.
                    own = reach if halves else 2 * reach
                    layer.dilation = layer.padding = (own, own)
            reach *= 2
        self.strides = tuple(min(stride, DILATED_STRIDE) for stride in self.strides)

    def finest(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        """The map at stride 2."""
        # The library's own "stem" output is taken after the pooling, at stride 4.
        stem: Tensor = self.network.embedder.embedder(images)
        return stem

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return self.from_finest(self.finest(images))

    def from_finest(self, stem: Float[Tensor, "b _ _ _"]) -> list[Float[Tensor, "b _ _ _"]]:
        """All maps, from the one at stride 2."""
        maps = [stem]
        hidden = self.network.embedder.pooler(stem)
        for stage in self.network.encoder.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        return maps


class StagePyramid(nn.Module):
    """The four stages of a hierarchical backbone (Swin v2, ConvNeXt): no map at stride 2."""

    strides: tuple[int, ...] = COARSE_STRIDES

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.channels = tuple(network.channels)

    def centre(self, level: int) -> float:
        """Of the first pixel of a map, in pixels of the image: that of its patch."""
        return (self.strides[level] - 1) / 2

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        return list(self.network(images).feature_maps)


class TokenPyramid(nn.Module):
    """Tokens of four layers of a plain vision transformer, each resampled to a stride of its own.

    Following the reassembly of [dpt]: a 1x1 projection, then a transposed convolution for strides 4
    and 8, nothing at 16, a strided convolution for 32; channels d/8, d/4, d/2, d of token width d.

    Departure: the image is resized by patch size / 16, so that patches of any size become tokens at
    stride 16 exactly and the four maps line up with those of other backbones.
    """

    strides: tuple[int, ...] = COARSE_STRIDES
    token_stride = 16

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.patch: int = network.config.patch_size
        width: int = network.config.hidden_size
        self.channels = tuple(width * stride // COARSE_STRIDES[-1] for stride in COARSE_STRIDES)
        self.reassemble = nn.ModuleList(
            self._branch(width, channels, stride)
            for channels, stride in zip(self.channels, self.strides, strict=True)
        )

    def _branch(self, width: int, channels: int, stride: int) -> nn.Sequential:
        branch = nn.Sequential(nn.Conv2d(width, channels, 1))
        if stride < self.token_stride:
            factor = self.token_stride // stride
            branch.append(nn.ConvTranspose2d(channels, channels, factor, stride=factor))
        if stride > self.token_stride:
            factor = stride // self.token_stride
            branch.append(nn.Conv2d(channels, channels, 3, stride=factor, padding=1))
        return branch

    def centre(self, level: int) -> float:
        """Of the first pixel of a map, in pixels of the image."""
        return (self.strides[level] - 1) / 2

    def tokens(self, images: Float[Tensor, "b c h w"]) -> Sequence[Float[Tensor, "b k _ _"]]:
        """The tokens of the four layers as they are, all at `token_stride`."""
        height, width = (side // self.token_stride * self.patch for side in images.shape[-2:])
        resized = functional.interpolate(
            images, (height, width), mode="bilinear", align_corners=False
        )
        maps: Sequence[Tensor] = self.network(resized).feature_maps
        return maps

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        tokens = self.tokens(images)
        return [branch(maps) for branch, maps in zip(self.reassemble, tokens, strict=True)]


def pyramid_of(network: Any) -> ResNetPyramid | StagePyramid | TokenPyramid:
    """The pyramid that fits the kind of the network."""
    configuration: PretrainedConfig = network.config
    if configuration.model_type in RESNETS:
        return ResNetPyramid(network)
    if configuration.model_type in TOKENS:
        return TokenPyramid(network)
    return StagePyramid(network)
