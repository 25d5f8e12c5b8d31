"""Random scale-and-crop: a part of the image, shown at one size, with the geometry that fits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from leadline.data.image_tensors import resize_image
from leadline.data.sparse import resize_nearest, scatter_depth
from leadline.geometry.camera import crop_intrinsics, resize_intrinsics
from leadline.offset import TARGET
from leadline.types import Sample


@dataclass(frozen=True)
class Window:
    """A part of an image, in whole pixels."""

    left: int
    top: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        return self.height, self.width

    def cut(self, image: Shaped[Tensor, "_ h w"]) -> Shaped[Tensor, "_ _ _"]:
        """What of an image lies in the window."""
        rows = slice(self.top, self.top + self.height)
        return image[:, rows, self.left : self.left + self.width]


def draw_window(size: tuple[int, int], largest: float, generator: np.random.Generator) -> Window:
    """A window anywhere in an image of `size` (h, w), which shows it up to `largest` times larger.

    The logarithm of the scale is uniform. Always draws three numbers.
    """
    share, down, right = generator.random(3)
    scale = largest**share
    height, width = (max(round(side / scale), 1) for side in size)
    return Window(
        left=int(right * (size[1] - width + 1)),
        top=int(down * (size[0] - height + 1)),
        height=height,
        width=width,
    )


def show_window(sample: Sample, window: Window, size: tuple[int, int]) -> Sample:
    """The part of the sample in the window, at `size` (h, w).

    A scene that is shown s times larger is, to a network that does not know the focal length, s
    times nearer: `zoom` grows by s, and what the network says is multiplied by it. So [eigen2014]
    divides the depth by the scale to which it brings the image. Depth, hint and poses are in metres
    and stay; the intrinsics are those of the window.
    """
    whole = sample.images[TARGET].shape[-2:]
    if window.size == whole == size:
        return sample
    images = {
        offset: resize_image(window.cut(image), size) for offset, image in sample.images.items()
    }
    intrinsics = {
        offset: resize_intrinsics(crop_intrinsics(k, window.left, window.top), window.size, size)
        for offset, k in (sample.intrinsics or {}).items()
    }
    return replace(
        sample,
        images=images,
        intrinsics=intrinsics or None,
        zoom=sample.zoom * whole[1] / window.width,
        hint=_shown(sample.hint, window, size, resize_nearest),
        hint_confidence=_shown(sample.hint_confidence, window, size, resize_nearest),
        depth=_shown(sample.depth, window, size, scatter_depth),
        loss_mask=_shown(sample.loss_mask, window, size, resize_nearest),
    )


def _shown(
    values: Shaped[Tensor, "1 _ _"] | None,
    window: Window,
    size: tuple[int, int],
    resize: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
) -> Shaped[Tensor, "1 h w"] | None:
    if values is None:
        return None
    return torch.from_numpy(resize(window.cut(values)[0].numpy(), size))[None]
