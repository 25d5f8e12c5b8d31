"""The feature pyramid: on any backbone, on the grids where its maps lie."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from leadline.geometry.grid import IMAGE, Grid
from leadline.networks.backbone import Backbone
from leadline.networks.depth_basis import DepthBasis, IterativeAggregation
from leadline.networks.feature_pyramid import LEVELS, WIDTH, FeaturePyramid


def pyramid_of(backbone: Backbone) -> FeaturePyramid:
    return FeaturePyramid(backbone.grids, backbone.channels)


def test_features_of_any_backbone_at_three_strides(tiny_backbone: str) -> None:
    backbone = Backbone(tiny_backbone, "none")
    pyramid = pyramid_of(backbone)
    features = pyramid(backbone(torch.rand(2, 3, 70, 90)))
    assert tuple(grid.stride for grid in pyramid.grids) == LEVELS
    # 96 x 96 once padded.
    assert [tuple(x.shape) for x in features] == [(2, WIDTH, 96 // s, 96 // s) for s in LEVELS]
    sum(x.square().mean() for x in features).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.any() for p in pyramid.parameters())


def test_a_fine_map_that_no_feature_needs_is_left_out(tiny: Callable[[str], str]) -> None:
    backbone = Backbone(tiny("resnet"), "none")
    pyramid = pyramid_of(backbone)
    assert [layer.in_channels for layer in pyramid.lateral] == list(backbone.channels[1:])
    with pytest.raises(ValueError, match="expected some of the backbone's strides"):
        FeaturePyramid(backbone.grids, backbone.channels, strides=(4, 64))


@pytest.mark.parametrize("family", ["resnet", "convnext"])
def test_what_a_feature_sees_is_centred_where_its_grid_says(
    family: str, tiny: Callable[[str], str]
) -> None:
    backbone = Backbone(tiny(family), "none").eval()
    level = 1
    image = torch.rand(1, 3, 320, 320, requires_grad=True)
    row, column = 160 // backbone.strides[level], 144 // backbone.strides[level]
    backbone(image)[level][0, :, row, column].square().sum().backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum(0)
    grid = backbone.grids[level]
    pixels = grid.pixels(row + 1, column + 1, seen)
    for axis, expected in ((0, pixels[1, -1, -1]), (1, pixels[0, -1, -1])):
        rows = seen.sum(1 - axis).nonzero().flatten()
        assert (rows[0] + rows[-1]) / 2 == expected


def ramp(grid: Grid, size: tuple[int, int]) -> Tensor:
    """A map that says where its pixels lie in the image."""
    like = torch.zeros(1)
    return grid.pixels(*size, like)[None]


@pytest.mark.parametrize("centre", [lambda s: 0.0, lambda s: (s - 1) / 2], ids=["odd", "patch"])
def test_resampling_leaves_things_where_they_are(centre: Callable[[int], float]) -> None:
    coarse, fine = Grid(16, centre(16)), Grid(8, centre(8))
    found = coarse.resampled(ramp(coarse, (6, 9)), fine, (12, 18))
    expected = ramp(fine, (12, 18))
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(found[inner], expected[inner])
    whole = fine.resampled(expected, IMAGE, (88, 132))
    torch.testing.assert_close(whole[..., 8:, 8:], ramp(IMAGE, (88, 132))[..., 8:, 8:])
    assert fine.cropped(expected, (88, 131)).shape[-2:] == (11, 17)
    assert fine.resampled(expected.bfloat16(), IMAGE, (88, 132)).dtype == torch.bfloat16


def test_cameras_of_maps_see_their_pixels_in_the_same_directions() -> None:
    K = torch.tensor([[100.0, 0, 63], [0, 90.0, 31], [0, 0, 1]], dtype=torch.float64)
    grid = Grid(8, 3.5)
    there = grid.intrinsics(K) @ torch.linalg.inv(K) @ torch.tensor([27.5, 11.5, 1]).double()
    torch.testing.assert_close(there, torch.tensor([3.0, 1.0, 1.0]).double())


def test_aggregation_reads_every_map_and_ends_at_the_finest(tiny_backbone: str) -> None:
    backbone = Backbone(tiny_backbone, "none")
    aggregation = IterativeAggregation(backbone.grids, backbone.channels)
    maps = backbone(torch.rand(2, 3, 64, 96))
    found = aggregation(maps)
    assert found.shape == (2, WIDTH, *maps[0].shape[-2:])
    found.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in aggregation.parameters())


def test_first_depth_and_a_basis_of_equal_spread(tiny: Callable[[str], str]) -> None:
    backbone = Backbone(tiny("resnet"), "none")
    head = DepthBasis(backbone.grids, backbone.channels, 0.1, 100.0, initial_depth=3.0)
    torch.nn.init.normal_(head.logits.weight, std=1e-4)
    size = (70, 90)
    depth, basis = head(backbone(torch.rand(2, 3, *size)), size)
    assert depth.shape == (2, 1, 35, 45)
    assert basis.shape == (2, WIDTH, 35, 45)
    torch.testing.assert_close(depth, torch.full_like(depth, 3.0), atol=0.05, rtol=0)
    spread = basis.var(dim=(2, 3), correction=0)
    # v / (v + 1e-3) of maps with variance v; that of a map that is 0 everywhere is 0.
    assert (spread < 1).all()
    assert spread.median() > 0.99
    with pytest.raises(ValueError, match="minimum_depth"):
        DepthBasis(backbone.grids, backbone.channels, 2.0, 1.0)
