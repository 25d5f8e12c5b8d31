"""Two images -> how the exposure changed between them: photometric calibration [dso], learnt."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.backbone import MONODEPTH_MEAN, MONODEPTH_STD
from leadline.networks.heads import apply_in_full_precision
from leadline.networks.pose import CNN_CHANNELS, CNN_KERNELS, strided_convolutions

GAIN_AND_OFFSET = 2


class BrightnessNetwork(nn.Module):
    """Earlier and later image -> gain a and offset b with later = a earlier + b, one of each for
    the whole picture [d3vo].

    The convolutions of the small pose network of [sfmlearner], a 1x1 convolution to (log a, b) that
    starts at nothing (a = 1, b = 0), mean over the image.

    Departure: [d3vo] has its pose network say this too; a network of its own goes with any pose
    network, and with stereo pairs, which need none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = strided_convolutions(CNN_CHANNELS, CNN_KERNELS)
        self.change = nn.Conv2d(CNN_CHANNELS[-1], GAIN_AND_OFFSET, 1)
        nn.init.zeros_(self.change.weight)
        if self.change.bias is not None:
            nn.init.zeros_(self.change.bias)

    def forward(
        self, earlier: Float[Tensor, "b 3 h w"], later: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 2"]:
        """(a, b) of images in [0, 1] as they are, not augmented."""
        x = (torch.cat([earlier, later], dim=1) - MONODEPTH_MEAN) / MONODEPTH_STD
        for layer in self.layers:
            x = functional.relu(layer(x))
        log_gain, offset = apply_in_full_precision(self.change, x).mean(dim=(2, 3)).unbind(1)
        return torch.stack([log_gain.exp(), offset], dim=1)
