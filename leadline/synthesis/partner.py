"""The same pair looked at from its other camera."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.pose import invert_pose
from leadline.offset import STEREO, TARGET
from leadline.types import Batch, Predictions


def from_partner(batch: Batch, predictions: Predictions) -> tuple[Batch, Predictions]:
    """Batch and predictions with the stereo partner as the target, and the target as its source.

    What is known of the target alone, true depth, hint, mask and frames in time, stays behind.

    Raises:
        ValueError: there is no stereo frame, or nothing predicts the partner's depth.
    """
    if STEREO not in batch.images or STEREO not in predictions.depth:
        raise ValueError(
            "the objective looks from the partner of a pair, but the batch has no stereo frame, or "
            "the network predicts no depth of it"
        )
    pose = _inverse(predictions.poses[STEREO])
    swapped = replace(
        batch,
        images={TARGET: batch.images[STEREO], STEREO: batch.images[TARGET]},
        inputs={TARGET: batch.inputs[STEREO], STEREO: batch.inputs[TARGET]},
        # Where there is no partner there is nothing to explain: its source counts as absent.
        available={TARGET: batch.available[TARGET], STEREO: batch.available[STEREO]},
        intrinsics=(
            None
            if batch.intrinsics is None
            else {TARGET: batch.intrinsics[STEREO], STEREO: batch.intrinsics[TARGET]}
        ),
        known_poses={STEREO: pose},
        distance={},
        seconds={},
        hint=None,
        hint_confidence=None,
        depth=None,
        loss_mask=None,
        in_picture=(
            {TARGET: batch.in_picture[STEREO], STEREO: batch.in_picture[TARGET]}
            if batch.in_picture
            else {}
        ),
    )
    return swapped, Predictions(depth={TARGET: predictions.depth[STEREO]}, poses={STEREO: pose})


def _inverse(pose: Float[Tensor, "b 4 4"]) -> Float[Tensor, "b 4 4"]:
    """The inverse, and no motion where there is no pose: nobody looks, but NaN would spread."""
    known = pose[:, 3, 3] == 1
    still = torch.eye(4, dtype=pose.dtype, device=pose.device).expand_as(pose)
    return invert_pose(pose.where(known[:, None, None], still))
