"""What stands for distance: depth, inverse depth, disparity, and the sigmoid range of a network."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Enlarging = Literal["bilinear", "nearest"]


def sigmoid_to_inverse_depth(
    sigmoid: Float[Tensor, "*b"], minimum: float, maximum: float
) -> Float[Tensor, "*b"]:
    """Inverse depth 1/maximum + (1/minimum - 1/maximum) * sigmoid of [monodepth2].

    >>> import torch
    >>> 1 / sigmoid_to_inverse_depth(torch.tensor([0.0, 0.5, 1.0]), minimum=0.1, maximum=100.0)
    tensor([100.0000,   0.1998,   0.1000])
    """
    return 1 / maximum + (1 / minimum - 1 / maximum) * sigmoid


def disparity_to_depth(
    disparity: Float[Tensor, "*b"], focal: float, baseline: float
) -> Float[Tensor, "*b"]:
    """depth = focal * baseline / disparity in metres, and 0 (missing) where the disparity is not >
    0.

    `disparity` and `focal` are in pixels of the same image width, `baseline` in metres.
    """
    present = disparity > 0
    return (focal * baseline / disparity.where(present, 1.0)).where(present, 0.0)


def depth_to_disparity(
    depth: Float[Tensor, "*b"], focal: float, baseline: float
) -> Float[Tensor, "*b"]:
    """disparity = focal * baseline / depth in pixels, and 0 where depth is missing (not > 0).

    The formula is its own inverse: depth and disparity trade places.
    """
    return disparity_to_depth(depth, focal, baseline)


def to_full_size(
    map_of_scale: Float[Tensor, "b k _ _"],
    scale: int,
    size: tuple[int, int],
    mode: Enlarging = "bilinear",
) -> Float[Tensor, "b k h w"]:
    """A map whose pixels are 2^scale wide, brought to an image of `size` (h, w), by default
    bilinearly.

    Where 2^scale does not divide the image, the map's last row and column reach beyond it: they are
    cut off after interpolation, not squeezed in. Depth goes this way as its inverse, which is what
    a network emits and what is linear in the image; sparse truth never does.
    """
    height, width = size
    rows, columns = map_of_scale.shape[-2:]
    if scale == 0:
        return map_of_scale[..., :height, :width]
    whole = (rows * 2**scale, columns * 2**scale)
    aligned = None if mode == "nearest" else False
    enlarged = functional.interpolate(map_of_scale, whole, mode=mode, align_corners=aligned)
    return enlarged[..., :height, :width]


def to_scale(
    image: Float[Tensor, "b c h w"], scale: int, size: tuple[int, int]
) -> Float[Tensor, "b c _ _"]:
    """The image as a map of `size` whose pixels are means over 2^scale x 2^scale; see
    `to_full_size`.

    Beyond the image its last row and column are repeated.
    """
    step = 2**scale
    missing_rows = size[0] * step - image.shape[-2]
    missing_columns = size[1] * step - image.shape[-1]
    if missing_rows or missing_columns:
        image = functional.pad(image, (0, missing_columns, 0, missing_rows), mode="replicate")
    return functional.avg_pool2d(image, step) if scale else image
