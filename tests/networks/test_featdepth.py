"""FeatDepth's depth network: its layers, its sizes, what it says at the start."""

import pytest
import torch
from torch import nn

from leadline.networks.decoders.residual_pooling import (
    ChainedResidualPooling,
    ResidualPoolingDecoder,
)
from leadline.networks.featdepth import FeatDepthNetwork


def test_layers_of_the_decoder() -> None:
    decoder = ResidualPoolingDecoder((2, 4, 8, 16, 32), (64, 256, 512, 1024, 2048))
    stages = list(decoder.stages)
    assert [stage.reduce.in_channels for stage in stages] == [2048, 1024, 512, 256]
    assert [stage.reduce.out_channels for stage in stages] == [512, 256, 256, 256]
    assert [stage.join.in_channels for stage in stages] == [512, 513, 513, 513]
    reduces = 2048 * 512 + (1024 + 512 + 256) * 256
    joins = 9 * 256 * (512 + 3 * 513) + 4 * 256
    pools, merges, heads = 16 * 256**2, 4 * (9 * 256**2 + 256), 4 * (9 * 256 + 1)
    assert sum(p.numel() for p in decoder.parameters()) == reduces + joins + pools + merges + heads


def test_the_finest_depth_has_half_the_size() -> None:
    network = FeatDepthNetwork("resnet50", "none").eval()
    depth = network(torch.rand(1, 3, 64, 96)).depth
    assert list(depth) == [1, 2, 3, 4]
    for scale, values in depth.items():
        assert values.shape == (1, 1, 64 // 2**scale, 96 // 2**scale)
        assert ((values > 0.1) & (values < 100)).all()


@pytest.mark.parametrize("size", [(50, 70), (33, 64)])
def test_sizes_that_no_stride_divides(size: tuple[int, int]) -> None:
    depth = FeatDepthNetwork("resnet18", "none").eval()(torch.rand(1, 3, *size)).depth
    for scale, values in depth.items():
        assert tuple(values.shape[2:]) == tuple(-(-side // 2**scale) for side in size)


def test_pooling_is_a_chain_whose_links_all_count() -> None:
    chain = ChainedResidualPooling(1)
    for projection in chain.projections:
        assert isinstance(projection, nn.Conv2d)
        nn.init.ones_(projection.weight)
    spot = torch.zeros(1, 1, 31, 31)
    spot[..., 15, 15] = 1
    reached = chain(spot)[0, 0, 15]
    # Five windows of 1, 5, 9, 13 and 17 pixels about the spot, one above the other.
    assert reached[15] == 5
    assert [int(reached[15 + k]) for k in (2, 4, 6, 8, 9)] == [4, 3, 2, 1, 0]


def test_dropout_only_in_training() -> None:
    network = FeatDepthNetwork("resnet18", "none")
    image = torch.rand(2, 3, 64, 64)
    network.eval()
    torch.testing.assert_close(network(image).depth[1], network(image).depth[1])
    network.backbone.eval()
    network.decoder.train()
    assert not torch.equal(network(image).depth[1], network(image).depth[1])


def test_first_depths_are_those_asked_for() -> None:
    network = FeatDepthNetwork("resnet18", "none", initial_depth=2.0).eval()
    for values in network(torch.rand(1, 3, 64, 64)).depth.values():
        assert (1 / values).mean().item() == pytest.approx(0.5, rel=0.5)


def test_maps_at_all_four_strides_are_needed() -> None:
    with pytest.raises(ValueError, match=r"expected maps at strides \(4, 8, 16, 32\)"):
        ResidualPoolingDecoder((8, 16, 32), (1, 2, 3))
