"""What every backbone promises: strides, channels, any size, its own normalisation."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from leadline.networks.backbone import Backbone


@pytest.mark.parametrize("size", [(64, 96), (100, 250), (1, 33), (65, 64)])
def test_declared_strides_and_channels_are_the_actual_ones(
    tiny_backbone: str, size: tuple[int, int]
) -> None:
    backbone = Backbone(tiny_backbone, weights="none")
    padded = [max(64, (side + 31) // 32 * 32) for side in size]
    maps = backbone(torch.rand(1, 3, *size))
    shapes = [
        (1, c, padded[0] // s, padded[1] // s)
        for s, c in zip(backbone.strides, backbone.channels, strict=True)
    ]
    assert [tuple(m.shape) for m in maps] == shapes
    assert backbone.strides[-1] == 32


@pytest.mark.parametrize("family", ["resnet", "swinv2", "dinov2"])
def test_padding_repeats_the_last_pixels(family: str, tiny: Callable[[str], str]) -> None:
    backbone = Backbone(tiny(family), weights="none").eval()
    image = torch.rand(1, 3, 70, 90)
    padded = functional.pad(image, (0, 6, 0, 26), mode="replicate")
    for ours, expected in zip(backbone(image), backbone(padded), strict=True):
        torch.testing.assert_close(ours, expected)


def test_tokens_become_maps_that_widen_as_they_shrink() -> None:
    assert Backbone("dinov2-small", weights="none").channels == (48, 96, 192, 384)


def test_each_kind_has_its_own_normalisation(tiny: Callable[[str], str]) -> None:
    resnet = Backbone(tiny("resnet"), weights="none", in_images=2)
    assert resnet.mean.flatten().tolist() == pytest.approx([0.45] * 6)
    assert resnet.std.flatten().tolist() == pytest.approx([0.225] * 6)
    swin = Backbone(tiny("swinv2"), weights="none")
    assert swin.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert not {"mean", "std"} & swin.state_dict().keys()


def test_evaluation_is_repeatable_and_training_has_no_dropout(tiny_backbone: str) -> None:
    backbone = Backbone(tiny_backbone, weights="none")
    image = torch.rand(2, 3, 64, 64)
    for first, second in zip(backbone(image), backbone(image), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)
