"""Textured stereo pairs of a slope with known disparities, disturbed by known amounts."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

SIZE = (160, 320)
NEAREST, FARTHEST = 24.0, 4.0
"""Pixels of disparity, at the bottom row and at the top one."""
Change = Callable[[np.ndarray], np.ndarray]


def moved(down: float = 0, degrees: float = 0, taller: float = 0) -> Change:
    """Shift a picture down, turn it clockwise, stretch it upright; about its middle."""
    angle = np.deg2rad(degrees)
    middle = np.array([SIZE[1] - 1, SIZE[0] - 1]) / 2
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix[1] *= 1 + taller
    affine = np.column_stack([matrix, middle - matrix @ middle + (0, down)])

    def change(picture: np.ndarray) -> np.ndarray:
        options = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT}
        return cv2.warpAffine(picture, affine, SIZE[::-1], **options)

    return change


def slope_pair(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Left and right picture of a slope painted at random."""
    height, width = SIZE
    rng = np.random.default_rng(number)
    ground = np.zeros((height, width + round(NEAREST), 3), np.float32)
    for size in (1, 2, 4):
        noise = rng.normal(size=ground.shape).astype(np.float32)
        ground += size * cv2.GaussianBlur(noise, (0, 0), size)
    ground = 128 + 40 * ground / ground.std()
    ground = np.clip(ground, 0, 255).astype(np.uint8)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    disparity = FARTHEST + (NEAREST - FARTHEST) * y / (height - 1)
    right = cv2.remap(ground, x + disparity, y, cv2.INTER_CUBIC)
    return ground[:, :width].copy(), right


AS_IT_IS = moved()


def write_rig(
    root: Path,
    count: int = 4,
    change: Change = AS_IT_IS,
    *,
    swapped: bool = False,
    odd: int = 0,
) -> Path:
    """`left/`, `right/` and `camera.yaml`; the right pictures changed; the first `odd` swapped."""
    height, width = SIZE
    for number in range(count):
        left, right = slope_pair(number)
        pictures = [left, change(right)]
        if swapped or number < odd:
            pictures.reverse()
        for side, picture in zip(("left", "right"), pictures, strict=True):
            (root / side).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / side / f"{number:06d}.png"), picture)
    (root / "camera.yaml").write_text(
        f"model: pinhole\nwidth: {width}\nheight: {height}\nfx: 240\nfy: 240\ncx: {width / 2}\n"
        f"cy: {height / 2}\nbaseline: 0.5\n"
    )
    return root
