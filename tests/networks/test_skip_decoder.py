"""The decoder against its table in the paper's code, written out a second time."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.decoders.skip import SkipDecoder

STRIDES = (2, 4, 8, 16, 32)
RESNET18 = (64, 64, 128, 256, 512)
RESNET50 = (64, 256, 512, 1024, 2048)


def released_order(decoder: SkipDecoder, head: str) -> list[nn.Conv2d]:
    """[upconv40, upconv41, ..., upconv01, dispconv0, ..., dispconv3], the order of checkpoints."""
    return [block[0] for block in decoder.blocks] + list(decoder.heads[head])


def slow_decoder(layers: list[nn.Conv2d], encoder: list[Tensor]) -> dict[int, Tensor]:
    """Stage by stage, padding by gathering mirrored rows and columns."""

    def convolution(layer: nn.Conv2d, x: Tensor) -> Tensor:
        rows = torch.tensor([1, *range(x.shape[2]), x.shape[2] - 2])
        columns = torch.tensor([1, *range(x.shape[3]), x.shape[3] - 2])
        return functional.conv2d(x[:, :, rows][..., columns], layer.weight, layer.bias)

    def elu(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x.clamp(max=0).exp() - 1)

    logits = {}
    x = encoder[4]
    for stage in (4, 3, 2, 1, 0):
        x = elu(convolution(layers[2 * (4 - stage)], x))
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        if stage > 0:
            x = torch.cat([x, encoder[stage - 1]], dim=1)
        x = elu(convolution(layers[2 * (4 - stage) + 1], x))
        if stage < 4:
            logits[stage] = convolution(layers[10 + stage], x)
    return logits


def features(channels: tuple[int, ...], strides: tuple[int, ...] = STRIDES) -> list[Tensor]:
    return [torch.randn(1, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)]


def test_equals_the_table() -> None:
    decoder = SkipDecoder(STRIDES, RESNET18, {"depth": 1})
    maps = features(RESNET18)
    logits = decoder(maps)["depth"]
    expected = slow_decoder(released_order(decoder, "depth"), maps)
    assert list(logits) == [0, 1, 2, 3]
    for scale in logits:
        torch.testing.assert_close(logits[scale], expected[scale], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("channels", "parameters"), [(RESNET18, 3_152_724), (RESNET50, 9_014_100)])
def test_parameter_counts(channels: tuple[int, ...], parameters: int) -> None:
    decoder = SkipDecoder(STRIDES, channels, {"depth": 1})
    assert sum(p.numel() for p in decoder.parameters()) == parameters


def test_layer_shapes_follow_the_released_order() -> None:
    layers = released_order(SkipDecoder(STRIDES, RESNET18, {"depth": 1}), "depth")
    shapes = [(layer.in_channels, layer.out_channels) for layer in layers]
    assert shapes == [
        *((512, 256), (512, 256), (256, 128), (256, 128), (128, 64), (128, 64)),
        *((64, 32), (96, 32), (32, 16), (16, 16), (16, 1), (32, 1), (64, 1), (128, 1)),
    ]


def test_heads_share_the_trunk_and_have_their_own_channels() -> None:
    decoder = SkipDecoder(STRIDES[1:], RESNET18[1:], {"depth": 1, "mask": 3})
    logits = decoder(features(RESNET18[1:], STRIDES[1:]))
    for scale in range(4):
        size = (64 // 2**scale, 96 // 2**scale)
        assert logits["depth"][scale].shape == (1, 1, *size)
        assert logits["mask"][scale].shape == (1, 3, *size)


@pytest.mark.parametrize("strides", [(2, 4, 8), (4, 2, 32), (3, 32), (4, 8, 16, 32, 64)])
def test_other_strides_are_refused(strides: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="decoder: expected maps at some of the strides"):
        SkipDecoder(strides, (8,) * len(strides), {"depth": 1})
