"""Packing blocks: the 3-D convolution as 2-D ones, two convolutions as one, gradients."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from leadline.networks.packing import (
    ChannelConvolution,
    ConvNormELU,
    Packing,
    ResidualConvolution,
    Unpacking,
    folding_pays,
    residual_block,
)

sizes = st.tuples(st.integers(1, 3), st.integers(2, 14), st.integers(2, 14))


@given(sizes, st.integers(1, 9), st.integers(1, 5))
def test_channel_convolution_is_one_in_three_dimensions(
    size: tuple[int, int, int], channels: int, features: int
) -> None:
    batch, height, width = size
    layer = ChannelConvolution(features).double()
    maps = torch.randn(batch, channels, height, width, dtype=torch.double)
    expected = nn.Conv3d.forward(layer, maps[:, None])
    assert expected.shape == (batch, features, channels, height, width)
    torch.testing.assert_close(layer(maps), expected.flatten(1, 2))


@settings(deadline=None)
@given(sizes, st.sampled_from([3, 5]), st.sampled_from([1, 4, 8]))
def test_two_convolutions_are_one_borders_included(
    size: tuple[int, int, int], kernel: int, features: int
) -> None:
    batch, height, width = size
    layer = Packing(16, kernel, features)
    packed = torch.randn(batch, 64, height, width)
    in_turn, as_one = layer.in_turn(packed), layer.as_one(packed)
    assert as_one.shape == in_turn.shape
    assert ((as_one - in_turn).abs().max() / in_turn.abs().max()).item() < 1e-4


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(2, 2), (3, 7), (9, 11)], ids=str)
def test_the_folded_form_learns_alike(kernel: int, size: tuple[int, int]) -> None:
    """Gradients of every weight, every bias and the maps."""
    layer = Packing(16, kernel, 4).double()
    packed = torch.randn(2, 64, *size, dtype=torch.double, requires_grad=True)
    gradients = []
    for form in (layer.in_turn, layer.as_one):
        layer.zero_grad()
        packed.grad = None
        form(packed).square().sum().backward()
        learns = (packed, *layer.expand.parameters(), *layer.compress.convolution.parameters())
        gradients.append([p.grad.clone() for p in learns if p.grad is not None])
    assert len(gradients[0]) == 5
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_folded_form_passes_the_gradient_check(kernel: int) -> None:
    layer = Packing(16, kernel, 1).double()
    packed = torch.randn(1, 64, 2, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer.as_one, (packed,))


def test_maps_narrower_than_the_border_are_not_folded() -> None:
    layer = Packing(16, 5, 8)
    assert not folding_pays(torch.Size((64, 64, 1, 4000)), 5, 8)
    with pytest.raises(ValueError, match="expected 2 rows and columns or more"):
        layer.as_one(torch.zeros(1, 64, 1, 40))


def test_the_form_is_chosen_by_cost_and_changes_nothing() -> None:
    """Large maps are folded, small ones are not; both are what the formula says."""
    layer = Packing(16, 3, 8)
    for side, folded in ((64, True), (8, False)):
        maps = torch.randn(1, 16, 2 * side, 2 * side)
        packed = functional.pixel_unshuffle(maps, 2)
        assert folding_pays(packed.shape, 3, 8) == folded
        expected = layer.compress.finish(layer.in_turn(packed))
        torch.testing.assert_close(layer(maps), expected, rtol=1e-4, atol=1e-5)
    assert not folding_pays(torch.Size((4, 64, 1, 4000)), 5, 8), "less than its border"
    large = torch.Size((1, 64, 64, 64))
    assert not folding_pays(large, 3, 8, launching=64 * 64 * 8 * 9), "a GPU would wait"


def test_what_is_kept_for_many_calls_follows_the_weights() -> None:
    """A kernel folded before the weights changed, moved or were replaced must not be used."""
    layer = Packing(16, 3, 8).eval()
    maps = torch.randn(1, 16, 128, 128)
    with torch.no_grad():
        for change in (None, "learnt", "loaded", "double"):
            if change == "learnt":
                layer.expand.weight.mul_(2)
            if change == "loaded":
                layer.load_state_dict(Packing(16, 3, 8).state_dict())
            if change == "double":
                layer, maps = layer.double(), maps.double()
            expected = layer.compress.finish(layer.in_turn(functional.pixel_unshuffle(maps, 2)))
            for _ in range(2):
                torch.testing.assert_close(layer(maps), expected, rtol=1e-4, atol=1e-5)
    assert set(layer.state_dict()) == set(Packing(16, 3, 8).state_dict())
    # A fused step does not tell of itself; between steps a network is set to learn.
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1, fused=True)
    for _ in range(2):
        layer.train()(maps).square().sum().backward()
        optimiser.step()
        with torch.no_grad():
            expected = layer.compress.finish(layer.in_turn(functional.pixel_unshuffle(maps, 2)))
            torch.testing.assert_close(layer.eval()(maps), expected, rtol=1e-4, atol=1e-5)
    # Nor does it travel.
    assert deepcopy(layer)._kept is None
    with torch.inference_mode():
        born = Packing(16, 3, 8).eval()
        assert born(maps.float()).isfinite().all()
    # What is kept is no part of what is learnt.
    layer(maps).sum().backward()
    assert layer.expand.weight.grad is not None


def test_folding_order_of_pixels() -> None:
    """Channel c * 4 + dy * 2 + dx, which the enlarging of `Unpacking` undoes."""
    maps = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)
    packed = functional.pixel_unshuffle(maps, 2)
    for c in range(2):
        for dy in range(2):
            for dx in range(2):
                expected = maps[0, c, dy::2, dx::2]
                assert torch.equal(packed[0, 4 * c + 2 * dy + dx], expected)
    assert torch.equal(functional.pixel_shuffle(packed, 2), maps)


@pytest.mark.parametrize(
    "layer",
    [
        Packing(16, 3, 2),
        Unpacking(3, 16, 3, 4),
        ResidualConvolution(3, 16),
        ChannelConvolution(2),
        ConvNormELU(3, 16, 5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_gradients(layer: nn.Module) -> None:
    channels = 16 if isinstance(layer, Packing) else 3
    maps = torch.randn(1, channels, 4, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer.double(), (maps,))


def test_sizes() -> None:
    maps = torch.randn(2, 32, 8, 12)
    assert Packing(32, 5, 8)(maps).shape == (2, 32, 4, 6)
    assert Unpacking(32, 48, 3, 4)(maps).shape == (2, 48, 16, 24)
    assert residual_block(32, 64, 3)(maps).shape == (2, 64, 8, 12)


def test_dropout_is_of_the_shortcut_alone() -> None:
    layer = ResidualConvolution(16, 16, dropout=0.5)
    maps = torch.randn(1, 16, 4, 4)
    torch.manual_seed(0)
    assert not torch.equal(layer(maps), layer(maps))
    layer.eval()
    assert torch.equal(layer(maps), layer(maps))


def test_channels_that_fall_into_no_groups() -> None:
    with pytest.raises(ValueError, match="multiple of 16, got 24"):
        ConvNormELU(3, 24, 3)
    with pytest.raises(ValueError, match="outputs: expected a multiple"):
        Unpacking(16, 16, 3, 24)
