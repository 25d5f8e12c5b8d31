"""The network of DORN: is depth beyond this threshold, and this? Answers of a scene understood."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.grid import IMAGE, Grid
from leadline.networks.backbone import Backbone
from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.heads import apply_in_full_precision, check_depth_range
from leadline.networks.weights import Weights
from leadline.types import Ordinal

WIDTH = 512
MERGED = 2048


def spacing_increasing(
    nearest: float, farthest: float, bins: int, shift: float = 0.0
) -> Float[Tensor, "t"]:
    """t_i = (a + x) ((b + x) / (a + x))^(i / K) - x, i = 0 ... K: bins as wide as they are far
    [dorn].
    """
    steps = torch.arange(bins + 1, dtype=torch.float64) / bins
    near, far = math.log(nearest + shift), math.log(farthest + shift)
    return ((near + (far - near) * steps).exp() - shift).float()


class SceneUnderstanding(nn.Module):
    """Features -> features that know their surroundings and the whole picture [dorn].

    Five looks side by side, 512 channels each: the mean over some cells through a fully connected
    layer, the same for all pixels; the pixel itself; 3x3 convolutions, dilated three times. Two
    layers each, ReLU. Joined, dropout, 1x1 to 2048, ReLU, dropout.

    Departure: cells divide the picture, whatever its size; the released networks average windows
    of 16 pixels of the one size that they were made for.

    Args:
        channels: of the features.
        dilations: of the convolutions, in pixels of the features.
        cells: rows and columns to which the whole picture is averaged.
        dropout: share of what is left out in training.
    """

    def __init__(
        self,
        channels: int,
        dilations: tuple[int, int, int],
        cells: tuple[int, int],
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.whole = nn.Sequential(
            nn.AdaptiveAvgPool2d(cells),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * math.prod(cells), WIDTH),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (WIDTH, 1, 1)),
            *_said(WIDTH),
        )
        self.pixel = nn.Sequential(*_said(channels), *_said(WIDTH))
        self.around = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, WIDTH, 3, padding=d, dilation=d),
                nn.ReLU(inplace=True),
                *_said(WIDTH),
            )
            for d in dilations
        )
        looks = 2 + len(dilations)
        self.merge = nn.Sequential(
            nn.Dropout(dropout),
            nn.Conv2d(looks * WIDTH, MERGED, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ h w"]:
        whole = self.whole(features).expand(-1, -1, *features.shape[-2:])
        around = [look(features) for look in self.around]
        merged: Tensor = self.merge(torch.cat([whole, self.pixel(features), *around], 1))
        return merged


def _said(inputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, WIDTH, 1), nn.ReLU(inplace=True)


class DORN(DepthModule):
    """Depth as ordered classes, of features at stride 8 [dorn].

    Two channels for each threshold t_1 ... t_K answer whether depth is at least that far: P = the
    softmax of no and yes. Depth is the middle of the bin after the last yes, (t_l + t_{l+1}) / 2
    with l the number of yeses. It has no gradient: `OrdinalLikelihood` is what teaches.

    With `parts` a picture wider than a part is seen in overlapping parts once the network is
    trained, as in the paper: what it learnt of windows then holds for whole pictures, above all the
    look at the whole. Where parts overlap, depth is that of the mean number of yeses.

    Departure: a ResNet with a 7x7 stem in the place of one with three 3x3 convolutions; answers are
    enlarged as logits, between true centres, to the size of the image.

    Args:
        backbone: name of a ResNet, see `Backbone`: `resnet101` in the paper.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        minimum_depth: least depth, t_0 in network units.
        maximum_depth: greatest depth, t_K in network units.
        bins: K: 71 in the released network for KITTI, 68 in that for NYUv2.
        shift: added to depths before their logarithm divides them evenly; the paper adds what
            brings the least to 1.
        dropout: share of features that are left out in training.
        dilations: how far apart the three wider looks are taken, in pixels of the features: 6, 12
            and 18 on KITTI, 4, 8 and 12 on NYUv2 in the paper.
        cells: rows and columns over which the look at the whole picture averages: 4 and 5 of
            KITTI's 513x385, 5 and 6 of NYUv2's 353x257.
        parts: width of the parts in which pictures are seen in evaluation, and how far one begins
            to the right of the one before; the last ends with the picture. 513 and 256 on KITTI in
            the released code; None: pictures are seen whole.

    Raises:
        ValueError: the range is empty, there is no bin, parts leave gaps, or the backbone is no
            ResNet.
        FileNotFoundError: the weights are not where they should be.
    """

    makes = frozenset({"ordinal"})
    thresholds: Tensor

    def __init__(
        self,
        backbone: str,
        weights: Weights,
        minimum_depth: float = 1.0,
        maximum_depth: float = 80.0,
        bins: int = 71,
        shift: float = 0.0,
        dropout: float = 0.5,
        dilations: tuple[int, int, int] = (6, 12, 18),
        cells: tuple[int, int] = (4, 5),
        parts: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        check_depth_range(minimum_depth, maximum_depth)
        if parts is not None and not 0 < parts[1] <= parts[0]:
            raise ValueError(
                "parts: expected a width and how far the next part begins to the right, at most as "
                f"far as the width, got {list(parts)}"
            )
        if bins < 1 or not minimum_depth + shift > 0:
            raise ValueError(
                "depth: expected one bin or more and a least depth above 0 when shifted, got "
                f"bins={bins}, minimum_depth={minimum_depth}, shift={shift}"
            )
        self.backbone = Backbone(backbone, weights)
        self.backbone.dilate()
        self.understand = SceneUnderstanding(self.backbone.channels[-1], dilations, cells, dropout)
        self.answers = nn.Conv2d(MERGED, 2 * bins, 1)
        thresholds = spacing_increasing(minimum_depth, maximum_depth, bins, shift)
        # Settings, not weights: they stay out of checkpoints.
        self.register_buffer("thresholds", thresholds, persistent=False)
        self.grid = Grid(self.backbone.strides[-1], 0.0)
        self.shift, self.parts = shift, parts

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera."""
        if self.parts is None or self.training or image.shape[-1] <= self.parts[0]:
            logits = self._logits(image)
            yeses = counted(logits)
        else:
            logits, yeses = self._in_parts(image, *self.parts)
        return RawDepth(
            {0: decoded(yeses, self.thresholds, self.shift)},
            ordinal=Ordinal({0: logits}, self.thresholds.expand(len(image), -1)),
        )

    def _logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k h w"]:
        features = self.understand(self.backbone(image)[-1])
        no_and_yes = apply_in_full_precision(self.answers, features).unflatten(1, (-1, 2))
        height, width = image.shape[-2:]
        return self.grid.resampled(
            no_and_yes[:, :, 1] - no_and_yes[:, :, 0], IMAGE, (height, width)
        )

    def _in_parts(
        self, image: Float[Tensor, "b 3 h w"], width: int, stride: int
    ) -> tuple[Float[Tensor, "b k h w"], Float[Tensor, "b 1 h w"]]:
        """The means of the logits, and of the numbers of yeses, over the parts that see a pixel."""
        last = image.shape[-1] - width
        channels = len(self.thresholds)
        shape = (len(image), channels, *image.shape[-2:])
        total, parts = image.new_zeros(shape, dtype=torch.float32), image.new_zeros(image.shape[-1])
        for left in (*range(0, last, stride), last):
            logits = self._logits(image[..., left : left + width])
            seen = slice(left, left + width)
            total[..., seen] += torch.cat([logits, counted(logits)], dim=1)
            parts[seen] += 1
        mean = total / parts
        return mean[:, :-1], mean[:, -1:]


def counted(logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b 1 h w"]:
    """How many answers are yes; yeses to all count as one less, for depth then ends in the last
    bin.
    """
    yeses = (logits >= 0).sum(1, keepdim=True).clamp(max=logits.shape[1] - 1)
    return yeses.to(logits.dtype)


def decoded(
    yeses: Float[Tensor, "b 1 h w"], thresholds: Float[Tensor, "t"], shift: float = 0.0
) -> Float[Tensor, "b 1 h w"]:
    """(t_l + t_{l+1}) / 2, the middle of the bin after so many yeses; for a number that is not
    whole t goes on as it does from bin to bin.
    """
    near, far = (thresholds[0] + shift).log(), (thresholds[-1] + shift).log()
    bin_width = (far - near) / (len(thresholds) - 1)
    below = (near + bin_width * yeses).exp() - shift
    above = (near + bin_width * (yeses + 1)).exp() - shift
    return (below + above) / 2
