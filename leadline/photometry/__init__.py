"""How unlike two images are, per pixel; shared by hints, errors and losses."""

from leadline.photometry.error import (
    CONTRAST_CONSTANT,
    LUMINANCE_CONSTANT,
    SSIM_WEIGHT,
    photometric_error,
    photometric_errors,
    ssim_distance,
)

__all__ = [
    "CONTRAST_CONSTANT",
    "LUMINANCE_CONSTANT",
    "SSIM_WEIGHT",
    "photometric_error",
    "photometric_errors",
    "ssim_distance",
]
