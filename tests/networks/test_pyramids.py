"""The ResNets of transformers against the classic ones, written out in plain torch."""

import re

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.backbone import Backbone

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}


class Block(nn.Module):
    """Basic: 3x3 (stride), 3x3. Bottleneck: 1x1, 3x3 (stride), 1x1 to four times the width."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            shapes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            shapes = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.count = len(shapes)
        for i, (a, b, kernel, step) in enumerate(shapes, start=1):
            conv = nn.Conv2d(a, b, kernel, stride=step, padding=kernel // 2, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i in range(1, self.count + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            if i < self.count:
                y = functional.relu(y)
        return functional.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ClassicResNet(nn.Module):
    """He et al. 2016, but bottlenecks stride in their 3x3 convolution; torchvision's names."""

    def __init__(self, depths: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for level, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512), strict=True), 1):
            blocks = []
            for i in range(depth):
                blocks.append(Block(inputs, width, 2 if i == 0 and level > 1 else 1, bottleneck))
                inputs = 4 * width if bottleneck else width
            self.add_module(f"layer{level}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [functional.relu(self.bn1(self.conv1(x)))]
        y = functional.max_pool2d(maps[0], 3, stride=2, padding=1)
        for level in range(1, 5):
            y = self.get_submodule(f"layer{level}")(y)
            maps.append(y)
        return maps


def transformers_key(classic: str) -> str:
    """The name in transformers of a tensor named as in torchvision."""
    key = re.sub(r"^conv1\.", "embedder.embedder.convolution.", classic)
    key = re.sub(r"^bn1\.", "embedder.embedder.normalization.", key)
    key = re.sub(
        r"^layer(\d)\.(\d+)\.",
        lambda m: f"encoder.stages.{int(m[1]) - 1}.layers.{m[2]}.",
        key,
    )
    key = key.replace("downsample.0", "shortcut.convolution")
    key = key.replace("downsample.1", "shortcut.normalization")
    key = re.sub(r"\.conv(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.convolution.", key)
    return re.sub(r"\.bn(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.normalization.", key)


def with_random_norms(network: nn.Module) -> nn.Module:
    """The same network with batch norms that are far from doing nothing, in evaluation mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("name", DEPTHS)
def test_resnet_is_the_classic_one(name: str) -> None:
    classic = with_random_norms(ClassicResNet(DEPTHS[name], bottleneck=name == "resnet50"))
    backbone = Backbone(name, weights="none").eval()
    backbone.pyramid.network.load_state_dict(
        {transformers_key(key): value for key, value in classic.state_dict().items()}
    )
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        expected = classic((image - 0.45) / 0.225)
        maps = backbone(image)
    assert len(maps) == len(expected) == 5
    for ours, theirs in zip(maps, expected, strict=True):
        torch.testing.assert_close(ours / theirs.std(), theirs / theirs.std(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"), [("resnet18", 11_176_512), ("resnet50", 23_508_032)]
)
def test_parameter_counts(name: str, parameters: int) -> None:
    backbone = Backbone(name, weights="none")
    assert sum(p.numel() for p in backbone.parameters()) == parameters
