"""The network of Garg and others: layers, a sum of scores that doubles, negative disparities."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from leadline.networks.garg import GargNetwork


def test_layers() -> None:
    """Half as wide as a ResNet-50, a second convolution before the stages, pooling for strides."""
    network = GargNetwork()
    convolutions = 3 * 64 * 49 + 64 * 128 * 9
    norms, coming = 64 + 128, 128
    for width, blocks in ((32, 3), (64, 4), (128, 6), (256, 3)):
        for number in range(blocks):
            convolutions += coming * width + width * width * 9 + width * 4 * width
            norms += 2 * width + 4 * width
            if number == 0:
                convolutions += coming * 4 * width
                norms += 4 * width
            coming = 4 * width
    scores = sum(c + 1 for c in (128, 128, 256, 512, 1024))
    assert sum(p.numel() for p in network.parameters()) == convolutions + 2 * norms + scores + 4
    assert all(m.stride == (1, 1) for m in network.modules() if isinstance(m, nn.Conv2d))
    maps = list(network._maps(torch.rand(1, 3, 64, 96)))
    assert [64 // m.shape[-2] for m in maps] == [2, 4, 8, 16, 32]
    assert [m.shape[1] for m in maps] == [128, 128, 256, 512, 1024]


def test_disparity_is_a_sum_of_scores_in_pixels_of_their_maps() -> None:
    torch.manual_seed(0)
    network = GargNetwork().eval()
    for score in network.scores.says:
        nn.init.normal_(score.weight, std=0.001)  # type: ignore[arg-type]
    image = torch.rand(1, 3, 64, 96)
    mean, std = torch.tensor([[0.45], [0.225]])
    maps = list(network._maps((image - mean) / std))
    total: torch.Tensor = torch.zeros(1, 1, 64, 96)
    for level, (values, score) in enumerate(zip(maps, network.scores.says, strict=True)):
        scale = network.scores.scales[level] if level < 4 else 1.0
        said = score(values * scale)
        for _ in range(level + 1):
            said = 2 * functional.interpolate(said, scale_factor=2, mode="bilinear")
        total = total + said
    expected = (0.03 + total / 96).clamp(min=1e-4)
    torch.testing.assert_close(1 / network(image).depth[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(160, 608), (50, 71)])
def test_first_depths_are_those_of_three_percent(size: tuple[int, int]) -> None:
    depth = GargNetwork().eval()(torch.rand(1, 3, *size)).depth[0]
    assert depth.shape == (1, 1, *size)
    torch.testing.assert_close(depth, torch.full_like(depth, 1 / 0.03))


@pytest.mark.parametrize("said", [-1.0, -1e4])
def test_a_negative_disparity_can_come_back(said: float) -> None:
    network = GargNetwork().eval()
    nn.init.constant_(network.scores.says[-1].bias, said)  # type: ignore[arg-type]
    depth = network(torch.rand(1, 3, 64, 96)).depth[0]
    torch.testing.assert_close(depth, torch.full_like(depth, 1e4), rtol=1e-3, atol=0)
    depth.sum().backward()
    gradient = network.scores.says[-1].bias.grad
    assert gradient is not None
    # A larger disparity would bring it nearer.
    assert gradient.item() < 0
