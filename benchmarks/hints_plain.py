"""The published way to fused hints, written plainly: the baseline of hints_speed.py.

Twelve matchers per view one after the other, twelve depth maps, one batch of twelve warps by
back-projection and projection, SSIM by average pooling, float32 .npy [depth-hints]. It shares no
code with leadline, so that it can also judge what leadline computes.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn import functional

WIDTH, HEIGHT = 1024, 320
FOCAL_X, FOCAL_Y = 0.58 * WIDTH, 1.92 * HEIGHT
BASELINE = 0.1
BLOCK_SIZES = (1, 2, 3)
DISPARITY_RANGES = (64, 96, 128, 160)


def plain_hint(left: Path, right: Path, output: Path, *, right_view: bool = False) -> None:
    """Write the hint of one view as depth (1, 320, 1024) in units of a baseline of 0.1."""
    images = [_load(path) for path in (left, right)]
    target, source = images[::-1] if right_view else images
    depth = plain_match(target, source, right_view=right_view)
    error = plain_error(target, source, depth, right_view=right_view)
    best = error.argmin(dim=0, keepdim=True)
    np.save(output, torch.from_numpy(depth)[:, None].gather(0, best)[0].numpy())


def plain_match(target: np.ndarray, source: np.ndarray, *, right_view: bool) -> np.ndarray:
    """Depth (12, 320, 1024) of each setting, 0 = missing."""
    settings = [(block, number) for block in BLOCK_SIZES for number in DISPARITY_RANGES]
    return np.stack([_match(target, source, setting, right_view) for setting in settings])


def plain_error(
    target: np.ndarray, source: np.ndarray, depth: np.ndarray, *, right_view: bool
) -> torch.Tensor:
    """Photometric error (12, 1, 320, 1024) of the source warped by each depth."""
    offset = BASELINE if right_view else -BASELINE
    warped = _warp(_tensor(source), torch.from_numpy(depth)[:, None], offset)
    return _photometric_error(warped, _tensor(target))


def _load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return np.array(resized)


def _match(
    target: np.ndarray, source: np.ndarray, setting: tuple[int, int], right_view: bool
) -> np.ndarray:
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        blockSize=setting[0],
        numDisparities=setting[1],
        preFilterCap=63,
        P1=4 * 3**2,
        P2=32 * 3**2,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=16,
    )
    if right_view:
        target, source = target[:, ::-1].copy(), source[:, ::-1].copy()
    disparity = matcher.compute(target, source).astype(np.float32) / 16
    if right_view:
        disparity = disparity[:, ::-1].copy()
    return np.where(disparity > 0, FOCAL_X * BASELINE / (disparity + 1e-7), 0).astype(np.float32)


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def _warp(source: torch.Tensor, depth: torch.Tensor, offset: float) -> torch.Tensor:
    number = len(depth)
    intrinsics = torch.tensor(
        [[FOCAL_X, 0, WIDTH / 2], [0, FOCAL_Y, HEIGHT / 2], [0, 0, 1]], dtype=torch.float32
    )
    v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    rays = torch.stack([u, v, torch.ones_like(u)]).float().reshape(3, -1)
    points = depth.reshape(number, 1, -1) * (torch.linalg.inv(intrinsics) @ rays)
    points[:, 0] += offset
    image = intrinsics @ points
    pixels = (image[:, :2] / (image[:, 2:] + 1e-7)).reshape(number, 2, HEIGHT, WIDTH)
    span = torch.tensor([WIDTH - 1, HEIGHT - 1])
    grid = pixels.permute(0, 2, 3, 1) / span * 2 - 1
    return functional.grid_sample(
        source.expand(number, -1, -1, -1), grid, padding_mode="border", align_corners=True
    )


def _photometric_error(warped: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    target = target.expand_as(warped)
    mean_a, mean_b = _window_mean(warped), _window_mean(target)
    variance_a = _window_mean(warped**2) - mean_a**2
    variance_b = _window_mean(target**2) - mean_b**2
    covariance = _window_mean(warped * target) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    ssim = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    structural = ((1 - ssim) / 2).clamp(0, 1).mean(1, keepdim=True)
    return 0.85 * structural + 0.15 * (warped - target).abs().mean(1, keepdim=True)


def _window_mean(image: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(functional.pad(image, (1, 1, 1, 1), mode="reflect"), 3, 1)
