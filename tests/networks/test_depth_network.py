"""Depth networks of every family: sizes, gradients, precision, learning."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from leadline.networks.depth import DepthNetwork


def all_outputs(network: DepthNetwork, image: Tensor) -> list[Mapping[int, Tensor]]:
    raw = network(image, None)
    return [maps for maps in (raw.depth, raw.uncertainty, raw.explainability) if maps is not None]


@pytest.mark.parametrize("size", [(100, 250), (37, 5)])
def test_sizes(size: tuple[int, int], tiny_backbone: str) -> None:
    network = DepthNetwork(tiny_backbone, "none", uncertainty=True, explained_sources=3)
    raw = network(torch.rand(2, 3, *size), torch.eye(3).expand(2, 3, 3))
    assert raw.uncertainty is not None
    assert raw.explainability is not None
    for scale in range(4):
        rows, columns = (-(-side // 2**scale) for side in size)
        assert raw.depth[scale].shape == (2, 1, rows, columns)
        assert raw.uncertainty[scale].shape == (2, 1, rows, columns)
        assert raw.explainability[scale].shape == (2, 3, rows, columns)
    assert next(iter(raw.depth)) == 0


def test_only_what_is_asked_for_is_made(tiny: Callable[[str], str]) -> None:
    raw = DepthNetwork(tiny("resnet"), "none")(torch.rand(1, 3, 64, 64))
    assert raw.uncertainty is None
    assert raw.explainability is None


def test_odd_sizes_see_the_image_and_not_the_padding_moved(tiny: Callable[[str], str]) -> None:
    network = DepthNetwork(tiny("resnet"), "none").eval()
    image = torch.rand(1, 3, 75, 101)
    padded = functional.pad(image, (0, 27, 0, 21), mode="replicate")
    whole = network(padded).depth
    for scale, depth in network(image).depth.items():
        expected = whole[scale][..., : depth.shape[-2], : depth.shape[-1]]
        torch.testing.assert_close(depth, expected)


def test_first_depths_are_those_of_a_sigmoid_of_one_half() -> None:
    depth = DepthNetwork("resnet18", "none")(torch.rand(1, 3, 64, 64)).depth
    for values in depth.values():
        assert values.mean().item() == pytest.approx(0.2, rel=0.2)


@pytest.mark.parametrize("wanted", [0.15, 2.0, 50.0])
def test_first_depths_are_those_asked_for(wanted: float) -> None:
    depth = DepthNetwork("resnet18", "none", initial_depth=wanted)(torch.rand(1, 3, 64, 64)).depth
    for values in depth.values():
        assert (1 / values).mean().item() == pytest.approx(1 / wanted, rel=0.25)


@pytest.mark.parametrize("wanted", [0.1, 100.0, -1.0])
def test_a_first_depth_beyond_the_bounds_is_refused(
    wanted: float, tiny: Callable[[str], str]
) -> None:
    with pytest.raises(ValueError, match=r"^initial_depth: expected more than 0.1 and less than 1"):
        DepthNetwork(tiny("resnet"), "none", initial_depth=wanted)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (1.0, 1.0)])
def test_empty_ranges_are_refused(bounds: tuple[float, float], tiny: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="expected 0 < minimum_depth < maximum_depth"):
        DepthNetwork(tiny("resnet"), "none", minimum_depth=bounds[0], maximum_depth=bounds[1])


def test_bounds_are_those_asked_for(tiny: Callable[[str], str]) -> None:
    network = DepthNetwork(tiny("resnet"), "none", minimum_depth=1.0, maximum_depth=2.0)
    depth = network(torch.rand(1, 3, 64, 64)).depth[0]
    assert 1 <= depth.min() <= depth.max() <= 2


def test_gradients_reach_every_parameter(tiny_backbone: str) -> None:
    """A parameter without one would stop distributed training."""
    network = DepthNetwork(tiny_backbone, "none", uncertainty=True, explained_sources=2)
    outputs = all_outputs(network, torch.rand(2, 3, 96, 64))
    sum(x.square().mean() for maps in outputs for x in maps.values()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_learns_a_depth_map(tiny_backbone: str) -> None:
    """From scratch, a few steps on one image: near below, far above, a near square between."""
    network = DepthNetwork(tiny_backbone, "none")
    target = torch.linspace(8.0, 1.0, 64)[:, None].repeat(1, 64)
    target[24:40, 24:40] = 0.7
    image = (1 / target).expand(1, 3, 64, 64) / 2 + 0.1 * torch.rand(1, 3, 64, 64)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-4)
    losses = []
    for _ in range(15):
        depth = network(image).depth
        loss = sum(
            (functional.interpolate(d, (64, 64)).log() - target.log()).abs().mean()
            for d in depth.values()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_bfloat16_autocast_is_close_and_returns_float32(tiny_backbone: str) -> None:
    network = DepthNetwork(tiny_backbone, "none", uncertainty=True, explained_sources=2)
    image = torch.rand(2, 3, 64, 64)
    exact = all_outputs(network, image)
    with torch.autocast("cpu", torch.bfloat16):
        rough = all_outputs(network, image)
    sum(x.mean() for maps in rough for x in maps.values()).backward()
    for maps in rough:
        for values in maps.values():
            assert values.dtype == torch.float32
            assert values.isfinite().all()
    for scale, depth in rough[0].items():
        torch.testing.assert_close(depth, exact[0][scale], rtol=0.05, atol=0)
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
