"""Images -> the motion of the camera between them: of two in order of time, or of all at once."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.pose import euler_to_matrix, pose_from_rotation, pose_from_rotvec
from leadline.networks.architectures import PRESETS
from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD, Backbone
from leadline.networks.heads import apply_in_full_precision
from leadline.networks.initialise import xavier_without_bias
from leadline.networks.packing import GROUPS
from leadline.networks.pyramids import ResNetPyramid
from leadline.networks.weights import Weights

MOTION_SCALE = 0.01
"""Keeps the first motions small, so that the first warps land in the image [sfmlearner]."""

MOTION = 6
"""Axis-angle rotation, then translation."""

DECODER_WIDTH = 256
RELEASED_OUTPUTS = 12
"""[monodepth2] makes two motions of a pair of images and uses the first."""

CNN_CHANNELS = (16, 32, 64, 128, 256, 256, 256)
CNN_KERNELS = (7, 5, 3, 3, 3, 3, 3)


class SeparateResNetPose(nn.Module):
    """The pose network of [monodepth2]: a ResNet of its own that sees both images at once.

    1x1 convolution, two 3x3, 1x1; ReLU between them; mean over the image, times 0.01. As in the
    released checkpoints the last layer has 12 outputs, of which the first 6 are the motion: half of
    its weights get gradients of exactly 0. Their `net.{i}` is `net.{i}` here.

    Args:
        backbone: name of a ResNet, see `Backbone`.
        weights: `hub`, `none` (random) or a folder with model.safetensors; pretrained first-layer
            weights are tiled over the two images and halved.
        size: (h, w) to which it brings the images first, whatever theirs is [featdepth].

    Raises:
        ValueError: the backbone is no ResNet, or cannot be built as asked.
        FileNotFoundError: the weights are not where they should be.
    """

    def __init__(
        self, backbone: str, weights: Weights, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.size = size
        self.backbone = Backbone(backbone, weights, in_images=2)
        if not isinstance(self.backbone.pyramid, ResNetPyramid):
            resnets = ", ".join(name for name in PRESETS if name.startswith("resnet"))
            raise ValueError(f"pose: expected a ResNet ({resnets}), got the backbone {backbone}")
        width = DECODER_WIDTH
        self.net = nn.ModuleList(
            [
                nn.Conv2d(self.backbone.channels[-1], width, 1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, RELEASED_OUTPUTS, 1),
            ]
        )

    def forward(
        self, earlier: Float[Tensor, "b 3 h w"], later: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 4 4"]:
        """earlier_to_later, translation in network units; images in [0, 1]."""
        motion = self.motion(earlier, later)
        with torch.autocast(motion.device.type, enabled=False):
            return pose_from_rotvec(motion[:, :3], motion[:, 3:])

    def motion(
        self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 6"]:
        """Rotation and translation from the first image to the second, however they are read."""
        pair = torch.cat([first, second], dim=1)
        if self.size is not None and tuple(pair.shape[-2:]) != self.size:
            pair = functional.interpolate(pair, self.size, mode="bilinear", antialias=True)
        x = self.backbone(pair)[-1]
        *hidden, last = self.net
        for layer in hidden:
            x = functional.relu(layer(x))
        return _mean_outputs(last, x)[:, :MOTION]


class PoseCNN(nn.Module):
    """The small pose network of [sfmlearner] as [monodepth2] uses it: seven strided convolutions.

    Kernels 7, 5, 3, ...; stride 2; ReLU; 1x1 convolution to 6, mean over the image, times 0.01.

    Departure: the released variant also multiplies the translation by the mean inverse depth of the
    prediction; here a pose depends on images alone. They are normalised as for the ResNets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = strided_convolutions(CNN_CHANNELS, CNN_KERNELS)
        self.motion = nn.Conv2d(CNN_CHANNELS[-1], MOTION, 1)

    def forward(
        self, earlier: Float[Tensor, "b 3 h w"], later: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 4 4"]:
        """earlier_to_later, translation in network units; images in [0, 1]."""
        x = (torch.cat([earlier, later], dim=1) - MONODEPTH_MEAN) / MONODEPTH_STD
        for layer in self.layers:
            x = functional.relu(layer(x))
        motion = _mean_outputs(self.motion, x)
        with torch.autocast(motion.device.type, enabled=False):
            return pose_from_rotvec(motion[:, :3], motion[:, 3:])


class JointPoseNetwork(nn.Module):
    """What is shown the target and all its sources, and says every motion: target, sources in the
    order of the recipe -> target_to_source of each, translation in network units.
    """

    sources: int | None
    """How many it sees beside the target; None if any number will do."""

    def forward(
        self, target: Float[Tensor, "b 3 h w"], sources: Sequence[Float[Tensor, "b 3 h w"]]
    ) -> list[Float[Tensor, "b 4 4"]]:
        raise NotImplementedError


class TargetFirstResNetPose(JointPoseNetwork):
    """The pose network of [monodepth2] as [packnet] has it: the target first, then one source,
    whichever is the earlier; rotations are Euler angles.

    Args, Raises:
        as `SeparateResNetPose`.
    """

    sources = None

    def __init__(self, backbone: str, weights: Weights) -> None:
        super().__init__()
        self.pair = SeparateResNetPose(backbone, weights)

    def forward(
        self, target: Float[Tensor, "b 3 h w"], sources: Sequence[Float[Tensor, "b 3 h w"]]
    ) -> list[Float[Tensor, "b 4 4"]]:
        motions = [self.pair.motion(target, source) for source in sources]
        with torch.autocast(target.device.type, enabled=False):
            return [
                pose_from_rotation(euler_to_matrix(motion[:, :3]), motion[:, 3:])
                for motion in motions
            ]


class PackNetPose(JointPoseNetwork):
    """The small pose network of [packnet]: seven strided convolutions with group normalisation and
    ReLU over target and sources side by side; 1x1 convolution, mean over the image, times 0.01.

    A motion is a translation, then Euler angles. With two sources it has 1,592,684 parameters.
    """

    def __init__(self, sources: int = 2) -> None:
        super().__init__()
        self.sources = sources
        inputs = (3 * (1 + sources), *CNN_CHANNELS)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2),
                    nn.GroupNorm(GROUPS, after),
                    nn.ReLU(inplace=True),
                )
                for before, after, kernel in zip(inputs, CNN_CHANNELS, CNN_KERNELS, strict=False)
            )
        )
        self.motion = nn.Conv2d(CNN_CHANNELS[-1], MOTION * sources, 1)
        self.apply(xavier_without_bias)

    def forward(
        self, target: Float[Tensor, "b 3 h w"], sources: Sequence[Float[Tensor, "b 3 h w"]]
    ) -> list[Float[Tensor, "b 4 4"]]:
        features = self.layers(torch.cat([target, *sources], dim=1))
        motions = _mean_outputs(self.motion, features)
        with torch.autocast(features.device.type, enabled=False):
            return [
                pose_from_rotation(euler_to_matrix(motion[:, 3:]), motion[:, :3])
                for motion in motions.split(MOTION, dim=1)
            ]


def strided_convolutions(
    channels: Sequence[int], kernels: Sequence[int], inputs: int = 2 * 3
) -> nn.ModuleList:
    """Convolutions of stride 2, by default on two pictures side by side [sfmlearner]."""
    return nn.ModuleList(
        nn.Conv2d(coming, outputs, kernel, stride=2, padding=kernel // 2)
        for coming, outputs, kernel in zip((inputs, *channels), channels, kernels, strict=False)
    )


def _mean_outputs(layer: nn.Module, features: Float[Tensor, "b c _ _"]) -> Float[Tensor, "b _"]:
    """0.01 times the mean over the image of the layer's outputs, in full precision."""
    return MOTION_SCALE * apply_in_full_precision(layer, features).mean(dim=(2, 3))
