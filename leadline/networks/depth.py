"""One image -> its depth, and what else is asked of it: backbone, decoder and heads in a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from leadline.networks.backbone import Backbone
from leadline.networks.decoders.skip import SkipDecoder
from leadline.networks.heads import (
    bounded_depth,
    bounded_log_scale,
    check_depth_range,
    logit_of_depth,
)
from leadline.networks.weights import Weights
from leadline.types import Ordinal

DEPTH, UNCERTAINTY, EXPLAINABILITY = "depth", "uncertainty", "explainability"
PHOTOMETRIC_UNCERTAINTY = "photometric_uncertainty"


@dataclass(frozen=True)
class RawDepth:
    """What a depth network says of a batch of images, by scale, finest first; `None` unless made.

    The map of scale s has ceil(h / 2^s) rows of 2^s pixels each; where 2^s does not divide h, the
    last one reaches beyond the image.
    """

    depth: Mapping[int, Float[Tensor, "b 1 _ _"]]
    """In network units."""
    uncertainty: Mapping[int, Float[Tensor, "b 1 _ _"]] | None = None
    """u in exp(-u) * residual + u."""
    explainability: Mapping[int, Float[Tensor, "b n _ _"]] | None = None
    """Logits of the predictive mask, one channel per source."""
    ordinal: Ordinal | None = None
    """What depth was decoded from, in network units."""
    photometric_uncertainty: Mapping[int, Float[Tensor, "b n _ _"]] | None = None
    """u in exp(-u) * error + u, one channel for each source."""
    partner_depth: Mapping[int, Float[Tensor, "b 1 _ _"]] | None = None
    """Of the right picture of a pair, by networks that see it in the left one [monodepth]."""


class DepthModule(nn.Module):
    """What every depth network is: an image in [0, 1] of any size and its camera -> `RawDepth`."""

    makes: frozenset[str] = frozenset()
    """What it predicts beside depth."""
    goes_on = False
    """Whether it learns on another model's weights, without which what rests in it is random."""

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        raise NotImplementedError


class DepthNetwork(DepthModule):
    """The depth network of [monodepth2] on any backbone: U-shaped, depth bounded, four scales.

    Weights that do not come with the backbone start as torch makes them, so that the first depths
    lie near the harmonic middle of the range (0.2 for 0.1 to 100), as in the released code. With a
    stereo baseline of 0.1 that is a disparity of half the image, from which a large learning rate
    may drive all depths to the minimum, where the sigmoid has no gradient to come back by:
    `initial_depth` starts elsewhere.

    Args:
        backbone: name of the backbone, see `Backbone`.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        minimum_depth: least depth, in network units.
        maximum_depth: greatest depth, in network units.
        uncertainty: also predict the log-scale of the depth residual, by heads beside those of
            depth [depth-hints].
        explained_sources: with n > 0, also predict a mask for each of n sources, by a decoder of
            its own [sfmlearner].
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.
        uncertain_sources: with n > 0, also predict the log-scale of the photometric error of each
            of n sources, by heads beside those of depth [sfm-from-sfm].

    Raises:
        ValueError: the range is empty, or the backbone cannot be built as asked.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(
        self,
        backbone: str,
        weights: Weights,
        minimum_depth: float = 0.1,
        maximum_depth: float = 100.0,
        uncertainty: bool = False,
        explained_sources: int = 0,
        initial_depth: float | None = None,
        uncertain_sources: int = 0,
    ) -> None:
        super().__init__()
        check_depth_range(minimum_depth, maximum_depth)
        self.minimum_depth = minimum_depth
        self.maximum_depth = maximum_depth
        self.backbone = Backbone(backbone, weights)
        strides, channels = self.backbone.strides, self.backbone.channels
        extras = {
            UNCERTAINTY: int(uncertainty),
            PHOTOMETRIC_UNCERTAINTY: uncertain_sources,
        }
        heads = {DEPTH: 1} | {name: count for name, count in extras.items() if count}
        self.makes = frozenset(heads) - {DEPTH}
        self.makes |= {EXPLAINABILITY} if explained_sources else frozenset()
        self.decoder = SkipDecoder(strides, channels, heads)
        if initial_depth is not None:
            self._start_at(logit_of_depth(initial_depth, minimum_depth, maximum_depth))
        self.mask_decoder = (
            SkipDecoder(strides, channels, {EXPLAINABILITY: explained_sources})
            if explained_sources
            else None
        )

    def _start_at(self, logit: float) -> None:
        for layer in cast(nn.ModuleList, self.decoder.heads[DEPTH]):
            nn.init.constant_(cast(Tensor, layer.bias), logit)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        features = self.backbone(image)
        logits = self.decoder(features)
        if self.mask_decoder is not None:
            logits |= self.mask_decoder(features)
        cropped = {name: cropped_to_image(maps, *image.shape[-2:]) for name, maps in logits.items()}
        return RawDepth(
            depth={
                scale: bounded_depth(x, self.minimum_depth, self.maximum_depth)
                for scale, x in cropped[DEPTH].items()
            },
            uncertainty=_log_scales(cropped.get(UNCERTAINTY)),
            explainability=cropped.get(EXPLAINABILITY),
            photometric_uncertainty=_log_scales(cropped.get(PHOTOMETRIC_UNCERTAINTY)),
        )


def _log_scales(
    logits: Mapping[int, Float[Tensor, "b _ _ _"]] | None,
) -> dict[int, Float[Tensor, "b _ _ _"]] | None:
    if logits is None:
        return None
    return {scale: bounded_log_scale(x) for scale, x in logits.items()}


def cropped_to_image(
    maps: Mapping[int, Float[Tensor, "b k _ _"]], height: int, width: int
) -> dict[int, Float[Tensor, "b k _ _"]]:
    """The part of each map that lies in an image of this size, without padding beyond it."""
    return {
        scale: x[..., : -(-height // 2**scale), : -(-width // 2**scale)]
        for scale, x in maps.items()
    }
