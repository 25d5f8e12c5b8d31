"""The networks of [monodepth]: one picture of a pair -> the disparity of both."""

from collections.abc import Callable
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.dispnet import ConvolutionEncoder, DisparityDecoder
from leadline.networks.initialise import xavier_without_bias

LARGEST_DISPARITY = 0.3
"""Of the width."""
LEAST_DISPARITY = 1e-6
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Width and blocks of each stage of the residual encoder."""
EXPANSION = 4
STEM = 64


class MonodepthNetwork(DepthModule):
    """Disparity of a left picture and of the right one that it never sees [monodepth].

    Two channels at four scales, 0.3 sigmoid, as shares of the width; depth is 1 / disparity in
    network units, so that the unit that fits is the focal length as a share of the width times the
    baseline: 0.313 m on KITTI. 31.6 million parameters with `vgg`, 58.5 with `resnet50`.

    The network looks for the right picture on the right: training pairs must lie so
    (`data.partner: right`). Departure: disparity is never less than a millionth of the width.

    Args:
        encoder: `vgg`, seven pairs of convolutions, or `resnet50`, residual blocks without norms;
            both from random weights.
        initial_disparity: what the network says, about, before it has learnt anything, as a share
            of the width: by default 0.15, as random weights say, which is 2 m on KITTI; thousands
            of steps go by until that is unlearnt.

    Raises:
        ValueError: the first disparity is not between 0 and 0.3.
    """

    makes = frozenset({"partner"})

    def __init__(
        self,
        encoder: Literal["vgg", "resnet50"] = "vgg",
        initial_disparity: float | None = None,
    ) -> None:
        super().__init__()
        if initial_disparity is not None and not 0 < initial_disparity < LARGEST_DISPARITY:
            raise ValueError(
                f"initial_disparity: expected a share of the width between 0 and "
                f"{LARGEST_DISPARITY}, got {initial_disparity}"
            )
        self.encoder: ConvolutionEncoder | ResidualEncoder = (
            ConvolutionEncoder(_elu, strided_first=False) if encoder == "vgg" else ResidualEncoder()
        )
        self.decoder = DisparityDecoder(
            self.encoder.channels, 2, disparity_of_logits, _elu, "nearest"
        )
        self.apply(xavier_without_bias)
        if initial_disparity is not None:
            share = torch.tensor(initial_disparity / LARGEST_DISPARITY)
            for head in self.decoder.heads:
                nn.init.constant_(cast(Tensor, head.bias), torch.logit(share).item())

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        size = (image.shape[-2], image.shape[-1])
        disparity = self.decoder(self.encoder(image), size)
        return RawDepth(
            {scale: 1 / both[:, :1] for scale, both in disparity.items()},
            partner_depth={scale: 1 / both[:, 1:] for scale, both in disparity.items()},
        )


def disparity_of_logits(logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
    """0.3 sigmoid [monodepth], and a little."""
    return LARGEST_DISPARITY * logits.sigmoid() + LEAST_DISPARITY


class ResidualEncoder(nn.Module):
    """The residual encoder of [monodepth]: maps at strides 2 to 64.

    7x7/2, pooling, then stages of bottlenecks without norms, each halving in its *last* block, and
    every block with a projected shortcut, as in the released code.
    """

    strides = (2, 4, 8, 16, 32, 64)
    channels = (STEM, STEM, *(EXPANSION * width for width, _ in STAGES))

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, STEM, 7, 2, 3), _elu())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.ModuleList()
        coming = STEM
        for width, blocks in STAGES:
            stage = []
            for number in range(blocks):
                stage.append(_Bottleneck(coming, width, 2 if number == blocks - 1 else 1))
                coming = EXPANSION * width
            self.stages.append(nn.Sequential(*stage))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        x = self.stem(image)
        maps = [x]
        x = self.pool(x)
        maps.append(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1),
            _elu(),
            nn.Conv2d(width, width, 3, stride, 1),
            _elu(),
            nn.Conv2d(width, EXPANSION * width, 1),
        )
        self.shortcut = nn.Conv2d(inputs, EXPANSION * width, 1, stride)

    def forward(self, x: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ _ _"]:
        return functional.elu(self.body(x) + self.shortcut(x))


_elu: Callable[[], nn.Module] = nn.ELU
