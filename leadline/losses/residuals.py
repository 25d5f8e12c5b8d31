"""How far a depth is from the depth it should be, per pixel, in network units."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

BERHU_THRESHOLD = 0.2
"""Threshold of the reverse Huber as a share of the largest residual [fcrn]."""


def log_l1(
    prediction: Float[Tensor, "b 1 h w"],
    truth: Float[Tensor, "b 1 h w"],
    valid: Bool[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 1 h w"]:
    """log(1 + |d - h|) [depth-hints]: forgiving to the outliers of proxy depth."""
    return (prediction - truth).abs().log1p()


def l1(
    prediction: Float[Tensor, "b 1 h w"],
    truth: Float[Tensor, "b 1 h w"],
    valid: Bool[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 1 h w"]:
    """|d - h|."""
    return (prediction - truth).abs()


def l2(
    prediction: Float[Tensor, "b 1 h w"],
    truth: Float[Tensor, "b 1 h w"],
    valid: Bool[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 1 h w"]:
    """(d - h)^2."""
    return (prediction - truth).square()


def berhu(
    prediction: Float[Tensor, "b 1 h w"],
    truth: Float[Tensor, "b 1 h w"],
    valid: Bool[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 1 h w"]:
    """Reverse Huber: |e| up to c, (e^2 + c^2) / (2 c) beyond, c = 0.2 max |e| over the batch
    [fcrn].

    Departure: the maximum is over valid pixels only, and is not differentiated.
    """
    error = (prediction - truth).abs()
    largest = error.detach().where(valid, 0.0).max()
    threshold = (BERHU_THRESHOLD * largest).clamp(min=torch.finfo(error.dtype).tiny)
    return torch.where(error <= threshold, error, (error.square() + threshold**2) / (2 * threshold))


Residual = Literal["log_l1", "l1", "l2", "berhu"]
RESIDUALS = {"log_l1": log_l1, "l1": l1, "l2": l2, "berhu": berhu}
