"""A batch as a network sees it at a coarser scale: smaller images, and the cameras of these."""

from collections.abc import Mapping
from dataclasses import replace

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leadline.geometry.camera import resize_intrinsics
from leadline.geometry.depth import to_scale
from leadline.offset import TARGET, Offset
from leadline.types import Batch, Predictions


def batch_at_scale(batch: Batch, scale: int, size: tuple[int, int]) -> Batch:
    """The clean images as maps of `size` (h, w) whose pixels are means over 2^scale x 2^scale, and
    cameras and masks of these; a pixel counts where all that it is the mean of counts.

    Only what warps look at: networks have seen their inputs, and hints are judged at full size.
    """
    if scale == 0:
        return batch
    whole = (size[0] * 2**scale, size[1] * 2**scale)
    intrinsics: Mapping[Offset, Float[Tensor, "b 3 3"]] | None = None
    if batch.intrinsics is not None:
        intrinsics = {
            offset: resize_intrinsics(camera, whole, size)
            for offset, camera in batch.intrinsics.items()
        }
    mask = batch.loss_mask
    images = {offset: to_scale(image, scale, size) for offset, image in batch.images.items()}
    return replace(
        batch,
        images=images,
        inputs=images,
        hint=None,
        hint_confidence=None,
        intrinsics=intrinsics,
        loss_mask=None if mask is None else _where_all(mask, scale, size),
        in_picture={
            offset: _where_all(mask, scale, size) for offset, mask in batch.in_picture.items()
        },
    )


def predictions_at_scale(predictions: Predictions, scale: int) -> Predictions:
    """The same with the target's depth of one scale only, as if that were the finest."""
    return replace(predictions, depth={TARGET: {0: predictions.depth[TARGET][scale]}})


def _where_all(
    mask: Bool[Tensor, "b 1 h w"], scale: int, size: tuple[int, int]
) -> Bool[Tensor, "b 1 _ _"]:
    step = 2**scale
    missing = (0, size[1] * step - mask.shape[-1], 0, size[0] * step - mask.shape[-2])
    outside = functional.pad((~mask).float(), missing, mode="replicate")
    return functional.max_pool2d(outside, step) == 0
