"""Random scale-and-crop: a part of the image, shown at one size, with the geometry that fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from leadline.data.image_tensors import resize_image
from leadline.data.sparse import resize_depth, resize_nearest
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


def checked_window(window: Sequence[int] | None, size: tuple[int, int]) -> tuple[int, int] | None:
    """The window (h, w), if there is one, that training shows of pictures of `size` (h, w).

    Raises:
        ValueError: it is no two numbers, or does not fit into the pictures.
    """
    if window is None:
        return None
    if len(window) != 2 or not all(
        0 < part <= whole for part, whole in zip(window, size, strict=True)
    ):
        raise ValueError(
            f"window: expected [height, width] from [1, 1] to that of the pictures, {list(size)}, "
            f"got {list(window)}"
        )
    height, width = window
    return height, width


def draw_window(
    size: tuple[int, int],
    largest: float,
    generator: np.random.Generator,
    part: tuple[float, float] = (1.0, 1.0),
) -> Window:
    """A window anywhere in an image of `size` (h, w): `part` of its height and width, or so much
    less of both that it can be shown up to `largest` times larger.

    The logarithm of the scale is uniform. Always draws three numbers.
    """
    share, down, right = generator.random(3)
    scale = largest**share
    height, width = (
        max(round(side * kept / scale), 1) for side, kept in zip(size, part, strict=True)
    )
    return Window(
        left=int(right * (size[1] - width + 1)),
        top=int(down * (size[0] - height + 1)),
        height=height,
        width=width,
    )


def show_window(
    sample: Sample,
    window: Window,
    size: tuple[int, int],
    picture: tuple[int, int] | None = None,
) -> Sample:
    """The part of the sample in the window, at `size` (h, w), where the whole is shown at `picture`
    (h, w), by default the same.

    A scene that is shown s times larger is, to a network that does not know the focal length, s
    times nearer: `zoom` grows by s, and what the network says is multiplied by it. So [eigen2014]
    divides the depth by the scale to which it brings the image. Depth, hint and poses are in metres
    and stay; the intrinsics are those of the window.
    """
    whole = sample.images[TARGET].shape[-2:]
    width_of_whole = (picture or size)[1]
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
        zoom=sample.zoom * (whole[1] * size[1]) / (window.width * width_of_whole),
        pixel_aspect=sample.pixel_aspect * (size[1] * window.height) / (window.width * size[0]),
        hint=_shown(sample.hint, window, size, resize_nearest),
        hint_confidence=_shown(sample.hint_confidence, window, size, resize_nearest),
        depth=_shown(
            sample.depth, window, size, partial(resize_depth, dense=sample.depth_is_dense)
        ),
        loss_mask=_shown(sample.loss_mask, window, size, resize_nearest),
        in_picture={
            offset: torch.from_numpy(resize_nearest(window.cut(mask)[0].numpy(), size))[None]
            for offset, mask in sample.in_picture.items()
        },
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
