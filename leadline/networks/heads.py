"""What the last layers of a network mean: bounded depth, log-scale of a residual; in float32."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.depth import sigmoid_to_inverse_depth

LEAST_DEPTH = 1e-3
"""Network units; depth has an inverse and a logarithm."""
LOG_SCALE_LIMIT = 6.0
"""|u| of the uncertainty stays below this: weights between e^-6 and e^6."""


def apply_in_full_precision(
    layer: nn.Module, features: Float[Tensor, "b c *_"]
) -> Float[Tensor, "b k *_"]:
    """`layer(features)` in the precision of the layer's weights, under any autocast.

    bfloat16 rounds a logit between -4 and -8 (a far pixel) by up to 0.016, its depth by 1.5 %.
    """
    with torch.autocast(features.device.type, enabled=False):
        output: Tensor = layer(features.to(next(layer.parameters()).dtype))
    return output


def bounded_depth(
    logits: Float[Tensor, "b 1 h w"], minimum: float, maximum: float
) -> Float[Tensor, "b 1 h w"]:
    """Depth between `minimum` and `maximum`, linear in inverse depth [monodepth2].

    depth = 1 / (1/d_max + (1/d_min - 1/d_max) sigmoid(logits)), in network units; never
    infinite, so that no loss made of it is.
    """
    return 1 / sigmoid_to_inverse_depth(logits.sigmoid(), minimum, maximum)


def check_depth_range(minimum: float, maximum: float) -> None:
    """Refuse bounds that hold no depth.

    Raises:
        ValueError: the range is empty.
    """
    if not 0 < minimum < maximum:
        raise ValueError(
            "depth: expected 0 < minimum_depth < maximum_depth in network units, "
            f"got {minimum} and {maximum}"
        )


def logit_of_depth(depth: float, minimum: float, maximum: float) -> float:
    """The logit that `bounded_depth` turns into `depth`.

    Raises:
        ValueError: the depth does not lie between the bounds.
    """
    if not minimum < depth < maximum:
        raise ValueError(
            f"initial_depth: expected more than {minimum} and less than {maximum} network units, "
            f"got {depth}"
        )
    share = (1 / depth - 1 / maximum) / (1 / minimum - 1 / maximum)
    return math.log(share / (1 - share))


def positive_depth(values: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """softplus(x) + 0.001, in network units: about x where that is large, and never 0."""
    return functional.softplus(values) + LEAST_DEPTH


def value_of_depth(depth: float) -> float:
    """What `positive_depth` turns into `depth`.

    Raises:
        ValueError: the depth is not above the least one.
    """
    if not depth > LEAST_DEPTH:
        raise ValueError(
            f"initial_depth: expected more than {LEAST_DEPTH} network units, got {depth}"
        )
    above = depth - LEAST_DEPTH
    # log(exp(x) - 1), which would overflow.
    return above + math.log(-math.expm1(-above))


def log_of_initial_depth(depth: float) -> float:
    """log(depth), at which a network that says logarithms starts.

    Raises:
        ValueError: the depth has none.
    """
    if not depth > 0:
        raise ValueError(f"initial_depth: expected more than 0 network units, got {depth}")
    return math.log(depth)


def clamped_straight_through(values: Float[Tensor, "*n"], most: float) -> Float[Tensor, "*n"]:
    """The values, those beyond -`most` or `most` held there: but with the gradient of the identity,
    so that what ran away comes back.
    """
    return values + (values.clamp(-most, most) - values).detach()


def bounded_log_scale(logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
    """u in exp(-u) * residual + u [sfm-from-sfm], between -6 and 6: u = 6 tanh(logits / 6).

    u is the log of the residual that the network expects. It may be negative, since residuals are
    mostly far below 1; without a bound, a residual of 0 would send it to minus infinity.

    Departure: one re-implementation uses a ReLU (u >= 0), others a hard clamp. The hyperbolic
    tangent is the identity near 0 and bounded like the clamp, but a pixel beyond the bound still
    has a gradient to come back by.
    """
    return LOG_SCALE_LIMIT * torch.tanh(logits / LOG_SCALE_LIMIT)
