"""The depth network of FeatDepth: a backbone, and chained residual pooling instead of plain
convolutions.
"""

from jaxtyping import Float
from torch import Tensor, nn

from leadline.networks.backbone import Backbone
from leadline.networks.decoders.residual_pooling import ResidualPoolingDecoder
from leadline.networks.depth import DepthModule, RawDepth, cropped_to_image
from leadline.networks.heads import bounded_depth, check_depth_range, logit_of_depth
from leadline.networks.weights import Weights


class FeatDepthNetwork(DepthModule):
    """The depth network of [featdepth] on any backbone: depth at scales 1 to 4.

    The finest depth has half the size of the image; losses and predictions enlarge it bilinearly.

    Args:
        backbone: name of the backbone, see `Backbone`.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        minimum_depth: least depth, in network units.
        maximum_depth: greatest depth, in network units.
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.

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
        initial_depth: float | None = None,
    ) -> None:
        super().__init__()
        check_depth_range(minimum_depth, maximum_depth)
        self.minimum_depth = minimum_depth
        self.maximum_depth = maximum_depth
        self.backbone = Backbone(backbone, weights)
        self.decoder = ResidualPoolingDecoder(self.backbone.strides, self.backbone.channels)
        if initial_depth is not None:
            logit = logit_of_depth(initial_depth, minimum_depth, maximum_depth)
            for head in self.decoder.heads():
                if head.bias is not None:
                    nn.init.constant_(head.bias, logit)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        logits = cropped_to_image(self.decoder(self.backbone(image)), *image.shape[-2:])
        return RawDepth(
            depth={
                scale: bounded_depth(x, self.minimum_depth, self.maximum_depth)
                for scale, x in logits.items()
            }
        )
