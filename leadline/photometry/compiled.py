"""The photometric error of `error.py` as one compiled pass over the pixels, for CPUs.

In plain tensors SSIM is some thirty passes over memory, and its backward as many again: more time
than the network takes. Here each row of windows is summed, compared and forgotten while it is in
cache. The backward pass is the derivative written out; both are equal to `error.py` up to rounding
(tested).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, no_type_check

import numpy as np
import torch
from torch import Tensor

from leadline.jit import compiled_fast
from leadline.photometry.constants import CONTRAST_CONSTANT, LUMINANCE_CONSTANT

NINTH = 1 / 9
"""Weight of a pixel in its 3x3 window."""

Array = np.ndarray[Any, np.dtype[Any]]


@compiled_fast
@no_type_check
def _reflected_rows(y: int, height: int) -> tuple[int, int]:
    """The rows above and below y, reflected at the border of the image."""
    return (y - 1 if y > 0 else 1), (y + 1 if y < height - 1 else height - 2)


@compiled_fast
@no_type_check
def _window_sums(a: Array, b: Array, y: int, sums: Array) -> None:
    """Sums over three rows around y of a, b, a^2, b^2, a b; reflected by one column at either
    end.
    """
    height, width = a.shape
    above, below = _reflected_rows(y, height)
    a0, a1, a2 = a[above], a[y], a[below]
    b0, b1, b2 = b[above], b[y], b[below]
    for x in range(width):
        sums[0, x + 1] = a0[x] + a1[x] + a2[x]
        sums[1, x + 1] = b0[x] + b1[x] + b2[x]
        sums[2, x + 1] = a0[x] * a0[x] + a1[x] * a1[x] + a2[x] * a2[x]
        sums[3, x + 1] = b0[x] * b0[x] + b1[x] * b1[x] + b2[x] * b2[x]
        sums[4, x + 1] = a0[x] * b0[x] + a1[x] * b1[x] + a2[x] * b2[x]
    for k in range(5):
        sums[k, 0] = sums[k, 2]
        sums[k, width + 1] = sums[k, width - 1]


@compiled_fast
@no_type_check
def _window_means(sums: Array, x: int, ninth: float) -> tuple[float, float, float, float, float]:
    """Means of a, b, a^2, b^2, a b over the window centred on column x."""
    return (
        (sums[0, x] + sums[0, x + 1] + sums[0, x + 2]) * ninth,
        (sums[1, x] + sums[1, x + 1] + sums[1, x + 2]) * ninth,
        (sums[2, x] + sums[2, x + 1] + sums[2, x + 2]) * ninth,
        (sums[3, x] + sums[3, x + 1] + sums[3, x + 2]) * ninth,
        (sums[4, x] + sums[4, x + 1] + sums[4, x + 2]) * ninth,
    )


@compiled_fast
@no_type_check
def _errors_of_images(
    a: Array,
    b: Array,
    ssim_weight: float,
    robust_epsilon: float,
    first: int,
    last: int,
    out: Array,
) -> None:
    """out[i] = photometric error of a[i] against b[i % len(b)] for i in [first, last)."""
    _, channels, height, width = a.shape
    dtype = a.dtype.type
    structural_share = dtype(ssim_weight / channels)
    absolute_share = dtype((1 - ssim_weight) / channels)
    ninth, c1, c2 = dtype(NINTH), dtype(LUMINANCE_CONSTANT), dtype(CONTRAST_CONSTANT)
    one, two, half, zero = dtype(1), dtype(2), dtype(0.5), dtype(0)
    epsilon = dtype(robust_epsilon)
    sums = np.empty((5, width + 2), a.dtype)
    for i in range(first, last):
        j = i % b.shape[0]
        for y in range(height):
            row = out[i, y]
            row[:] = zero
            for c in range(channels):
                p, q = a[i, c, y], b[j, c, y]
                if robust_epsilon == 0:
                    for x in range(width):
                        row[x] += absolute_share * abs(p[x] - q[x])
                else:
                    for x in range(width):
                        difference = p[x] - q[x]
                        row[x] += absolute_share * np.sqrt(difference * difference + epsilon)
                if ssim_weight == 0:
                    continue
                _window_sums(a[i, c], b[j, c], y, sums)
                for x in range(width):
                    mean_a, mean_b, square_a, square_b, product = _window_means(sums, x, ninth)
                    aa, bb, ab = mean_a * mean_a, mean_b * mean_b, mean_a * mean_b
                    similarity = ((two * ab + c1) * (two * (product - ab) + c2)) / (
                        (aa + bb + c1) * (square_a - aa + square_b - bb + c2)
                    )
                    distance = (one - similarity) * half
                    row[x] += structural_share * min(max(distance, zero), one)


@compiled_fast
@no_type_check
def _window_gradients(a: Array, b: Array, scale: Array, y: int, sums: Array, out: Array) -> None:
    """Derivative of the windows centred on row y, as out[0] + out[1] a_q + out[2] b_q per pixel q.

    For a window with means m, luminance l = (2 m_a m_b + C1) / L and contrast s = (2 cov + C2) / S:
    d(l s) / d a_q = 2/9 [s (m_b - l m_a) / L + l (b_q - m_b - s (a_q - m_a)) / S].
    """
    width = a.shape[1]
    dtype = a.dtype.type
    ninth, c1, c2 = dtype(NINTH), dtype(LUMINANCE_CONSTANT), dtype(CONTRAST_CONSTANT)
    one, two, zero = dtype(1), dtype(2), dtype(0)
    _window_sums(a, b, y, sums)
    for x in range(width):
        mean_a, mean_b, square_a, square_b, product = _window_means(sums, x, ninth)
        aa, bb, ab = mean_a * mean_a, mean_b * mean_b, mean_a * mean_b
        inverse_l = one / (aa + bb + c1)
        inverse_s = one / (square_a - aa + square_b - bb + c2)
        luminance = (two * ab + c1) * inverse_l
        contrast = (two * (product - ab) + c2) * inverse_s
        similarity = luminance * contrast
        # Where the distance is clamped it does not move; d distance = -d similarity / 2.
        active = -ninth if (similarity >= -one and similarity <= one) else zero
        factor = active * scale[x]
        slope = factor * luminance * inverse_s
        out[0, x + 1] = factor * contrast * (mean_b - luminance * mean_a) * inverse_l - slope * (
            mean_b - contrast * mean_a
        )
        out[1, x + 1] = -slope * contrast
        out[2, x + 1] = slope


@compiled_fast
@no_type_check
def _spread_over_columns(windows: Array, out: Array) -> None:
    """Sum over the windows of a row that hold each column; the reflected border counts double."""
    width = windows.shape[1] - 2
    for k in range(3):
        row = windows[k]
        row[0] = 0
        row[width + 1] = 0
        for x in range(width):
            out[k, x] = row[x] + row[x + 1] + row[x + 2]
        out[k, 1] += row[1]
        out[k, width - 2] += row[width]


@compiled_fast
@no_type_check
def _gradients_of_images(
    a: Array,
    b: Array,
    upstream: Array,
    ssim_weight: float,
    robust_epsilon: float,
    first: int,
    last: int,
    out: Array,
) -> None:
    """out[i] = d error[i] / d a[i] times upstream[i], for i in [first, last)."""
    _, channels, height, width = a.shape
    dtype = a.dtype.type
    structural_share = dtype(ssim_weight / channels)
    absolute_share = dtype((1 - ssim_weight) / channels)
    epsilon, robust = dtype(robust_epsilon), robust_epsilon != 0
    sums = np.empty((5, width + 2), a.dtype)
    windows = np.empty((3, width + 2), a.dtype)
    rows = np.zeros((3, 3, width), a.dtype)
    for i in range(first, last):
        j = i % b.shape[0]
        for c in range(channels):
            rows[:] = 0
            for y in range(height + 1):
                # The row of windows y is made while the gradient of row y - 1 waits for it.
                if y < height and ssim_weight != 0:
                    scale = upstream[i, y] * structural_share
                    _window_gradients(a[i, c], b[j, c], scale, y, sums, windows)
                    _spread_over_columns(windows, rows[y % 3])
                else:
                    rows[y % 3] = 0
                if y == 0:
                    continue
                q = y - 1
                # Windows of the border rows hold their inner neighbour twice.
                upper = dtype(2 if q == 1 else 1)
                lower = dtype(2 if q == height - 2 else 1)
                top, centre, bottom = rows[(q + 2) % 3], rows[q % 3], rows[(q + 1) % 3]
                p, t, up, grad = a[i, c, q], b[j, c, q], upstream[i, q], out[i, c, q]
                for x in range(width):
                    constant = upper * top[0, x] + centre[0, x] + lower * bottom[0, x]
                    own = upper * top[1, x] + centre[1, x] + lower * bottom[1, x]
                    other = upper * top[2, x] + centre[2, x] + lower * bottom[2, x]
                    difference = p[x] - t[x]
                    if robust:
                        sign = difference / np.sqrt(difference * difference + epsilon)
                    else:
                        sign = dtype(difference > 0) - dtype(difference < 0)
                    grad[x] = constant + own * p[x] + other * t[x] + absolute_share * up[x] * sign


def _over_images(work: Callable[[int, int], None], count: int) -> None:
    """Run `work(first, last)` over `count` images on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        work(0, count)
        return
    bounds = np.linspace(0, count, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))


