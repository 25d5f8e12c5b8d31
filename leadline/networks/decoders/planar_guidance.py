"""The decoder of BTS: each coarse pixel says a plane, which guides the fine pixels below it."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.networks.heads import apply_in_full_precision

WIDTH = 512
"""Channels at stride 16; half as many at each finer stride."""
DILATIONS = (3, 6, 12, 18, 24)
BRANCH = 128
"""Channels that each dilated convolution adds."""
MOMENTUM, EPSILON = 0.01, 1.1e-5
"""Of batch normalisation."""
STEEPEST = math.pi / 3
"""Angle of a plane's normal with the viewing direction at most."""
LEAST_FACING = 0.05
FEWEST = 8
"""Channels from which three values of a plane are made."""


class _Reduction(nn.Module):
    """1x1 convolutions that halve the channels down to eight, ELU after each, and a last one."""

    def __init__(self, channels: int, first: int, outputs: int) -> None:
        super().__init__()
        widths = [channels, first]
        while widths[-1] > FEWEST:
            widths.append(widths[-1] // 2)
        self.narrow = nn.Sequential()
        for before, after in pairwise(widths):
            self.narrow.extend([nn.Conv2d(before, after, 1, bias=False), nn.ELU()])
        self.last = nn.Conv2d(widths[-1], outputs, 1, bias=False)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        return apply_in_full_precision(self.last, self.narrow(features))


class LocalPlanarGuidance(nn.Module):
    """Features at stride k -> depth of k x k pixels each, from one plane [bts].

    Narrowed to three channels they speak of the plane's normal and distance: t = pi/3 s(a), p = 2
    pi s(b), n = (sin t cos p, sin t sin p, cos t), n4 = s(c), with s the sigmoid. Depth = n4 / (n1
    u + n2 v + n3), u and v from -1/2 to 1/2 over the centres of the pixels of a cell. In shares of
    the greatest depth.

    Departure: the divisor is at least 0.05. In the corners of a large cell the steepest planes are
    seen edge on or from behind, where the formula has poles.

    Args:
        channels: of the features.
        first: channels that the first convolution makes.
        stride: k.
    """

    def __init__(self, channels: int, first: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.plane = _Reduction(channels, first, 3)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 _ _"]:
        """At full size, in the precision of the weights."""
        said = self.plane(features).sigmoid()
        theta, phi, distance = STEEPEST * said[:, :1], 2 * math.pi * said[:, 1:2], said[:, 2:]
        normal = (theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos(), distance)
        n1, n2, n3, n4 = (_repeated(x, self.stride) for x in normal)
        height, width = said.shape[-2:]
        steps = torch.arange(self.stride, dtype=said.dtype, device=said.device)
        within = (steps - (self.stride - 1) / 2) / self.stride
        u, v = within.repeat(width), within.repeat(height)[:, None]
        return n4 / (n1 * u + n2 * v + n3).clamp(min=LEAST_FACING)


def _repeated(x: Float[Tensor, "b 1 h w"], times: int) -> Float[Tensor, "b 1 _ _"]:
    return x.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


class DenseDilation(nn.Module):
    """Dilated convolutions of which each hears all those before it [bts].

    Each: normalise, ReLU, 1x1 to 256, normalise, ReLU, 3x3 dilated to 128; the first, which sees
    the features alone, does not normalise them. The others see `joined`, from which the features
    were made, and what came before. Features and all five, 3x3 to 128, ELU.
    """

    def __init__(self, channels: int, joined: int) -> None:
        super().__init__()
        inputs = [channels, *(joined + BRANCH * k for k in range(1, len(DILATIONS)))]
        self.branches = nn.ModuleList(
            nn.Sequential(
                *([_norm(count)] if number else []),
                nn.ReLU(),
                nn.Conv2d(count, 2 * BRANCH, 1, bias=False),
                _norm(2 * BRANCH),
                nn.ReLU(inplace=True),
                nn.Conv2d(2 * BRANCH, BRANCH, 3, padding=d, dilation=d, bias=False),
            )
            for number, (count, d) in enumerate(zip(inputs, DILATIONS, strict=True))
        )
        self.merge = nn.Sequential(
            nn.Conv2d(channels + BRANCH * len(DILATIONS), BRANCH, 3, padding=1, bias=False),
            nn.ELU(),
        )

    def forward(
        self, features: Float[Tensor, "b c h w"], joined: Float[Tensor, "b k h w"]
    ) -> Float[Tensor, "b _ h w"]:
        said: list[Tensor] = []
        for branch in self.branches:
            said.append(branch(torch.cat([joined, *said], 1) if said else features))
        merged: Tensor = self.merge(torch.cat([features, *said], 1))
        return merged


class PlanarGuidanceDecoder(nn.Module):
    """Maps of a backbone up to stride 32 -> depth in (0, 1), a share of the greatest, at full size
    [bts].

    Stride 32 to 8: nearest enlarging, 3x3 convolution, ELU, batch normalisation; the backbone's map
    joined; 3x3, ELU. At stride 8 dense dilation. At strides 8, 4 and 2 planes guide: their depth at
    full size is shrunk and joined at the next finer stride, and all three are joined at the end.

    Departure: where the backbone has no map at stride 2, none is joined there.

    Args:
        strides: of the maps, fine to coarse.
        channels: of the maps.

    Raises:
        ValueError: there is no map at stride 4, 8, 16 or 32.
    """

    def __init__(self, strides: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        by_stride = dict(zip(strides, channels, strict=True))
        if not {4, 8, 16, 32} <= by_stride.keys():
            raise ValueError(
                f"decoder: expected maps at strides 4, 8, 16 and 32, got {tuple(strides)}"
            )
        self.strides = tuple(strides)
        quarter, eighth = WIDTH // 4, WIDTH // 8
        self.up5 = _enlarge(by_stride[32], WIDTH)
        self.join5 = _join(WIDTH + by_stride[16], WIDTH)
        self.up4 = _enlarge(WIDTH, WIDTH // 2)
        joined = WIDTH // 2 + by_stride[8]
        self.join4 = nn.Sequential(_join(joined, WIDTH // 2), _norm(WIDTH // 2))
        self.dilate = DenseDilation(WIDTH // 2, joined)
        self.guide8 = LocalPlanarGuidance(BRANCH, BRANCH, 8)
        self.up3 = _enlarge(BRANCH, quarter)
        self.join3 = _join(quarter + by_stride[4] + 1, quarter)
        self.guide4 = LocalPlanarGuidance(quarter, quarter // 2, 4)
        self.up2 = _enlarge(quarter, eighth)
        # Not every backbone has a map so fine.
        self.join2 = _join(eighth + by_stride.get(2, 0) + 1, eighth)
        self.guide2 = LocalPlanarGuidance(eighth, eighth // 2, 2)
        self.up1 = _enlarge(eighth, eighth // 2, norm=False)
        self.say1 = _Reduction(eighth // 2, eighth // 4, 1)
        self.join1 = _join(eighth // 2 + 4, eighth // 2)
        self.head = nn.Conv2d(eighth // 2, 1, 3, padding=1, bias=False)

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b 1 h w"]:
        at = dict(zip(self.strides, maps, strict=True))
        x = self.join5(torch.cat([self.up5(at[32]), at[16]], 1))
        joined = torch.cat([self.up4(x), at[8]], 1)
        x = self.dilate(self.join4(joined), joined)
        eight = self.guide8(x)
        x = self.join3(torch.cat([self.up3(x), at[4], _shrunk(eight, 4, x)], 1))
        four = self.guide4(x)
        finest = [at[2]] if 2 in at else []
        x = self.join2(torch.cat([self.up2(x), *finest, _shrunk(four, 2, x)], 1))
        two = self.guide2(x)
        x = self.up1(x)
        said = self.say1(x).sigmoid()
        guides = [g.to(x.dtype) for g in (said, two, four, eight)]
        return apply_in_full_precision(self.head, self.join1(torch.cat([x, *guides], 1))).sigmoid()


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=MOMENTUM, eps=EPSILON)


def _enlarge(inputs: int, outputs: int, norm: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.ELU(),
    ]
    return nn.Sequential(*layers, *([_norm(outputs)] if norm else []))


def _join(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.ELU())


def _shrunk(depth: Float[Tensor, "b 1 _ _"], factor: int, like: Tensor) -> Tensor:
    """Every so many-th pixel, in the type of the features that it joins."""
    return depth[..., ::factor, ::factor].to(like.dtype)
