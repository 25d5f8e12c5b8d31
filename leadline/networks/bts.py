"""The network of BTS: a backbone, and planes that guide from coarse to fine."""

from jaxtyping import Float
from torch import Tensor

from leadline.networks.backbone import Backbone
from leadline.networks.decoders.planar_guidance import PlanarGuidanceDecoder
from leadline.networks.depth import DepthModule, RawDepth, cropped_to_image
from leadline.networks.heads import LEAST_DEPTH, check_depth_range
from leadline.networks.weights import Weights


class BTS(DepthModule):
    """Depth at full size, guided by local planes at strides 8, 4 and 2 [bts].

    47.5 million parameters on a ResNet-50; the published 49.5 are these and its classes.

    Departure: on KITTI the released code multiplies depth by the focal length of each camera over
    715.0873 pixels; here one network says depth of one kind of camera, for a picture may come
    without any. ResNets see images normalised as [monodepth2] does.

    Args:
        backbone: name of the backbone, see `Backbone`: ResNet-50 in the paper, among others.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        maximum_depth: greatest depth, in network units: with a unit of 1 m, 80 on KITTI and 10
            indoors.

    Raises:
        ValueError: the greatest depth is not above the least, or the backbone cannot be built as
            asked.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(self, backbone: str, weights: Weights, maximum_depth: float = 80.0) -> None:
        super().__init__()
        check_depth_range(LEAST_DEPTH, maximum_depth)
        self.maximum_depth = maximum_depth
        self.backbone = Backbone(backbone, weights)
        self.decoder = PlanarGuidanceDecoder(self.backbone.strides, self.backbone.channels)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        share = self.decoder(self.backbone(image))
        depth = LEAST_DEPTH + (self.maximum_depth - LEAST_DEPTH) * share
        return RawDepth(cropped_to_image({0: depth}, *image.shape[-2:]))
