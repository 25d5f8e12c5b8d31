"""A tiny world with exact truth: a textured plane seen by a stereo pair and from the future."""

from dataclasses import replace

import torch
from torch import Tensor

from leadline.geometry.camera import pixel_grid
from leadline.geometry.pose import pose_from_rotvec, stereo_pose
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch, Predictions

NEXT = Offset(time=1)
BASELINE = 0.5


def texture(u: Tensor, v: Tensor) -> Tensor:
    """A smooth colourful picture of real coordinates, so that it can be seen from anywhere."""
    waves = [(0.31, 0.17, 0.0), (0.11, 0.37, 1.0), (0.23, -0.29, 2.0)]
    return torch.stack([0.5 + 0.4 * torch.sin(a * u + b * v + c) for a, b, c in waves], dim=-3)


def plane_batch(
    count: int = 2,
    size: tuple[int, int] = (24, 40),
    depth: float = 10.0,
    sources: tuple[Offset, ...] = (STEREO, NEXT),
) -> Batch:
    """A fronto-parallel plane at `depth` metres, a right camera, and a step of 0.3 m sideways."""
    height, width = size
    focal = 0.9 * width
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    step = pose_from_rotvec(torch.zeros(1, 3), torch.tensor([[-0.3, 0.1, 0.0]]))[0]
    poses = {STEREO: stereo_pose(BASELINE), NEXT: step}
    u, v, _ = pixel_grid(height, width, K)
    images = {TARGET: texture(u, v)}
    for offset in sources:
        shift = focal * poses[offset][:2, 3] / depth
        images[offset] = texture(u - shift[0], v - shift[1])
    images = {o: i.expand(count, -1, -1, -1).contiguous() for o, i in images.items()}
    return Batch(
        ids=tuple(f"plane {i}" for i in range(count)),
        images=images,
        inputs=images,
        available={offset: torch.ones(count, dtype=torch.bool) for offset in images},
        intrinsics={offset: K.expand(count, 3, 3) for offset in images},
        known_poses={offset: poses[offset].expand(count, 4, 4) for offset in sources},
        hint=torch.full((count, 1, *size), depth) if STEREO in sources else None,
        seeds=torch.arange(count),
        unit=BASELINE / 0.1,
    )


def predictions_of(batch: Batch, depth: float | Tensor, scales: int = 2) -> Predictions:
    """Predictions of a constant (or given) depth at `scales` sizes, with the poses of the batch."""
    height, width = batch.size
    maps = {
        s: torch.as_tensor(depth).expand(len(batch), 1, height // 2**s, width // 2**s).clone()
        for s in range(scales)
    }
    return Predictions(depth={TARGET: maps}, poses={o: batch.known_poses[o] for o in batch.sources})


def without(batch: Batch, offset: Offset, index: int) -> Batch:
    """The batch with one neighbour of one sample missing, as the loader would deliver it."""
    available = {o: mask.clone() for o, mask in batch.available.items()}
    images = {o: image.clone() for o, image in batch.images.items()}
    poses = {o: pose.clone() for o, pose in batch.known_poses.items()}
    available[offset][index] = False
    images[offset][index] = 0
    poses[offset][index] = torch.nan
    return replace(batch, available=available, images=images, inputs=images, known_poses=poses)
