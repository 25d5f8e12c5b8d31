"""What every backbone promises: strides, channels, any size, its own normalisation."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
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


def test_frozen_batch_norm_survives_training(tiny: Callable[[str], str]) -> None:
    backbone = Backbone(tiny("resnet"), weights="none", frozen_batch_norm=True)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    image = torch.rand(2, 3, 64, 64)
    backbone.train()
    optimiser = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    sum(maps.square().mean() for maps in backbone(image)).backward()
    optimiser.step()
    changed = {k for k, v in backbone.state_dict().items() if not torch.equal(v, before[k])}
    norms = {k for k in before if "normalization" in k}
    assert norms
    assert not changed & norms
    assert changed == set(before) - norms
    free = Backbone(tiny("resnet"), weights="none")
    free(image)
    assert all(m.num_batches_tracked == 1 for m in free.modules() if isinstance(m, nn.BatchNorm2d))


def test_frozen_batch_norm_needs_a_batch_norm(tiny: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="has no batch norm"):
        Backbone(tiny("convnextv2"), weights="none", frozen_batch_norm=True)
