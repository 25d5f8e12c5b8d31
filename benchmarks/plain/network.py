"""The depth network of Monodepth2 in ordinary layers: ResNet-18 and the skip decoder."""

import torch
from torch import Tensor, nn
from torch.nn import functional

ENCODER_WIDTHS = (64, 64, 128, 256, 512)
DECODER_WIDTHS = (16, 32, 64, 128, 256)
MEAN, STD = 0.45, 0.225


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class Encoder(nn.Module):
    """Images in [0, 1] -> the maps at strides 2, 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, ENCODER_WIDTHS[0], 7, 2, 3, bias=False)
        self.norm1 = nn.BatchNorm2d(ENCODER_WIDTHS[0])
        self.layers = nn.ModuleList()
        for stage in range(1, len(ENCODER_WIDTHS)):
            inputs, outputs = ENCODER_WIDTHS[stage - 1 : stage + 1]
            first = BasicBlock(inputs, outputs, 1 if stage == 1 else 2)
            self.layers.append(nn.Sequential(first, BasicBlock(outputs, outputs, 1)))

    def forward(self, image: Tensor) -> list[Tensor]:
        x = functional.relu(self.norm1(self.conv1((image - MEAN) / STD)), inplace=True)
        maps = [x]
        x = functional.max_pool2d(x, 3, 2, 1)
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps


class ReflectConvolution(nn.Module):
    """3x3 convolution after reflection padding."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.pad(x))


class PlainDepthNetwork(nn.Module):
    """Images -> sigmoids at strides 1, 2, 4 and 8."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.blocks = nn.ModuleList()
        coming = ENCODER_WIDTHS[-1]
        for stage in reversed(range(len(DECODER_WIDTHS))):
            width = DECODER_WIDTHS[stage]
            skip = ENCODER_WIDTHS[stage - 1] if stage > 0 else 0
            self.blocks.append(ReflectConvolution(coming, width))
            self.blocks.append(ReflectConvolution(width + skip, width))
            coming = width
        self.heads = nn.ModuleList(ReflectConvolution(width, 1) for width in DECODER_WIDTHS[:4])

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = self.encoder(image)
        x = maps[-1]
        sigmoids = []
        for i, stage in enumerate(reversed(range(len(DECODER_WIDTHS)))):
            x = functional.elu(self.blocks[2 * i](x), inplace=True)
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            if stage > 0:
                x = torch.cat([x, maps[stage - 1]], 1)
            x = functional.elu(self.blocks[2 * i + 1](x), inplace=True)
            if stage < len(self.heads):
                sigmoids.append(torch.sigmoid(self.heads[stage](x)))
        return sigmoids[::-1]
