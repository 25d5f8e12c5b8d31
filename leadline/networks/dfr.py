"""The networks of Deep Feature Reconstruction: inverse depth as a sum of what each map says of it,
and motion by fully connected layers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.pose import pose_from_rotvec, rotvec_to_matrix
from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD, Backbone
from leadline.networks.decoders.skip_scores import SkipScores
from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.pose import strided_convolutions
from leadline.networks.weights import Weights

FIRST_BIAS = 0.01
MAPS = 5
OUTPUT_SCALE = 0.01
LEAST_INVERSE_DEPTH = 1e-4

POSE_CHANNELS = (16, 32, 64, 128, 256, 256)
POSE_KERNELS = (7, 5, 3, 3, 3, 3)
POSE_GRID = (3, 10)
"""Rows and columns that are left of pictures of 608x160."""
POSE_HIDDEN = 512
MOTION = 6


class SkipScoreNetwork(DepthModule):
    """The depth network of [dfr] and [garg] on any backbone with a map at stride 2.

    Each of the five maps says its part of the inverse depth, see `SkipScores`; the last enlarging
    leaves the value as it is. Times 0.01, ReLU; depth = 1 / (x + 0.0001), at the size of the image.

    Raises:
        ValueError: the backbone cannot be built as asked, or has no map at stride 2.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(self, backbone: str, weights: Weights) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights)
        if len(self.backbone.strides) != MAPS:
            raise ValueError(
                f"depth: expected a backbone with maps at strides 2 to 32, as a ResNet, got "
                f"{backbone} with {self.backbone.strides}"
            )
        self.scores = SkipScores(self.backbone.channels, FIRST_BIAS, doubles_last=False)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        whole = self.scores(self.backbone(image), (image.shape[-2], image.shape[-1]))
        inverse_depth = functional.relu(OUTPUT_SCALE * whole)
        return RawDepth({0: 1 / (inverse_depth + LEAST_INVERSE_DEPTH)})


class ConnectedPose(nn.Module):
    """The pose network of [dfr]: six strided convolutions, two hidden layers of 512, and a rotation
    vector r and u, of which the translation is R u.

    Departure: pictures of other sizes than 608x160 are averaged over as many cells as these leave.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = strided_convolutions(POSE_CHANNELS, POSE_KERNELS)
        cells = POSE_CHANNELS[-1] * POSE_GRID[0] * POSE_GRID[1]
        self.hidden = nn.Sequential(
            nn.Linear(cells, POSE_HIDDEN),
            nn.ReLU(),
            nn.Linear(POSE_HIDDEN, POSE_HIDDEN),
            nn.ReLU(),
        )
        self.motion = nn.Linear(POSE_HIDDEN, MOTION)

    def forward(
        self, earlier: Float[Tensor, "b 3 h w"], later: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 4 4"]:
        """earlier_to_later, translation in network units; images in [0, 1]."""
        x = (torch.cat([earlier, later], dim=1) - MONODEPTH_MEAN) / MONODEPTH_STD
        for layer in self.layers:
            x = functional.relu(layer(x))
        hidden = self.hidden(functional.adaptive_avg_pool2d(x, POSE_GRID).flatten(1))
        with torch.autocast(hidden.device.type, enabled=False):
            rotvec, u = self.motion(hidden.float()).split(MOTION // 2, dim=1)
            translation = (rotvec_to_matrix(rotvec) @ u[..., None])[..., 0]
            return pose_from_rotvec(rotvec, translation)
