"""How much a map changes from pixel to pixel, forgiven where the picture changes: shared by
smoothness of depth and by what shapes learned features.
"""

from jaxtyping import Float
from torch import Tensor

_COLUMNS, _ROWS = 3, 2


def edge_weighted_slope(
    values: Float[Tensor, "b c h w"],
    image: Float[Tensor, "b k h w"],
    sharpness: float = 1.0,
    horizontal_only: bool = False,
) -> Float[Tensor, "b"]:
    """mean |dx v| exp(-a mean_c |dx I|) + the same along y, unless `horizontal_only`, per sample,
    with a = `sharpness` [monodepth2].
    """
    return sum(
        _weighted(values.diff(dim=axis), image.diff(dim=axis), sharpness)
        for axis in ((_COLUMNS,) if horizontal_only else (_COLUMNS, _ROWS))
    )  # type: ignore[return-value]


def edge_weighted_curvature(
    values: Float[Tensor, "b c h w"], image: Float[Tensor, "b k h w"], sharpness: float = 1.0
) -> Float[Tensor, "b"]:
    """Sum over xx, xy, yx, yy of mean |d2 v| exp(-a mean_c |d2 I|) per sample [featdepth].

    Differences along x and y may be taken in either order: xy is yx, and counted twice.
    """
    xx, yy, xy = (
        _weighted(
            values.diff(dim=first).diff(dim=second),
            image.diff(dim=first).diff(dim=second),
            sharpness,
        )
        for first, second in ((_COLUMNS, _COLUMNS), (_ROWS, _ROWS), (_COLUMNS, _ROWS))
    )
    return xx + yy + 2 * xy


def _weighted(
    change: Float[Tensor, "b c h w"], change_of_image: Float[Tensor, "b k h w"], sharpness: float
) -> Float[Tensor, "b"]:
    forgiven = (-sharpness * change_of_image.abs().mean(1, keepdim=True)).exp()
    # A map of two rows has no second difference along y, and a mean over none would be NaN.
    return (change.abs() * forgiven).sum((1, 2, 3)) / max(change[0].numel(), 1)
