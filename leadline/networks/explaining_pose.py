"""The network of [sfmlearner] that sees how the camera moved, and which pixels that explains."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.pose import euler_to_matrix, pose_from_rotation
from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD
from leadline.networks.heads import apply_in_full_precision
from leadline.networks.initialise import xavier_without_bias
from leadline.networks.pose import MOTION_SCALE, JointPoseNetwork, strided_convolutions

SHARED_WIDTHS, SHARED_KERNELS = (16, 32, 64, 128, 256), (7, 5, 3, 3, 3)
MOTION_WIDTHS = (256, 256)
MASK_WIDTHS, MASK_KERNELS = (16, 32, 64, 128, 256), (7, 5, 3, 3, 3)
"""Of the stages that end at strides 1, 2, 4, 8 and 16."""
SCALES = (0, 1, 2, 3)
MOTION = 6


class MotionAndMasks(NamedTuple):
    """What is seen of a target and its sources."""

    poses: list[Float[Tensor, "b 4 4"]]
    explainability: dict[int, Float[Tensor, "b n _ _"]] | None
    """Logits by scale, finest first."""


class ExplainingPose(JointPoseNetwork):
    """Target and sources side by side -> every motion and, if wanted, a mask for each source at
    four scales [sfmlearner].

    Five strided convolutions are shared. Motion: two more, 1x1 to 6 numbers by source, mean over
    the image, times 0.01; a translation, then Euler angles. Masks: five transposed convolutions,
    the last four of which have heads of the kernels 3, 3, 5 and 7.

    Departure: a mask has one logit where the paper has two and their softmax, which is the same;
    colours are normalised as [monodepth2] does; pictures that strides do not divide are seen with
    a border of 0.

    Args:
        sources: how many it sees beside the target.
        explains: whether it makes masks too.
    """

    sources: int

    def __init__(self, sources: int = 2, explains: bool = True) -> None:
        super().__init__()
        self.sources = sources
        self.shared = _strided(3 * (1 + sources), SHARED_WIDTHS, SHARED_KERNELS)
        coming = SHARED_WIDTHS[-1]
        self.motion = nn.Sequential(
            *_strided(coming, MOTION_WIDTHS, (3, 3)),
            nn.Conv2d(MOTION_WIDTHS[-1], MOTION * sources, 1),
        )
        self.explains = explains
        self.enlargings, self.heads = nn.ModuleList(), nn.ModuleList()
        if explains:
            for stage, (width, kernel) in enumerate(zip(MASK_WIDTHS, MASK_KERNELS, strict=True)):
                before = MASK_WIDTHS[stage + 1] if stage + 1 < len(MASK_WIDTHS) else coming
                self.enlargings.append(
                    nn.ConvTranspose2d(before, width, kernel, 2, kernel // 2, output_padding=1)
                )
            for scale in SCALES:
                kernel = MASK_KERNELS[scale]
                self.heads.append(
                    nn.Conv2d(MASK_WIDTHS[scale], sources, kernel, padding=kernel // 2)
                )
        self.apply(xavier_without_bias)

    def forward(
        self, target: Float[Tensor, "b 3 h w"], sources: Sequence[Float[Tensor, "b 3 h w"]]
    ) -> list[Float[Tensor, "b 4 4"]]:
        return self._poses(self._features(target, sources))

    def look(
        self, target: Float[Tensor, "b 3 h w"], sources: Sequence[Float[Tensor, "b 3 h w"]]
    ) -> MotionAndMasks:
        """Motions and masks, of pictures in [0, 1]."""
        features = self._features(target, sources)
        if not self.explains:
            return MotionAndMasks(self._poses(features), None)
        masks, x = {}, features
        height, width = target.shape[-2:]
        for stage in reversed(range(len(MASK_WIDTHS))):
            # As large as maps of that stride are: it need not divide the image.
            rows, columns = -(-height // 2**stage), -(-width // 2**stage)
            x = functional.relu(self.enlargings[stage](x)[..., :rows, :columns])
            if stage in SCALES:
                masks[stage] = apply_in_full_precision(self.heads[stage], x)
        return MotionAndMasks(self._poses(features), {scale: masks[scale] for scale in SCALES})

    def _features(
        self, target: Float[Tensor, "b 3 h w"], sources: Sequence[Float[Tensor, "b 3 h w"]]
    ) -> Float[Tensor, "b c _ _"]:
        pictures = [(image - MONODEPTH_MEAN) / MONODEPTH_STD for image in (target, *sources)]
        features: Tensor = self.shared(torch.cat(pictures, dim=1))
        return features

    def _poses(self, features: Float[Tensor, "b c _ _"]) -> list[Float[Tensor, "b 4 4"]]:
        outputs = apply_in_full_precision(self.motion, features)
        with torch.autocast(features.device.type, enabled=False):
            motions = MOTION_SCALE * outputs.mean(dim=(2, 3))
            return [
                pose_from_rotation(euler_to_matrix(motion[:, 3:]), motion[:, :3])
                for motion in motions.split(MOTION, dim=1)
            ]


def _strided(inputs: int, widths: Sequence[int], kernels: Sequence[int]) -> nn.Sequential:
    convolutions = strided_convolutions(widths, kernels, inputs)
    return nn.Sequential(*(m for layer in convolutions for m in (layer, nn.ReLU(inplace=True))))
