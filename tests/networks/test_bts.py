"""BTS: planes are planes, layers and size are those of the paper, everything learns."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from leadline.networks.bts import BTS
from leadline.networks.decoders.planar_guidance import LEAST_FACING, LocalPlanarGuidance


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_each_cell_is_a_plane_seen_along_its_own_rays(stride: int) -> None:
    """Depth against a slow twin: distance / (normal . ray), pixel by pixel."""
    torch.manual_seed(stride)
    guide = LocalPlanarGuidance(16, 16, stride).double()
    features = torch.randn(1, 16, 2, 3, dtype=torch.double)
    depth = guide(features)[0, 0].detach().numpy()
    a, b, c = guide.plane(features)[0].sigmoid().detach().numpy()
    for y, x in np.ndindex(*depth.shape):
        row, column = y // stride, x // stride
        theta, phi = a[row, column] * math.pi / 3, b[row, column] * 2 * math.pi
        normal = [math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)]
        ray = [((i % stride) - (stride - 1) / 2) / stride for i in (x, y)]
        facing = normal[0] * ray[0] + normal[1] * ray[1] + normal[2]
        expected = c[row, column] / max(facing, LEAST_FACING)
        assert depth[y, x] == pytest.approx(expected)


def test_a_plane_seen_edge_on_has_no_pole() -> None:
    """The steepest plane, tilted towards a corner of a large cell, is seen from behind there."""
    guide = LocalPlanarGuidance(8, 8, 8)
    with torch.no_grad():
        guide.plane.narrow[0].weight.copy_(torch.eye(8)[:, :, None, None])
        guide.plane.last.weight.copy_(torch.eye(3, 8)[:, :, None, None])
    features = torch.full((1, 8, 2, 2), 20.0)
    # An eighth of a turn: towards the lower right.
    features[:, 1] = -math.log(7)
    guide.plane.narrow[1] = torch.nn.Identity()
    depth = guide(features.requires_grad_())
    assert (depth > 0).all()
    assert depth.max().item() == pytest.approx(1 / LEAST_FACING, rel=1e-3)
    depth.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_layers_of_a_resnet_50() -> None:
    network = BTS("resnet50", "none")
    shapes: dict[str, tuple[int, ...]] = {}
    for name, module in network.decoder.named_children():
        module.register_forward_hook(
            lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])})
        )
    found = network.eval()(torch.rand(1, 3, 64, 96)).depth
    assert shapes["up5"] == shapes["join5"] == (512, 4, 6)
    assert shapes["up4"] == shapes["join4"] == (256, 8, 12)
    assert shapes["dilate"] == (128, 8, 12)
    assert shapes["guide8"] == shapes["guide4"] == shapes["guide2"] == (1, 64, 96)
    assert shapes["up3"] == shapes["join3"] == (128, 16, 24)
    assert shapes["up2"] == shapes["join2"] == (64, 32, 48)
    assert shapes["join1"] == (32, 64, 96)
    assert {scale: depth.shape for scale, depth in found.items()} == {0: (1, 1, 64, 96)}
    # 49.5 M are published: these, and as many as a ResNet has for its thousand classes.
    classes = 2048 * 1000 + 1000
    count = sum(p.numel() for p in network.parameters()) + classes
    assert round(count / 1e6, 1) == 49.5


def test_a_range_without_depth_is_refused(tiny: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="expected 0 < minimum_depth < maximum_depth"):
        BTS(tiny("resnet"), "none", maximum_depth=0.0)


@pytest.mark.parametrize("family", ["resnet", "swinv2"])
def test_any_backbone_any_size_and_everything_learns(
    family: str, tiny: Callable[[str], str]
) -> None:
    torch.manual_seed(0)
    network = BTS(tiny(family), "none", maximum_depth=10.0)
    depth = network(torch.rand(2, 3, 50, 71)).depth[0]
    assert depth.shape == (2, 1, 50, 71)
    assert (depth > 0).all()
    assert (depth <= 10).all()
    depth.log().square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