class CompiledErrors(torch.autograd.Function):
    """`photometric_errors` on a CPU, differentiable in the explanations."""

    @staticmethod
    def forward(
        ctx: Any,
        explanations: Tensor,
        target: Tensor,
        ssim_weight: float,
        robust_epsilon: float,
    ) -> Tensor:
        explanations, target = explanations.contiguous(), target.contiguous()
        ctx.save_for_backward(explanations, target)
        ctx.weights = ssim_weight, robust_epsilon
        count, (height, width) = explanations.shape[:2].numel(), explanations.shape[-2:]
        errors = explanations.new_empty((*explanations.shape[:2], height, width))
        a = explanations.flatten(0, 1).detach().numpy()
        b, out = target.numpy(), errors.flatten(0, 1).numpy()
        _over_images(
            lambda first, last: _errors_of_images(
                a, b, ssim_weight, robust_epsilon, first, last, out
            ),
            count,
        )
        return errors

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        explanations, target = ctx.saved_tensors
        gradient = torch.empty_like(explanations)
        a = explanations.flatten(0, 1).detach().numpy()
        b, out = target.numpy(), gradient.flatten(0, 1).numpy()
        up = upstream[0].contiguous().flatten(0, 1).numpy()
        weight, epsilon = ctx.weights
        _over_images(
            lambda first, last: _gradients_of_images(a, b, up, weight, epsilon, first, last, out),
            len(a),
        )
        return gradient, None, None, None
