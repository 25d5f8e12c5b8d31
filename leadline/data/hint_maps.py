"""Hint files as a sample holds them: depth in metres at the training size."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.data.depth_files import read_disparity
from leadline.data.sources.base import FrameId, Source
from leadline.data.sparse import resize_nearest
from leadline.geometry.depth import disparity_to_depth


def load_hint(
    source: Source, folder: Path, target: FrameId, size: tuple[int, int]
) -> Float[Tensor, "1 h w"] | None:
    """Metres from the disparity in `folder`, at `size` (h, w), 0 = missing; None without a file.

    A hint is disparity at the width of its own file: the true focal length, brought to that
    width, and the true baseline turn it into depth.

    Raises:
        ValueError: the file is damaged, or the rig that it belongs to is unknown.
    """
    path = folder / source.hint_path(target)
    if not path.is_file():
        return None
    camera, baseline = source.camera(target), source.baseline(target.sequence)
    if camera is None or baseline is None:
        raise ValueError(
            f"{path}: a hint needs the focal length and the baseline of {target.sequence}, "
            "which are unknown; add its calibration"
        )
    disparity = read_disparity(path)
    focal = float(camera.intrinsics[0, 0]) * disparity.shape[1] / camera.size[1]
    resized = torch.from_numpy(resize_nearest(disparity, size))
    return disparity_to_depth(resized, focal, baseline)[None]
