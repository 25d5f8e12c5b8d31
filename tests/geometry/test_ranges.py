"""Range and depth: two ways to count along one ray."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.geometry.camera import backproject, pixel_grid
from leadline.geometry.ranges import depth_to_range, range_to_depth, unit_rays

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


def intrinsics(size: tuple[int, int]) -> torch.Tensor:
    height, width = size
    K = [[0.8 * width, 0.01, 0.4 * width], [0.0, width, 0.6 * height], [0.0, 0.0, 1.0]]
    return torch.tensor(K, dtype=torch.float64).expand(2, 3, 3)


@given(sizes, st.integers(0, 2**31))
def test_range_is_the_distance_of_the_point_that_depth_makes(
    size: tuple[int, int], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    depth = 0.1 + 50 * torch.rand(2, 1, *size, generator=generator, dtype=torch.float64)
    K = intrinsics(size)
    points = backproject(depth, K)
    ranges = depth_to_range(depth, K)
    torch.testing.assert_close(ranges, torch.linalg.vector_norm(points, dim=1, keepdim=True))
    torch.testing.assert_close(range_to_depth(ranges, K), depth)
    pixels = pixel_grid(*size, depth)[:2].flatten(1).expand(2, -1, -1)
    torch.testing.assert_close(unit_rays(pixels, K) * ranges.flatten(2), points.flatten(2))


def test_at_the_principal_point_they_are_the_same() -> None:
    K = torch.tensor([[[5.0, 0, 2], [0, 5, 1], [0, 0, 1]]])
    depth = torch.full((1, 1, 3, 4), 7.0)
    ranges = depth_to_range(depth, K)
    assert ranges[0, 0, 1, 2] == 7
    others = torch.ones(3, 4, dtype=torch.bool)
    others[1, 2] = False
    assert (ranges[0, 0][others] > 7).all()
