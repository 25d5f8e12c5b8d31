"""PackNet as the paper draws it: a 3-D convolution, then a 2-D one, and every map kept."""

from types import MethodType

from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.packing import (
    FACTOR,
    ChannelConvolution,
    ConvNormELU,
    Packing,
    ResidualConvolution,
)


def as_published(network: nn.Module, in_place: bool = False) -> nn.Module:
    """The same network, weights and all, from now on in the plain form; activations overwrite
    what they were made of only if they are `in_place`.
    """
    for module in network.modules():
        if isinstance(module, Packing):
            module.forward = MethodType(_packing, module)  # type: ignore[method-assign]
        if isinstance(module, ChannelConvolution):
            module.forward = MethodType(_channel_convolution, module)  # type: ignore[assignment]
        if isinstance(module, ConvNormELU) and not in_place:
            module.finish = MethodType(_finish, module)  # type: ignore[method-assign]
        if isinstance(module, ResidualConvolution) and not in_place:
            module.forward = MethodType(_residual, module)  # type: ignore[method-assign]
    return network


def _finish(layer: ConvNormELU, convolved: Tensor) -> Tensor:
    return functional.elu(layer.norm(convolved))


def _residual(layer: ResidualConvolution, maps: Tensor) -> Tensor:
    return functional.elu(layer.norm(layer.main(maps) + layer.shortcut(maps)))


def _packing(layer: Packing, maps: Tensor) -> Tensor:
    return layer.compress(layer.expand(functional.pixel_unshuffle(maps, FACTOR)))


def _channel_convolution(layer: ChannelConvolution, maps: Tensor) -> Tensor:
    return nn.Conv3d.forward(layer, maps[:, None]).flatten(1, 2)
