"""The network of [garg] as its authors released it: a ResNet-50 of half the width that pools, and
a sum of what each of its maps says of the disparity.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD
from leadline.networks.decoders.skip_scores import SkipScores
from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.initialise import xavier_without_bias

STEM, SECOND = 64, 128
STAGES = ((32, 3), (64, 4), (128, 6), (256, 3))
"""Inner width and blocks; outputs are four times as wide."""
EXPANSION = 4
LEAST_DISPARITY = 1e-4
"""Share of the width: 4 km on KITTI."""
FIRST_DISPARITY = 0.03
"""Share of the width: that of 10 m on KITTI."""


class GargNetwork(DepthModule):
    """Disparity of a left picture, without bounds, from maps at strides 2 to 32 [garg].

    7x7 to 64 channels, pooling, 3x3 to 128, pooling, then bottlenecks in four stages with pooling
    between them. Each of the five maps says its part, in pixels of its own size, see `SkipScores`.

    Depth is width / disparity in network units, as in `MonodepthNetwork`. Departure: the paper's
    network says the horizontal flow and may say a negative one; here a disparity of less than
    1/10,000 of the width counts as that, with the gradient that it would have, and the first one is
    3 % of the width for all pixels; colours are
    normalised as [monodepth2] does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _normed(3, STEM, 7)
        self.second = _normed(STEM, SECOND, 3)
        self.stages, coming = nn.ModuleList(), SECOND
        for width, blocks in STAGES:
            stage: list[nn.Module] = []
            for number in range(blocks):
                stage.append(_Bottleneck(coming, width, projects=number == 0))
                coming = EXPANSION * width
            self.stages.append(nn.Sequential(*stage))
        channels = (SECOND, *(EXPANSION * width for width, _ in STAGES))
        self.apply(xavier_without_bias)
        self.scores = SkipScores(channels)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        height, width = image.shape[-2:]
        maps = list(self._maps((image - MONODEPTH_MEAN) / MONODEPTH_STD))
        disparity = FIRST_DISPARITY + self.scores(maps, (height, width)) / width
        # Adds nothing but its gradient.
        held = LEAST_DISPARITY + (disparity - disparity.detach())
        return RawDepth({0: 1 / torch.where(disparity > LEAST_DISPARITY, disparity, held)})

    def _maps(self, image: Float[Tensor, "b 3 h w"]) -> Iterable[Float[Tensor, "b _ _ _"]]:
        x = self.second(_pooled(self.stem(image)))
        yield x
        for stage in self.stages:
            x = stage(_pooled(x))
            yield x


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, projects: bool) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.body = nn.Sequential(
            _normed(inputs, width, 1),
            _normed(width, width, 3),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if projects:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ h w"]:
        return functional.relu(self.body(x) + self.shortcut(x))


def _normed(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _pooled(x: Float[Tensor, "b c _ _"]) -> Float[Tensor, "b c _ _"]:
    """Half as large; what an odd side has over counts as a pixel."""
    return functional.max_pool2d(x, 2, ceil_mode=True)
