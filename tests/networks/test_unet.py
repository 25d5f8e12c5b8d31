"""The U-Net for rooms: layers as published, a fixed say of each map, linear behind the backbone."""

import math
from collections.abc import Callable

import pytest
import torch

from leadline.networks.decoders.log_depth import LogDepthDecoder
from leadline.networks.heads import clamped_straight_through
from leadline.networks.unet import SCALE, LogDepthUNet


def test_layers_of_the_published_encoder() -> None:
    network = LogDepthUNet("resnet50-half", "none").eval()
    shapes: list[tuple[int, ...]] = []
    layers = (network.decoder.score, network.decoder.first, *network.decoder.ups)
    for layer in layers:
        layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    depth = network(torch.rand(1, 3, 224, 320)).depth
    assert shapes == [
        (512, 7, 10),
        (128, 14, 20),
        (64, 28, 40),
        (32, 56, 80),
        (16, 112, 160),
        (1, 224, 320),
    ]
    assert {scale: d.shape for scale, d in depth.items()} == {0: (1, 1, 224, 320)}


def test_it_starts_at_the_initial_depth(tiny: Callable[[str], str]) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 96)
    depths = []
    for initial in (1.0, 3.0):
        torch.manual_seed(1)
        depths.append(LogDepthUNet(tiny("resnet"), "none", initial).eval()(image).depth[0])
    torch.testing.assert_close(depths[1], 3 * depths[0])
    with pytest.raises(ValueError, match="initial_depth: expected more than 0"):
        LogDepthUNet(tiny("resnet"), "none", 0.0)


def test_what_ran_away_comes_back() -> None:
    values = torch.tensor([-30.0, -1.0, 2.0, 30.0], requires_grad=True)
    held = clamped_straight_through(values, 20.0)
    assert held.tolist() == [-20, -1, 2, 20]
    (gradient,) = torch.autograd.grad(held.sum(), values)
    assert gradient.tolist() == [1, 1, 1, 1]


def test_the_decoder_is_linear() -> None:
    torch.manual_seed(0)
    channels = (4, 6, 8, 10, 12)
    decoder = LogDepthDecoder((2, 4, 8, 16, 32), channels).double()
    maps = [
        torch.randn(1, c, 32 // 2**k, 64 // 2**k, dtype=torch.double)
        for k, c in enumerate(channels)
    ]
    others = [torch.randn_like(x) for x in maps]
    torch.testing.assert_close(
        decoder([a + 2 * b for a, b in zip(maps, others, strict=True)]),
        decoder(maps) + 2 * decoder(others),
    )


def test_each_map_counts_as_much_as_the_table_says() -> None:
    """Step by step, with the numbers of the publication."""
    torch.manual_seed(0)
    decoder = LogDepthDecoder((2, 4, 8, 16, 32), (4, 6, 8, 10, 12)).double()
    s1, s2, s3, s4, s5 = (
        torch.randn(1, c, 32 // 2**k, 64 // 2**k, dtype=torch.double)
        for k, c in enumerate((4, 6, 8, 10, 12))
    )
    skips, joins, ups = decoder.skips, decoder.joins, decoder.ups
    x = decoder.first(decoder.score(s5))
    x = ups[0](joins[0](torch.cat([x, skips[0](0.1 * s4)], 1)))
    x = ups[1](joins[1](torch.cat([x, skips[1](0.01 * s3)], 1)))
    x = ups[2](joins[2](torch.cat([x, skips[2](0.001 * s2)], 1)))
    x = ups[3](joins[3](torch.cat([x, skips[3](1e-6 * s1)], 1)))
    torch.testing.assert_close(decoder([s1, s2, s3, s4, s5]), x)


def test_images_of_any_size_begin_at_one_unit_and_everything_learns(
    tiny: Callable[[str], str],
) -> None:
    torch.manual_seed(0)
    network = LogDepthUNet(tiny("bottleneck"), "none")
    for height, width in ((64, 96), (50, 71)):
        depth = network(torch.rand(2, 3, height, width)).depth[0]
        assert depth.shape == (2, 1, height, width)
        assert 0.1 < depth.median() < 10
    (depth.log() - math.log(3)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_depth_is_the_exponential_and_stays_finite(tiny: Callable[[str], str]) -> None:
    network = LogDepthUNet(tiny("resnet"), "none", 1.0).eval()
    last = network.decoder.ups[-1]
    torch.nn.init.zeros_(last.weight)
    for said, expected in ((SCALE * math.log(7.0), 7.0), (1e6, math.exp(20 / SCALE))):
        torch.nn.init.constant_(last.bias, said)
        assert network(torch.rand(1, 3, 32, 32)).depth[0].mean().item() == pytest.approx(
            expected, rel=1e-4
        )


def test_other_maps_are_refused(tiny: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="expected maps at strides"):
        LogDepthUNet(tiny("swinv2"), "none")
