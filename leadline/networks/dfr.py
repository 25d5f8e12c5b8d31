"""The networks of Deep Feature Reconstruction: inverse depth as a sum of what each map says of it,
and motion by fully connected layers.
"""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.pose import pose_from_rotvec, rotvec_to_matrix
from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD, Backbone
from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.heads import apply_in_full_precision
from leadline.networks.pose import strided_convolutions
from leadline.networks.weights import Weights

FIRST_SCALES = (1e-6, 1e-5, 1e-4, 0.01)
"""With which the finer maps begin to count, from fine to coarse."""
FIRST_BIAS = 0.01
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

    Each of the five maps says its part of the inverse depth by a 1x1 convolution. From the coarsest
    on: enlarge bilinearly by two, twice the value, add what the next finer map says, which is first
    multiplied by a learnt scale; the last enlarging leaves the value as it is. Times 0.01, ReLU;
    depth = 1 / (x + 0.0001), at the size of the image.

    Raises:
        ValueError: the backbone cannot be built as asked, or has no map at stride 2.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(self, backbone: str, weights: Weights) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights)
        if len(self.backbone.strides) != len(FIRST_SCALES) + 1:
            raise ValueError(
                f"depth: expected a backbone with maps at strides 2 to 32, as a ResNet, got "
                f"{backbone} with {self.backbone.strides}"
            )
        self.scores = nn.ModuleList(
            nn.Conv2d(channels, 1, 1) for channels in self.backbone.channels
        )
        # One depth for all pixels at first: a random sum below 0 would stay behind ReLU for good.
        for score in self.scores:
            nn.init.zeros_(cast(Tensor, score.weight))
            nn.init.zeros_(cast(Tensor, score.bias))
        nn.init.constant_(cast(Tensor, self.scores[-1].bias), FIRST_BIAS)
        self.scales = nn.Parameter(torch.tensor(FIRST_SCALES))

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        *finer, coarsest = self.backbone(image)
        *scores, first = self.scores
        total = apply_in_full_precision(first, coarsest)
        for maps, score, scale in zip(
            reversed(finer), reversed(scores), self.scales.flip(0), strict=True
        ):
            said = apply_in_full_precision(score, maps * scale.to(maps.dtype))
            total = 2 * _enlarged(total) + said
        whole = _enlarged(total)[..., : image.shape[-2], : image.shape[-1]]
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


def _enlarged(values: Float[Tensor, "b 1 _ _"]) -> Float[Tensor, "b 1 _ _"]:
    return functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=False)
