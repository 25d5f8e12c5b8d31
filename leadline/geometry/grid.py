"""Where the pixels of a map lie in the image that it was made from."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.camera import pixel_grid
from leadline.geometry.warp import sample


@dataclass(frozen=True)
class Grid:
    """Pixel i of the map lies at pixel `centre` + i * `stride` of the image, in rows and columns.

    A map of strided convolutions with odd kernels has `centre` 0; means over patches have (stride -
    1) / 2, which is what `resize_intrinsics` assumes.
    """

    stride: int
    centre: float

    def intrinsics(self, of_image: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
        """Those of the map."""
        # Scaled and moved on the device: a matrix copied there would make a GPU wait.
        k = of_image / self.stride
        moved = k[..., :2, :] - self.centre / self.stride * of_image[..., 2:, :]
        return torch.cat([moved, of_image[..., 2:, :]], dim=-2)

    def pixels(self, height: int, width: int, like: Tensor) -> Float[Tensor, "2 h w"]:
        """Pixels (u, v) of the image on which those of the map are centred."""
        return self.centre + self.stride * pixel_grid(height, width, like)[:2]

    def size(self, image: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the part of the map that lies in an image of this size."""
        height, width = image
        return -(-height // self.stride), -(-width // self.stride)

    def cropped(
        self, x: Float[Tensor, "b c _ _"], image: tuple[int, int]
    ) -> Float[Tensor, "b c h w"]:
        """That part: what lies beyond the image is there for the sake of the strides alone."""
        height, width = self.size(image)
        return x[..., :height, :width]

    def resampled(
        self, x: Float[Tensor, "b c _ _"], grid: "Grid", size: tuple[int, int]
    ) -> Float[Tensor, "b c h w"]:
        """A map of this grid on another one, of `size` (h, w): bilinear, between the true centres.

        Enlarged as if all maps had their centres at those of patches, a map of a ResNet at stride
        32 would lie 8 pixels of the image beside one at 16.
        """
        pixels = grid.pixels(*size, x.float())
        there = ((pixels - self.centre) / self.stride).expand(len(x), -1, -1, -1)
        # Coordinates of hundreds of pixels do not survive half precision.
        return sample(x.float(), there).to(x.dtype)


IMAGE = Grid(1, 0.0)
