"""FCRN: its fast up-projection is the slow one, its size that of the paper's, everything learns."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from leadline.networks.decoders.up_projection import UnpooledConvolution, UpProjectionDecoder
from leadline.networks.fcrn import FCRN
from leadline.networks.heads import positive_depth, value_of_depth


def unpooled(maps: Tensor) -> Tensor:
    """Every pixel at the upper left of four."""
    large = maps.new_zeros(*maps.shape[:2], 2 * maps.shape[2], 2 * maps.shape[3])
    large[:, :, ::2, ::2] = maps
    return large


@pytest.mark.parametrize("size", [(4, 5), (1, 1), (3, 2)])
def test_the_fast_form_is_the_slow_one(size: tuple[int, int]) -> None:
    layer = UnpooledConvolution(3, 4).double()
    maps = torch.randn(2, 3, *size, dtype=torch.double, requires_grad=True)
    slow = functional.conv2d(unpooled(maps), layer.weight, layer.bias, padding=2)
    fast = layer(maps)
    torch.testing.assert_close(fast, slow)
    wanted = torch.randn_like(slow)
    learns = (maps, *layer.parameters())
    for one, other in zip(
        torch.autograd.grad((fast * wanted).sum(), learns),
        torch.autograd.grad((slow * wanted).sum(), learns),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_layers_of_a_resnet_50() -> None:
    network = FCRN("resnet50", "none")
    shapes = []
    for level in network.decoder.levels:
        level.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    found = network.eval()(torch.rand(1, 3, 64, 96)).depth
    assert shapes == [(512, 4, 6), (256, 8, 12), (128, 16, 24), (64, 32, 48)]
    assert {scale: depth.shape for scale, depth in found.items()} == {1: (1, 1, 32, 48)}
    # 23.5 M of the ResNet without its classes, and 25 weights a pair of channels where it enlarges.
    assert sum(p.numel() for p in network.backbone.parameters()) == 23_508_032
    assert sum(p.numel() for p in network.parameters()) == 63_566_913


def test_images_of_any_size_are_covered(tiny: Callable[[str], str]) -> None:
    network = FCRN(tiny("resnet"), "none", initial_depth=3.0).eval()
    for height, width in ((64, 96), (50, 71), (33, 32)):
        depth = network(torch.rand(1, 3, height, width)).depth[1]
        assert depth.shape == (1, 1, -(-height // 2), -(-width // 2))
        assert (depth > 0).all()


def test_every_parameter_learns_and_the_first_depth_is_as_asked(tiny: Callable[[str], str]) -> None:
    torch.manual_seed(0)
    network = FCRN(tiny("resnet"), "none", initial_depth=3.0)
    depth = network(torch.rand(2, 3, 64, 96)).depth[1]
    assert 1.5 < depth.median() < 6.0
    depth.log().square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_depth_is_positive_and_has_an_inverse() -> None:
    values = torch.tensor([-1e4, -3.0, 0.0, 5.0, 60.0])[None, None, None]
    depth = positive_depth(values)
    assert (depth > 0).all()
    assert depth[..., -1].item() == pytest.approx(60, abs=0.01)
    for wanted in (0.01, 2.0, 50.0, 800.0):
        value = torch.tensor([[[[value_of_depth(wanted)]]]])
        assert positive_depth(value).item() == pytest.approx(wanted, rel=1e-4)
    with pytest.raises(ValueError, match="initial_depth: expected more than"):
        value_of_depth(0.0)
    with pytest.raises(ValueError, match="expected a multiple of 32"):
        UpProjectionDecoder(40)
