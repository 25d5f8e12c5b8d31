import numpy as np
import pytest

from leadline.evaluation.distance import EDGES, DistanceSums, distance_bins


def test_bins_equal_a_loop_over_pixels_of_all_images():
    rng = np.random.default_rng(1)
    images = [(rng.uniform(0.5, 120, n), rng.uniform(0.5, 120, n)) for n in (50, 80, 1)]
    bins = distance_bins(DistanceSums.of(p, g) for p, g in images)
    pairs = [pair for p, g in images for pair in zip(p.tolist(), g.tolist(), strict=True)]
    seen = 0
    for each in bins:
        far = each.far if each.far is not None else np.inf
        inside = [(p, g) for p, g in pairs if each.near <= g < far]
        assert each.pixels == len(inside) > 0
        assert each.abs_rel == pytest.approx(np.mean([abs(p - g) / g for p, g in inside]))
        assert each.bias == pytest.approx(np.mean([(p - g) / g for p, g in inside]))
        seen += each.pixels
    assert seen == len(pairs)


def test_roads_end_where_they_did_and_long_ranges_go_on():
    assert EDGES[:14].tolist() == [0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 80]
    depths = np.array([79.9, 80, 99, 120, 199, 230, 260])
    bins = distance_bins([DistanceSums.of(depths, depths)])
    assert [(each.near, each.far, each.pixels) for each in bins] == [
        (60, 80, 1), (80, 100, 2), (100, 150, 1), (150, 200, 1), (200, 250, 1), (250, None, 1)
    ]  # fmt: skip


def test_a_truth_on_an_edge_belongs_to_the_farther_bin():
    (only,) = distance_bins([DistanceSums.of(np.array([6.0]), np.array([5.0]))])
    assert (only.near, only.far, only.bias) == (5, 7, pytest.approx(0.2))
