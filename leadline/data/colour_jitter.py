"""Colours changed as by another camera: brightness, contrast, saturation and hue, in batches."""

import torch
from jaxtyping import Float
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness as the eye sees it (ITU-R BT.601)."""
SEXTANTS = 6
"""Of the colour circle: red, yellow, green, cyan, blue, magenta."""
PLACES = (5.0, 3.0, 1.0)
"""Of red, green and blue, `n` in `_shift_hue`."""
SMALLEST_CHROMA = 1e-6


def jitter_colours(
    images: Float[Tensor, "b 3 h w"], factors: Float[Tensor, "b 4"]
) -> Float[Tensor, "b 3 h w"]:
    """Images in [0, 1] with `factors` (brightness, contrast, saturation, hue in turns) of each.

    Factors (1, 1, 1, 0) return an image as it is.

    Departure: [monodepth2] draws the order of the four at random for each item; here it is fixed
    as named, so that a batch is one computation.
    """
    if images.device.type == "cpu" and images.dtype == torch.float32:
        from leadline.data.compiled_jitter import jitter_on_cpu

        return jitter_on_cpu(images, factors)
    return jitter_by_formula(images, factors)


def jitter_by_formula(
    images: Float[Tensor, "b 3 h w"], factors: Float[Tensor, "b 4"]
) -> Float[Tensor, "b 3 h w"]:
    """`jitter_colours` in plain tensors, on any device."""
    brightness, contrast, saturation, hue = factors[:, :, None, None, None].unbind(1)
    changed = (images * brightness).clamp(0, 1)
    changed = _blend(changed, _luma(changed).mean(dim=(-2, -1), keepdim=True), contrast)
    changed = _blend(changed, _luma(changed), saturation)
    changed = _shift_hue(changed, hue)
    unchanged = (factors == _filled(factors, (1.0, 1.0, 1.0, 0.0))).all(dim=1)
    return torch.where(unchanged[:, None, None, None], images, changed)


def _filled(like: Tensor, values: tuple[float, ...]) -> Float[Tensor, "_"]:
    """A few numbers on the device of `like`, without the wait for a copy from the host."""
    return torch.stack([like.new_full((), value) for value in values])


def _blend(
    images: Float[Tensor, "b 3 h w"],
    others: Float[Tensor, "b 1 _ _"],
    factor: Float[Tensor, "b 1 1 1"],
) -> Float[Tensor, "b 3 h w"]:
    return torch.lerp(others.expand_as(images), images, factor).clamp(0, 1)


def _luma(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    weights = _filled(images, LUMA)[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True)


def _shift_hue(
    images: Float[Tensor, "b 3 h w"], turns: Float[Tensor, "b 1 1 1"]
) -> Float[Tensor, "b 3 h w"]:
    """Rotate the colour circle, keeping value V = max and chroma C = max - min of each pixel.

    With H the hue in sextants, channel n is V - C clamp(min(k, 4 - k), 0, 1), k = (n + H) mod 6,
    n one of `PLACES`.
    """
    value = images.amax(dim=1, keepdim=True)
    chroma = value - images.amin(dim=1, keepdim=True)
    hue = _hue(images, value, chroma) + turns * SEXTANTS
    places = _filled(images, PLACES)[:, None, None]
    k = (places + hue).remainder(SEXTANTS)
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def _hue(
    images: Float[Tensor, "b 3 h w"],
    value: Float[Tensor, "b 1 h w"],
    chroma: Float[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 1 h w"]:
    """Place on the colour circle in sextants from red; 0 where there is no colour."""
    red, green, blue = images.split(1, dim=1)
    divisor = chroma.clamp(min=SMALLEST_CHROMA)
    from_red = (green - blue) / divisor
    from_green = (blue - red) / divisor + 2
    from_blue = (red - green) / divisor + 4
    return torch.where(value == red, from_red, torch.where(value == green, from_green, from_blue))
