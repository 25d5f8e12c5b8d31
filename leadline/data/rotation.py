"""All cameras of a sample rolled about their optical axes by one angle: pixels, truth and poses.

Pixels move by p' = K Rz K^-1 p, each frame's by its own K: intrinsics stay what they are, depth
along the axis stays, and poses are conjugated with Rz.
"""

from dataclasses import replace
from functools import cached_property

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64, Shaped, UInt8
from torch import Tensor

from leadline.data.velodyne import nearest_per_pixel
from leadline.geometry.camera import roll_homography
from leadline.geometry.pose import roll_pose
from leadline.offset import TARGET, Offset
from leadline.types import Sample

MOST = 180.0
"""Degrees, either way."""


def check_rotation(rotation: float) -> None:
    """Refuse what is no angle.

    Raises:
        ValueError: it is negative, or more than half a turn.
    """
    if not 0 <= rotation <= MOST:
        raise ValueError(f"rotation: expected degrees from 0 (none) to {MOST:g}, got {rotation:g}")


def rolled(sample: Sample, angle: float) -> Sample:
    """The sample of cameras in which points are turned by `angle` radians, see `roll_matrix`.

    Without intrinsics the roll is about the middle of the picture, and goes by `pixel_aspect`, so
    that it is one also where square pixels were resized to others.

    Images are read bilinearly. Hint, its confidence, the loss mask and dense depth are looked up at
    the nearest pixel, and are 0 or False where that lies beyond the picture; sparse depth is moved
    on to the nearest.
    `in_picture` says what comes from beyond. Images go on there with the colours of their border,
    so that nothing black is mixed in when they are resized; `black_beyond_pictures` comes last.
    """
    cameras = {offset: _camera(sample, offset) for offset in sample.images}
    height, width = sample.images[TARGET].shape[-2:]
    back = {offset: roll_homography(k, -angle).numpy() for offset, k in cameras.items()}
    origins = {offset: _Origins(matrix, (height, width)) for offset, matrix in back.items()}
    target = origins[TARGET]
    return replace(
        sample,
        images={offset: _turned(image, back[offset]) for offset, image in sample.images.items()},
        known_poses={offset: roll_pose(pose, angle) for offset, pose in sample.known_poses.items()},
        hint=None if sample.hint is None else target.of(sample.hint),
        hint_confidence=(
            None if sample.hint_confidence is None else target.of(sample.hint_confidence)
        ),
        depth=_rolled_depth(sample, target, roll_homography(cameras[TARGET], angle).numpy()),
        loss_mask=None if sample.loss_mask is None else target.of(sample.loss_mask),
        in_picture={
            offset: origin.of(sample.in_picture[offset])
            if offset in sample.in_picture
            else torch.from_numpy(origin.in_picture)[None]
            for offset, origin in origins.items()
        },
    )


def black_beyond_pictures(sample: Sample) -> Sample:
    """The sample with black for what is not `in_picture`, where of the target no loss may look, and
    no depth on it: a measurement may have been moved across the border by half a pixel.
    """
    if not sample.in_picture:
        return sample
    target, given = sample.in_picture[TARGET], sample.loss_mask
    return replace(
        sample,
        images={
            offset: image * sample.in_picture[offset] for offset, image in sample.images.items()
        },
        depth=None if sample.depth is None else sample.depth * target,
        loss_mask=target if given is None else given & target,
    )


class _Origins:
    """Where each pixel of a rolled image of `size` (h, w) was before; `back` takes it there."""

    def __init__(self, back: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> None:
        height, width = size
        columns, rows = np.arange(width), np.arange(height)[:, None]
        u, v = (back[i, 0] * columns + (back[i, 1] * rows + back[i, 2]) for i in range(2))
        # Up to the outer borders of the outermost pixels.
        self.in_picture: Bool[np.ndarray, "h w"] = (
            (u >= -0.5) & (u < width - 0.5) & (v >= -0.5) & (v < height - 0.5)
        )
        self._u, self._v, self._size = u, v, size

    @cached_property
    def _indices(self) -> Int64[np.ndarray, "h w"]:
        """Of the nearest pixels, row after row; without meaning beyond the picture."""
        height, width = self._size
        rows, columns = _nearest(self._v), _nearest(self._u)
        indices: np.ndarray = rows.clip(0, height - 1) * width + columns.clip(0, width - 1)
        return indices

    def of(self, values: Shaped[Tensor, "1 h w"]) -> Shaped[Tensor, "1 h w"]:
        """What the nearest pixels held; 0 or False where there were none."""
        found = values[0].numpy().take(self._indices)
        return torch.from_numpy(np.where(self.in_picture, found, found.dtype.type(0)))[None]


def _camera(sample: Sample, offset: Offset) -> Tensor:
    if sample.intrinsics is not None:
        return sample.intrinsics.get(offset, sample.intrinsics[TARGET])
    height, width = sample.images[offset].shape[-2:]
    camera = torch.eye(3, dtype=torch.float64)
    camera[0, 0] = sample.pixel_aspect
    camera[0, 2], camera[1, 2] = (width - 1) / 2, (height - 1) / 2
    return camera


def _nearest(places: Float64[np.ndarray, "*p"]) -> Int64[np.ndarray, "*p"]:
    return np.floor(places + 0.5).astype(np.int64)


def _turned(
    image: UInt8[Tensor, "3 h w"], back: Float64[np.ndarray, "3 3"]
) -> UInt8[Tensor, "3 h w"]:
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    turned = cv2.warpAffine(
        pixels,
        back[:2],
        (pixels.shape[1], pixels.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return torch.from_numpy(turned).permute(2, 0, 1).contiguous()


def _rolled_depth(
    sample: Sample, origins: _Origins, there: Float64[np.ndarray, "3 3"]
) -> Shaped[Tensor, "1 h w"] | None:
    """Each measurement on the pixel that it falls on, the nearest winning where several meet.

    Looking back from each pixel to the nearest old one, as hints are, would show some measurements
    of a sparse map twice and others never; a dense map keeps its surfaces instead, and gets no
    holes.
    """
    if sample.depth is None:
        return None
    if sample.depth_is_dense:
        return origins.of(sample.depth)
    measured = sample.depth[0].numpy()
    v, u = np.nonzero(measured > 0)
    pixels = np.stack([_nearest(there[i, 0] * u + there[i, 1] * v + there[i, 2]) for i in range(2)])
    return torch.from_numpy(nearest_per_pixel(pixels.T, measured[v, u], measured.shape))[None]
