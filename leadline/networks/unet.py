"""The U-Net that says the logarithm of depth, for rooms."""

from jaxtyping import Float
from torch import Tensor

from leadline.networks.backbone import Backbone
from leadline.networks.decoders.log_depth import LogDepthDecoder
from leadline.networks.depth import DepthModule, RawDepth, cropped_to_image
from leadline.networks.heads import clamped_straight_through, log_of_initial_depth
from leadline.networks.weights import Weights

SCALE = 2.187076678
"""Of the logarithm of depth: z = 2.187 ln(depth)."""
FARTHEST = 20.0
"""|z| of what depth is made of: from a ten thousandth to ten thousand network units."""


class LogDepthUNet(DepthModule):
    """Depth at full size, exp(z / 2.187) of what the decoder says [unet-nyu].

    Departure: any backbone with maps at strides 2 to 32 in the place of its own, which is
    `resnet50-half`; images normalised as for all ResNets here; starts at `initial_depth` instead of
    one unit, which the last layer would take a thousand steps to move from.

    Args:
        backbone: name of the backbone, see `Backbone`.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.

    Raises:
        ValueError: the backbone cannot be built as asked, or has no map at stride 2.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(self, backbone: str, weights: Weights, initial_depth: float = 1.0) -> None:
        super().__init__()
        self.start = SCALE * log_of_initial_depth(initial_depth)
        self.backbone = Backbone(backbone, weights)
        self.decoder = LogDepthDecoder(self.backbone.strides, self.backbone.channels)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        said = clamped_straight_through(self.decoder(self.backbone(image)) + self.start, FARTHEST)
        return RawDepth(cropped_to_image({0: (said / SCALE).exp()}, *image.shape[-2:]))
