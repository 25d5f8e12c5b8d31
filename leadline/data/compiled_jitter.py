"""`jitter_colours` as two compiled passes over the pixels, for CPUs; the formulas stand there.

In plain tensors the change of hue alone is twenty passes over memory.
"""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from leadline.data import colour_jitter as formula
from leadline.jit import compiled_fast

ONE = np.float32(1)
ZERO = np.float32(0)
RED, GREEN, BLUE = (np.float32(weight) for weight in formula.LUMA)
SEXTANTS = np.float32(formula.SEXTANTS)
PLACES = tuple(np.float32(place) for place in formula.PLACES)
TWO, FOUR = np.float32(2), np.float32(4)
SMALLEST_CHROMA = np.float32(formula.SMALLEST_CHROMA)


def jitter_on_cpu(
    images: Float[Tensor, "b 3 h w"], factors: Float[Tensor, "b 4"]
) -> Float[Tensor, "b 3 h w"]:
    """Float32 images on a CPU with the `factors` of each; an unchanged image is copied."""
    changed = torch.empty_like(images, memory_format=torch.contiguous_format)
    source, out, numbers = images.contiguous().numpy(), changed.numpy(), factors.numpy()
    for i in range(len(source)):
        if tuple(numbers[i]) == (1, 1, 1, 0):
            out[i] = source[i]
        else:
            _jitter(source[i], numbers[i].astype(np.float32), out[i])
    return changed


@compiled_fast
@no_type_check
def _clamped(value):
    return min(max(value, ZERO), ONE)


@compiled_fast
@no_type_check
def _brightened_luma(image, brightness):
    """The mean luma of the image after its brightness has been changed."""
    total = 0.0
    for y in range(image.shape[1]):
        row = ZERO
        for x in range(image.shape[2]):
            row += (
                RED * _clamped(image[0, y, x] * brightness)
                + GREEN * _clamped(image[1, y, x] * brightness)
                + BLUE * _clamped(image[2, y, x] * brightness)
            )
        total += row
    return np.float32(total / (image.shape[1] * image.shape[2]))


@compiled_fast
@no_type_check
def _blended(value, other, factor):
    return _clamped(other + factor * (value - other))


@compiled_fast
@no_type_check
def _jitter(image, factors, out):
    brightness, contrast, saturation = factors[0], factors[1], factors[2]
    turn = factors[3] * SEXTANTS
    mean = _brightened_luma(image, brightness)
    for y in range(image.shape[1]):
        for x in range(image.shape[2]):
            r = _blended(_clamped(image[0, y, x] * brightness), mean, contrast)
            g = _blended(_clamped(image[1, y, x] * brightness), mean, contrast)
            b = _blended(_clamped(image[2, y, x] * brightness), mean, contrast)
            luma = RED * r + GREEN * g + BLUE * b
            r = _blended(r, luma, saturation)
            g = _blended(g, luma, saturation)
            b = _blended(b, luma, saturation)
            value = max(r, g, b)
            chroma = value - min(r, g, b)
            divisor = max(chroma, SMALLEST_CHROMA)
            if value == r:
                hue = (g - b) / divisor
            elif value == g:
                hue = (b - r) / divisor + TWO
            else:
                hue = (r - g) / divisor + FOUR
            for c in range(3):
                k = PLACES[c] + hue + turn
                k -= SEXTANTS * np.floor(k / SEXTANTS)
                out[c, y, x] = value - chroma * _clamped(min(k, FOUR - k))
