"""What stands for distance: depth, inverse depth, disparity, and the sigmoid range of a network."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


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


def resize_inverse_depth(
    depth: Float[Tensor, "b 1 _ _"], size: tuple[int, int]
) -> Float[Tensor, "b 1 h w"]:
    """Inverse depth at `size` (h, w) of a depth map of any size, interpolated bilinearly.

    Inverse depth is what the network emits and what is linear in the image; interpolating depth
    would let one far pixel swallow its near neighbours. For dense depth only: sparse truth is
    never resized.
    """
    inverse_depth = 1 / depth
    if depth.shape[-2:] == size:
        return inverse_depth
    return functional.interpolate(inverse_depth, size, mode="bilinear", align_corners=False)
