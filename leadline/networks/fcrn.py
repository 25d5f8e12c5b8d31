"""The network of FCRN: a ResNet without its pooling and classes, and up-projections."""

from jaxtyping import Float
from torch import Tensor, nn

from leadline.networks.backbone import Backbone
from leadline.networks.decoders.up_projection import UpProjectionDecoder
from leadline.networks.depth import DepthModule, RawDepth, cropped_to_image
from leadline.networks.heads import apply_in_full_precision, positive_depth, value_of_depth
from leadline.networks.weights import Weights

SCALE = 1
"""Of its one map of depth: half of the size of the image."""
COARSEST = 32


class FCRN(DepthModule):
    """Depth at half of the size of the image from the coarsest map of a backbone alone [fcrn].

    1x1 convolution, four up-projections, dropout, 3x3 convolution. 63.6 million parameters on a
    ResNet-50, whose last map has 2048 channels.

    Departure: softplus makes depth of the last layer's value, for depth has an inverse and a
    logarithm here; the paper has a ReLU, behind which a pixel that says nothing learns nothing,
    and ports of it nothing at all. Images are padded to whole pixels of the coarsest map, and
    what lies beyond them is cut off, where the paper stretches.

    Args:
        backbone: name of the backbone, see `Backbone`; one with a map at stride 32.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.
        dropout: share of features that are left out in training.

    Raises:
        ValueError: the backbone cannot be built as asked, or ends at another stride.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(
        self,
        backbone: str,
        weights: Weights,
        initial_depth: float = 2.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights)
        if self.backbone.strides[-1] != COARSEST:
            raise ValueError(
                f"depth: expected a backbone with its last map at stride {COARSEST}, got "
                f"{backbone} with {self.backbone.strides}"
            )
        self.decoder = UpProjectionDecoder(self.backbone.channels[-1])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(self.decoder.channels, 1, 3, padding=1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, value_of_depth(initial_depth))

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        features = self.dropout(self.decoder(self.backbone(image)[-1]))
        said = apply_in_full_precision(self.head, features)
        return RawDepth(cropped_to_image({SCALE: positive_depth(said)}, *image.shape[-2:]))
