"""The first deep network for depth: one look at the whole picture, a second one at its parts."""

import math
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.grid import IMAGE, Grid
from leadline.networks.depth import DepthModule, RawDepth
from leadline.networks.heads import (
    apply_in_full_precision,
    clamped_straight_through,
    log_of_initial_depth,
)

Stage = Literal["coarse", "fine"]
LayerT = TypeVar("LayerT", nn.Conv2d, nn.Linear)
HIDDEN = 4096
GRID = Grid(4, 5.0)
"""Of both maps: an 11x11 convolution of every fourth pixel, and the largest of two by two places of
a 9x9 convolution of every second one, neither with a border, have the same centres."""
MOST_LOG = math.log(1e4)
"""|log| of a predicted depth, in network units."""


def map_size(height: int, width: int) -> tuple[int, int]:
    """(h, w) of the maps of depth of an image of this size.

    >>> map_size(228, 304)
    (55, 74)
    """
    return (height - 7) // 4, (width - 7) // 4


class EigenNetwork(DepthModule):
    """Log depth at a quarter of the size, first of the whole picture, then in detail [eigen2014].

    Coarse: convolutions 11x11 of 96 channels at every fourth pixel, 5x5 of 256, 3x3 of 384, 384 and
    256, with max pooling after the first two and the last, a fully connected layer of 4096 with
    dropout, and one that says the whole map. Fine: 9x9 of 63 channels at every second pixel, max
    pooling, the coarse map beside them as the 64th, 5x5 of 64, 5x5 of one. ReLU between layers.

    The stages are learnt one after the other. `coarse` teaches the first and predicts by it; `fine`
    starts from its weights (`--init-from`) and leaves it as it is, without dropout. Both hold all
    parameters.

    Departure: layers without a published padding keep the size of their maps; on KITTI too all of
    the picture is predicted, not the lower 27 rows of the map alone; maps are enlarged as
    logarithms, between their true centres, to the size of the image, where they are compared with
    the truth.

    Args:
        size: (h, w) of the images, which the fully connected layer is made for: 228 x 304 for
            NYUv2, 172 x 576 for KITTI in the paper.
        stage: which part learns.
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.
        dropout: share of the 4096 that are left out while the coarse stage learns.

    Raises:
        ValueError: the images are too small.
    """

    def __init__(
        self,
        size: tuple[int, int],
        stage: Stage = "coarse",
        initial_depth: float = 2.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        height, width = size
        self.size = (height, width)
        self.map_size = map_size(height, width)
        seen = [side // 2 // 2 // 2 for side in self.map_size]
        if min(seen) < 1:
            raise ValueError(
                f"depth.size: expected images of 39 x 39 or more, got {height} x {width}; give "
                "that of data.height and data.width"
            )
        self.stage: Stage = stage
        self.goes_on = stage == "fine"
        self.start = log_of_initial_depth(initial_depth)
        self.coarse = nn.Sequential(
            *_layer(3, 96, 11, stride=4),
            nn.MaxPool2d(2),
            *_layer(96, 256, 5, padding=2),
            nn.MaxPool2d(2),
            *_layer(256, 384, 3, padding=1),
            *_layer(384, 384, 3, padding=1),
            *_layer(384, 256, 3, padding=1),
            nn.MaxPool2d(2),
        )
        self.whole = nn.Sequential(
            nn.Flatten(),
            _heard(nn.Linear(256 * math.prod(seen), HIDDEN)),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.coarse_map = nn.Linear(HIDDEN, math.prod(self.map_size))
        self.edges = nn.Sequential(*_layer(3, 63, 9, stride=2), nn.MaxPool2d(2))
        self.fine = nn.Sequential(*_layer(64, 64, 5, padding=2))
        self.fine_map = nn.Conv2d(64, 1, 5, padding=2)
        for part in self._resting():
            part.requires_grad_(False)
        self.train()

    def _resting(self) -> tuple[nn.Module, ...]:
        """What does not learn in this stage."""
        if self.stage == "coarse":
            return self.edges, self.fine, self.fine_map
        return self.coarse, self.whole, self.coarse_map

    def train(self, mode: bool = True) -> "EigenNetwork":
        """What rests stays in evaluation: the fine stage corrects the map that will be there."""
        super().train(mode)
        for part in self._resting():
            part.eval()
        return self

    def forward(
        self, image: Float[Tensor, "b 3 h w"], intrinsics: Float[Tensor, "b 3 3"] | None = None
    ) -> RawDepth:
        """Depth of `image` in [0, 1]; this network does not look at the camera.

        Raises:
            ValueError: the image has another size than the network is made for.
        """
        height, width = image.shape[-2:]
        if (height, width) != self.size:
            raise ValueError(
                f"depth: expected images of the size {list(self.size)} that depth.size says, got "
                f"[{height}, {width}]; in training set data.height and data.width, or depth.size: "
                "what is trained sees no other size"
            )
        said = self.log_maps(image)[self.stage]
        full = GRID.resampled(said, IMAGE, (height, width))
        return RawDepth({0: clamped_straight_through(full + self.start, MOST_LOG).exp()})

    def log_maps(self, image: Float[Tensor, "b 3 h w"]) -> dict[Stage, Float[Tensor, "b 1 _ _"]]:
        """Log depth less that of `initial_depth`, of each stage up to this one, on `GRID`."""
        centred = image - 0.5
        hidden = self.whole(self.coarse(centred))
        coarse = apply_in_full_precision(self.coarse_map, hidden).unflatten(1, (1, *self.map_size))
        if self.stage == "coarse":
            return {"coarse": coarse}
        beside = torch.cat([self.edges(centred), coarse.to(centred.dtype)], 1)
        fine = apply_in_full_precision(self.fine_map, self.fine(beside))
        return {"coarse": coarse, "fine": fine}


def _layer(
    inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding)
    return _heard(convolution), nn.ReLU(inplace=True)


def _heard(layer: LayerT) -> LayerT:
    """Weights that keep a signal's size through ReLUs: with torch's own, nothing here normalising
    it, the picture is lost on its way to the map for hundreds of steps.
    """
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
