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

    Args:
        backbone: name of the backbone, see `Backbone`: ResNet-50 in the paper, among others.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        maximum_depth: greatest depth, in network units: 80 on KITTI, 10 indoors.
        focal: pixels at the size of the network; with it depth grows with the focal length of the
            camera, as far as that is from this one: the same picture seen by a longer lens is
            farther away. 715.0873 for KITTI at its own size.

    Raises:
        ValueError: the greatest depth is not above the least, or the backbone cannot be built as
            asked.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(
        self,
        backbone: str,
        weights: Weights,
        maximum_depth: float = 80.0,
        focal: float | None = None,
    ) -> None:
        super().__init__()
        check_depth_range(LEAST_DEPTH, maximum_depth)
        if focal is not None and not focal > 0:
            raise ValueError(f"focal: expected pixels above 0, got {focal}")
        self.maximum_depth = maximum_depth
        self.focal = focal
        self.backbone = Backbone(backbone, weights)
        self.decoder = PlanarGuidanceDecoder(self.backbone.strides, self.backbone.channels)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1].

        Raises:
            ValueError: it depends on the focal length, and there is no camera.
        """
        depth = self.maximum_depth * self.decoder(self.backbone(image)) + LEAST_DEPTH
        if self.focal is not None:
            if intrinsics is None:
                raise ValueError(
                    "depth: expected a camera, for depth depends on its focal length here, got "
                    "none; leave `focal` out, or give intrinsics"
                )
            depth = depth * (intrinsics[:, 0, 0] / self.focal)[:, None, None, None]
        return RawDepth(cropped_to_image({0: depth}, *image.shape[-2:]))
