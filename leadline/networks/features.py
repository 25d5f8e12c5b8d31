"""Images -> features that losses compare instead of colours, and the networks that learn them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.networks.backbone import Backbone
from leadline.networks.decoders.skip import SkipDecoder
from leadline.networks.depth import cropped_to_image
from leadline.networks.pyramids import TokenPyramid
from leadline.networks.trained_part import load_part
from leadline.networks.weights import Weights

FEATURES, PYRAMID, RECONSTRUCTION = "features", "feature_pyramid", "reconstruction"
"""What extractors make, as losses ask for it."""
IMAGE = "image"
COLOURS = 3

Trained = Literal["none"] | Path
"""A model folder, or `none`: random weights."""


@dataclass(frozen=True)
class RawFeatures:
    """What a network that learns features says of a batch of images."""

    pyramid: Sequence[Float[Tensor, "b _ _ _"]]
    """Its maps, from fine to coarse; what lies beyond the image is cut off."""
    reconstruction: Mapping[int, Float[Tensor, "b 3 _ _"]]
    """The images as it paints them from the coarsest map, by scale."""


class FeatureExtractor(nn.Module):
    """What every extractor is: images in [0, 1] -> one map of features each, without gradient."""

    makes: frozenset[str] = frozenset({FEATURES})
    stride: int
    """Pixels of the image from one pixel of the map to the next."""
    centre: float
    """Pixel of the image at which the first one has its centre."""

    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        raise NotImplementedError


class FeatureAutoencoder(FeatureExtractor):
    """The network of [featdepth] that learns features by painting the picture again.

    A ResNet sees colours as they are, in [0, 1]; a decoder as that of [monodepth2], but without
    skips, paints the picture at four scales from the coarsest map alone. Compared are the features
    of the finest map: after the first convolution, at half the size.

    Features are compared without gradient, also while they are being learnt: by their own losses
    they become what they are.

    Departure: [featdepth] is silent on that; with a gradient from the comparison the cheapest
    features would be those that are the same everywhere.

    Args, Raises:
        as `Backbone`.
    """

    makes = frozenset({FEATURES, PYRAMID, RECONSTRUCTION})

    def __init__(self, backbone: str, weights: Weights) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights, normalise=False)
        self.decoder = SkipDecoder(
            self.backbone.strides, self.backbone.channels, {IMAGE: COLOURS}, skips=False
        )
        self.stride, self.centre = self.backbone.strides[0], self.backbone.pyramid.centre(0)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> RawFeatures:
        height, width = images.shape[-2:]
        maps = self.backbone(images)
        logits = self.decoder(maps)[IMAGE]
        return RawFeatures(
            pyramid=[
                cropped(values, stride, height, width)
                for values, stride in zip(maps, self.backbone.strides, strict=True)
            ],
            reconstruction={
                scale: x.sigmoid() for scale, x in cropped_to_image(logits, height, width).items()
            },
        )

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        finest = self.backbone.finest(images)
        return cropped(finest, self.stride, *images.shape[-2:])


FrozenT = TypeVar("FrozenT", bound="_Frozen")


class _Frozen(FeatureExtractor):
    """An extractor that never learns: in evaluation mode whatever holds it does, so that batch
    norms keep their statistics too.
    """

    def train(self: FrozenT, mode: bool = True) -> FrozenT:
        return super().train(False)

    def _freeze(self) -> None:
        self.requires_grad_(False)
        self.train()


class FrozenAutoencoder(_Frozen):
    """The features of a trained `FeatureAutoencoder` [featdepth].

    Of its network only what makes the finest map is kept.

    Args:
        backbone: of the autoencoder, see `Backbone`.
        trained: model folder of an autoencoder, as `featdepth_autoencoder` writes it; `none` is
            for features at random, which compare colours and edges in their own way.

    Raises:
        ValueError: no folder is named, or its network is another one.
        FileNotFoundError: there are no weights.
    """

    def __init__(self, backbone: str, trained: Trained | None = None) -> None:
        super().__init__()
        if trained is None:
            raise ValueError(
                "extractor: expected a trained autoencoder, got none; train one (`leadline train "
                "featdepth_autoencoder DATA --out RUN`) and give `--extractor RUN/model`"
            )
        self.backbone = Backbone(backbone, "none", normalise=False)
        self.backbone.keep_finest(1)
        if trained != "none":
            load_part(self.backbone, Path(trained), "extractor.backbone.")
        self.stride, self.centre = self.backbone.strides[0], self.backbone.pyramid.centre(0)
        self._freeze()

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        return cropped(self.backbone(images)[0], self.stride, *images.shape[-2:])


class FrozenBackbone(_Frozen):
    """A map of any backbone, pretrained for another task, as features: the idea of [dfr].

    Args:
        backbone, weights: see `Backbone`; random weights make random features.
        level: which of its maps, 0 being the finest. A plain vision transformer has four maps, all
            at stride 16, of four layers.

    Departure: [dfr] has a network trained by others to match stereo pairs; its weights are not to
    be had, nor compared at full size, which for features at a coarser stride adds pixels and no
    knowledge.

    Raises:
        ValueError, FileNotFoundError: as `Backbone`; or it has no such map.
    """

    def __init__(self, backbone: str, weights: Weights, level: int = 0) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights)
        self.backbone.keep_finest(level + 1)
        self.level = level
        pyramid = self.backbone.pyramid
        if isinstance(pyramid, TokenPyramid):
            # What it would be reassembled with has not been trained.
            del pyramid.reassemble
            self.stride, self.centre = pyramid.token_stride, (pyramid.token_stride - 1) / 2
        else:
            self.stride, self.centre = self.backbone.strides[level], pyramid.centre(level)
        self._freeze()

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        prepared, pyramid = self.backbone.prepared(images), self.backbone.pyramid
        maps = pyramid.tokens(prepared) if isinstance(pyramid, TokenPyramid) else pyramid(prepared)
        return cropped(maps[self.level], self.stride, *images.shape[-2:])


def cropped(
    values: Float[Tensor, "b c _ _"], stride: int, height: int, width: int
) -> Float[Tensor, "b c _ _"]:
    """The part of a map that lies in an image of this size."""
    return values[..., : -(-height // stride), : -(-width // stride)]
