"""SSIM, L1 and their mix, per pixel.

Colours are in [0, 1] and not augmented. These are the formulas; on a CPU `photometric_errors` gets
the same numbers, forward and backward, from the compiled pass of `compiled.py`.
"""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leadline.photometry.constants import (
    CONTRAST_CONSTANT,
    LUMINANCE_CONSTANT,
    ROBUST_EPSILON,
    SSIM_WEIGHT,
)

Absolute = Literal["l1", "robust_l1"]
"""|a - b|, or sqrt((a - b)^2 + 1e-6) [featdepth]."""


def absolute_difference(
    a: Float[Tensor, "*n c h w"], b: Float[Tensor, "*b c h w"], form: Absolute = "l1"
) -> Float[Tensor, "*n c h w"]:
    """|a - b| per channel, or its robust form."""
    difference = a - b
    if form == "l1":
        return difference.abs()
    return (difference.square() + ROBUST_EPSILON).sqrt()


def _window_mean(image: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c h w"]:
    padded = functional.pad(image.flatten(0, -4), (1, 1, 1, 1), mode="reflect")
    return functional.avg_pool2d(padded, kernel_size=3, stride=1).view(image.shape)


def whole_windows(mask: Bool[Tensor, "b n h w"]) -> Bool[Tensor, "b n h w"]:
    """Pixels whose 3x3 window, at which `ssim_distance` looks, lies on the mask as a whole."""
    return functional.max_pool2d((~mask).float(), kernel_size=3, stride=1, padding=1) == 0


def ssim_distance(
    a: Float[Tensor, "*n c h w"], b: Float[Tensor, "b c h w"]
) -> Float[Tensor, "*n c h w"]:
    """Structural dissimilarity clamp((1 - SSIM) / 2, 0, 1) in 3x3 windows [ssim], [monodepth2].

    Windows are means with reflected borders; variances are E[x^2] - E[x]^2, uncorrected.
    """
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    variance_a = _window_mean(a * a) - mean_a * mean_a
    variance_b = _window_mean(b * b) - mean_b * mean_b
    covariance = _window_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + LUMINANCE_CONSTANT) / (
        mean_a * mean_a + mean_b * mean_b + LUMINANCE_CONSTANT
    )
    contrast = (2 * covariance + CONTRAST_CONSTANT) / (variance_a + variance_b + CONTRAST_CONSTANT)
    return ((1 - luminance * contrast) / 2).clamp(0, 1)


def photometric_error(
    a: Float[Tensor, "*n c h w"],
    b: Float[Tensor, "b c h w"],
    ssim_weight: float = SSIM_WEIGHT,
    absolute_form: Absolute = "l1",
) -> Float[Tensor, "*n 1 h w"]:
    """pe(a, b) = w * mean_c ssim_distance(a, b) + (1 - w) * mean_c |a - b| [monodepth2].

    Of one batch, or of several stacked before the batch axis, of which b is looked at once.
    """
    absolute = absolute_difference(a, b, absolute_form).mean(-3, keepdim=True)
    if ssim_weight == 0:
        return absolute
    structural = ssim_distance(a, b).mean(-3, keepdim=True)
    return ssim_weight * structural + (1 - ssim_weight) * absolute


def photometric_errors(
    explanations: Float[Tensor, "n b c h w"],
    target: Float[Tensor, "b c h w"],
    ssim_weight: float = SSIM_WEIGHT,
    absolute_form: Absolute = "l1",
) -> Float[Tensor, "n b h w"]:
    """`photometric_error` of each of n explanations of one target, without copies of the target."""
    # The compiled pass reflects windows at the border, which a single row or column cannot.
    reflects = min(target.shape[-2:]) > 1
    if explanations.device.type == "cpu" and not target.requires_grad and reflects:
        from leadline.photometry.compiled import CompiledErrors

        errors: Tensor = CompiledErrors.apply(  # type: ignore[no-untyped-call]
            explanations, target, ssim_weight, 0.0 if absolute_form == "l1" else ROBUST_EPSILON
        )
        return errors
    return photometric_error(explanations, target, ssim_weight, absolute_form)[:, :, 0]
