"""Sources as they would look to a camera in their place that looks the target's way."""

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from leadline.geometry.camera import turn_homography
from leadline.offset import TARGET, Offset
from leadline.types import Sample


def looking_as_target(sample: Sample, turns: Mapping[Offset, Float64[np.ndarray, "3 3"]]) -> Sample:
    """The sample with its sources at `turns` (R of X_source = R X_target + t) turned back by them,
    seen by the target's camera: what then moves between the pictures is parallax alone.

    Pixels come from p' = K_source R K_target^-1 p, by bicubic interpolation, those from beyond the
    picture with the colour of its border; `in_picture` says which. A known pose R' X + t becomes
    R^T R' X + R^T t: if it turns as it is told to here, it turns no more.

    Raises:
        ValueError: the sample has no intrinsics.
    """
    if not turns:
        return sample
    cameras = sample.intrinsics
    if cameras is None:
        raise ValueError(f"{sample.id}: expected intrinsics, which a turn needs, got none")
    target = cameras[TARGET]
    images, poses = dict(sample.images), dict(sample.known_poses)
    seen = {offset: _everywhere(sample) for offset in images} | dict(sample.in_picture)
    for offset, turn in turns.items():
        rotation = torch.from_numpy(turn)
        there = turn_homography(target, cameras.get(offset, target), rotation).numpy()
        images[offset] = _looked_up(images[offset], there)
        seen[offset] = _within(there, images[offset])
        if offset in poses:
            back = torch.eye(4)
            back[:3, :3] = rotation.T
            poses[offset] = back @ poses[offset]
    return replace(
        sample,
        images=images,
        intrinsics={**cameras, **dict.fromkeys(turns, target)},
        known_poses=poses,
        in_picture=seen,
    )


def _everywhere(sample: Sample) -> Bool[Tensor, "1 h w"]:
    return torch.ones_like(sample.images[TARGET][:1], dtype=torch.bool)


def _looked_up(
    image: UInt8[Tensor, "3 h w"], there: Float64[np.ndarray, "3 3"]
) -> UInt8[Tensor, "3 h w"]:
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    looked_up = cv2.warpPerspective(
        pixels,
        there,
        (pixels.shape[1], pixels.shape[0]),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return torch.from_numpy(looked_up).permute(2, 0, 1).contiguous()


def _within(
    there: Float64[np.ndarray, "3 3"], image: UInt8[Tensor, "3 h w"]
) -> Bool[Tensor, "1 h w"]:
    """Where pixels come from within the picture, up to the outer borders of its outermost ones."""
    height, width = image.shape[-2:]
    rows, columns = np.mgrid[:height, :width]
    u, v, ahead = np.tensordot(there, np.stack([columns, rows, np.ones_like(rows)]), 1)
    # Behind the camera, where `ahead` is negative, both of a pair cannot hold.
    inside = (u >= -0.5 * ahead) & (u < (width - 0.5) * ahead)
    inside &= (v >= -0.5 * ahead) & (v < (height - 0.5) * ahead)
    return torch.from_numpy(inside)[None]
