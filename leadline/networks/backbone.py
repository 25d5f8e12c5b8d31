"""A Hugging Face backbone as a feature pyramid with known strides and channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.grid import Grid
from leadline.networks.architectures import architecture_json
from leadline.networks.pyramids import ResNetPyramid, pyramid_of
from leadline.networks.weights import Weights, build_network

MONODEPTH_MEAN = 0.45
MONODEPTH_STD = 0.225
"""The one mean and deviation that [monodepth2] subtracts and divides by in front of its ResNets."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""The customary constants of ImageNet, for all other backbones."""

LEAST_PIXELS = 2
"""Rows and columns of the coarsest map that reflection padding and batch norm cannot do without."""


class Backbone(nn.Module):
    """Images in [0, 1] of any size -> maps from fine to coarse, at `strides`, with `channels`.

    The backbone normalises its input, and extends it to the right and below, by repeating the last
    pixels, to a multiple of its coarsest stride: a map at stride s has ceil(h / 32) * 32 / s rows.
    Pixel coordinates stay as they are.

    Args:
        name: a preset (see `leadline.networks.architectures.PRESETS`), a folder with the
            config.json of a transformers model or such a file itself, or a hub id.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        in_images: how many RGB images stand side by side in the channels of the input.
        normalise: whether mean and deviation are taken from the images.

    Raises:
        ValueError: there is no such backbone, or the weights are those of another one.
        FileNotFoundError: the weights are not where they should be.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, weights: Weights, in_images: int = 1, normalise: bool = True
    ) -> None:
        super().__init__()
        self.name = name
        network = build_network(name, weights, in_images)
        # As the maps are laid out, or every convolution would first rearrange its weights.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pyramid = pyramid_of(network)
        self.strides = self.pyramid.strides
        self.channels = self.pyramid.channels
        self.coarsest_stride = self.strides[-1]
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        if isinstance(self.pyramid, ResNetPyramid):
            mean, std = (MONODEPTH_MEAN,) * 3, (MONODEPTH_STD,) * 3
        if not normalise:
            mean, std = (0.0,) * 3, (1.0,) * 3
        # Constants, not weights: they stay out of checkpoints.
        self.register_buffer("mean", _per_channel(mean, in_images), persistent=False)
        self.register_buffer("std", _per_channel(std, in_images), persistent=False)

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        maps: list[Tensor] = self.pyramid(self.prepared(images))
        return maps[: len(self.strides)]

    def finest_and_all(
        self, images: Float[Tensor, "b c h w"], count: int
    ) -> tuple[Float[Tensor, "b _ _ _"], list[Float[Tensor, "_ _ _ _"]]]:
        """The finest map of all images in one look, so that norms measure them together, and all
        maps of the first `count`; of the others a ResNet computes no more.
        """
        if isinstance(self.pyramid, ResNetPyramid):
            stem = self.pyramid.finest(self.prepared(images))
            return stem, self.pyramid.from_finest(stem[:count]) if count else []
        maps: list[Tensor] = self(images)
        return maps[0], [x[:count] for x in maps]

    def prepared(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _ _"]:
        """The images as the network itself wants them."""
        padded = pad_to_multiple((images - self.mean) / self.std, self.coarsest_stride)
        # Convolutions on CPUs are faster when the channels of a pixel lie together.
        return padded.contiguous(memory_format=torch.channels_last)

    @property
    def grids(self) -> tuple[Grid, ...]:
        """Where the pixels of each map lie in the image."""
        return tuple(
            Grid(stride, self.pyramid.centre(level)) for level, stride in enumerate(self.strides)
        )

    def keep_finest(self, count: int) -> None:
        """Give out the `count` finest maps only; a ResNet drops the stages that none of them needs.

        Raises:
            ValueError: it has not so many.
        """
        if not 1 <= count <= len(self.strides):
            raise ValueError(
                f"backbone {self.name}: expected one of its {len(self.strides)} maps, asked for "
                f"number {count}"
            )
        if isinstance(self.pyramid, ResNetPyramid):
            self.pyramid.keep_finest(count)
            self.coarsest_stride = self.pyramid.strides[-1]
        self.strides, self.channels = self.strides[:count], self.channels[:count]

    def dilate(self) -> None:
        """Keep the maps from stride 8 on at that stride, by convolutions that reach farther.

        Raises:
            ValueError: it is not a ResNet.
        """
        if not isinstance(self.pyramid, ResNetPyramid):
            raise ValueError(
                f"backbone: expected a ResNet, whose layers may reach farther, got {self.name}"
            )
        self.pyramid.dilate()
        self.strides, self.coarsest_stride = self.pyramid.strides, self.pyramid.strides[-1]

    def architecture(self) -> str:
        """A config.json of the backbone: all there is to know of it but its weights."""
        return architecture_json(self.pyramid.network.config)


def _per_channel(values: tuple[float, ...], in_images: int) -> Float[Tensor, "c 1 1"]:
    return torch.tensor(values * in_images)[:, None, None]


def pad_to_multiple(images: Float[Tensor, "b c _ _"], stride: int) -> Float[Tensor, "b c h w"]:
    """Images whose sides are multiples of `stride`, two and more, by repeating the last pixels to
    the right and below.
    """
    height, width = images.shape[-2:]
    rows, columns = (max(-(-side // stride), LEAST_PIXELS) * stride for side in (height, width))
    if (rows, columns) == (height, width):
        return images
    return functional.pad(images, (0, columns - width, 0, rows - height), mode="replicate")
