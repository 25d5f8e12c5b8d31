"""The depth that a data set measured, as the terms that learn from it see it."""

from jaxtyping import Bool, Float
from torch import Tensor

from leadline.types import Scene


def true_depth(scene: Scene) -> Float[Tensor, "b 1 h w"]:
    """Metres, 0 where nothing was measured.

    Raises:
        ValueError: the batch has none, or has it at another size than its images.
    """
    depth, size = scene.batch.depth, scene.batch.size
    if depth is None:
        raise ValueError("the objective looks at true depth, but the batch has none")
    if tuple(depth.shape[-2:]) != size:
        raise ValueError(
            f"true depth: expected the size of the images {size}, got {tuple(depth.shape[-2:])}; "
            "scatter it at the training size"
        )
    return depth


def measured_pixels(
    scene: Scene, depth: Float[Tensor, "b 1 h w"], nearest: float = 0.0
) -> Bool[Tensor, "b 1 h w"]:
    """Where true depth is known, farther than `nearest` metres, and not masked."""
    measured = depth > nearest
    mask = scene.batch.loss_mask
    return measured if mask is None else measured & mask
