"""Images -> features that losses compare instead of colours, and the networks that learn them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.grid import Grid
from leadline.networks.backbone import Backbone
from leadline.networks.decoders.skip import SkipDecoder
from leadline.networks.depth import cropped_to_image
from leadline.networks.pyramids import TokenPyramid
from leadline.networks.trained_part import check_part, load_part
from leadline.networks.weights import Weights

FEATURES, PYRAMID, RECONSTRUCTION = "features", "feature_pyramid", "reconstruction"
"""What extractors make, as losses ask for it."""
PLACE = "extractor"
"""Of these networks in a predictor."""
AUTOENCODERS = ("FeatureAutoencoder", "FrozenAutoencoder")
IMAGE = "image"
COLOURS = 3

Trained = Literal["none"] | Path
"""A model folder, or `none`: random weights."""


@dataclass(frozen=True)
class RawFeatures:
    """What a network that learns features says of a batch of images."""

    pyramid: Mapping[int, Float[Tensor, "b _ _ _"]]
    """Its maps by stride, from fine to coarse; what lies beyond the image is cut off."""
    reconstruction: Mapping[int, Float[Tensor, "b 3 _ _"]]
    """The images as it paints them from the coarsest map, by scale."""
    compared: Float[Tensor, "_ c _ _"]
    """The features that are compared, without gradient, of all images that were seen."""


class FeatureExtractor(nn.Module):
    """What every extractor is: images in [0, 1] -> one map of features each, without gradient."""

    makes: frozenset[str] = frozenset({FEATURES})
    grid: Grid
    """Where the pixels of the map lie in the image."""

    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        raise NotImplementedError


class FeatureAutoencoder(FeatureExtractor):
    """The network of [featdepth] that learns features by painting the picture again.

    A ResNet sees colours as they are, in [0, 1]; a decoder as that of [monodepth2], but without
    skips, paints the picture at four scales from the coarsest map alone. Compared are the features
    of the finest map: after the first convolution, at half the size.

    Features are compared without gradient, also while they are being learnt: by their own losses
    they become what they are.

    Departure: whether [featdepth] does so is not known here; with a gradient from the comparison
    the cheapest features would be those that are the same everywhere.

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
        self.grid = self.backbone.grids[0]

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        others: Float[Tensor, "_ 3 h w"] | None = None,
    ) -> RawFeatures:
        """What it says of `images`, and what is compared of these and of `others`, which norms
        measure together.
        """
        size = (images.shape[-2], images.shape[-1])
        seen = images if others is None else torch.cat([images, others])
        finest, maps = self.backbone.finest_and_all(seen, len(images))
        logits = self.decoder(maps)[IMAGE]
        return RawFeatures(
            pyramid={
                grid.stride: grid.cropped(x, size)
                for grid, x in zip(self.backbone.grids, maps, strict=True)
            },
            reconstruction={
                scale: x.sigmoid() for scale, x in cropped_to_image(logits, *size).items()
            },
            compared=self.grid.cropped(finest, size).detach(),
        )

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        size = (images.shape[-2], images.shape[-1])
        return self.grid.cropped(self.backbone.finest_and_all(images, 0)[0], size)

    @property
    def learns(self) -> bool:
        """Whether it is asked to: it need not paint if not."""
        return any(parameter.requires_grad for parameter in self.parameters())


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
            check_part(Path(trained), PLACE, AUTOENCODERS)
            load_part(self.backbone, Path(trained), f"{PLACE}.backbone.")
        self.grid = self.backbone.grids[0]
        self._freeze()

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        return self.grid.cropped(self.backbone(images)[0], (images.shape[-2], images.shape[-1]))


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
        try:
            self.backbone = Backbone(backbone, weights)
        except FileNotFoundError as error:
            # A learning network could begin at random, this one could not.
            what = str(error).partition("; ")[0]
            raise FileNotFoundError(
                f"extractor: {what}; set model.predictor.init_args.extractor.init_args.weights to "
                "a folder with model.safetensors, or compare the features of a trained "
                "autoencoder (docs/methods/dfr.md)"
            ) from None
        self.backbone.keep_finest(level + 1)
        self.level = level
        self.grid = self.backbone.grids[level]
        pyramid = self.backbone.pyramid
        if isinstance(pyramid, TokenPyramid):
            # What it would be reassembled with has not been trained.
            del pyramid.reassemble
            self.grid = Grid(pyramid.token_stride, (pyramid.token_stride - 1) / 2)
        self._freeze()

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c _ _"]:
        prepared, pyramid = self.backbone.prepared(images), self.backbone.pyramid
        maps = pyramid.tokens(prepared) if isinstance(pyramid, TokenPyramid) else pyramid(prepared)
        return self.grid.cropped(maps[self.level], (images.shape[-2], images.shape[-1]))
