import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evaluation.edges import depth_edges, edge_score


def box_scene(left=10, right=20, near=5.0, far=10.0):
    depth = np.full((24, 32), far)
    depth[6:16, left:right] = near
    return depth


def slow_edges(depth, jump):
    """Every pair of neighbours of every row and column, one at a time."""
    edges = np.zeros(depth.shape, dtype=bool)
    for line, marks in ((depth, edges), (depth.T, edges.T)):
        w = np.where(line > 0, 1 / np.where(line > 0, line, 1), 0)
        for y, x in np.ndindex(line.shape[0], line.shape[1] - 1):
            a, b = w[y, x], w[y, x + 1]
            if a == 0 or b == 0:
                continue
            departures = [abs(a - b)]
            if x > 0 and w[y, x - 1] > 0:
                departures.append(abs(b - (2 * a - w[y, x - 1])))
            if x + 2 < line.shape[1] and w[y, x + 2] > 0:
                departures.append(abs(a - (2 * b - w[y, x + 2])))
            if min(departures) > jump * max(a, b):
                marks[y, x if a > b else x + 1] = True
    return edges


@given(st.integers(0, 10_000), st.floats(0.02, 0.3))
def test_edges_equal_a_loop_over_neighbours(seed, jump):
    rng = np.random.default_rng(seed)
    depth = rng.choice([0.0, 3.0, 3.3, 4.0, 8.0], (6, 7)) * rng.uniform(0.97, 1.03, (6, 7))
    assert (depth_edges(depth, jump) == slow_edges(depth, jump)).all()


def test_the_outline_of_a_box_is_its_own_border():
    edges = depth_edges(box_scene())
    expected = np.zeros_like(edges)
    expected[6:16, 10:20] = True
    expected[7:15, 11:19] = False
    assert (edges == expected).all()


def test_a_road_to_the_horizon_has_no_edge():
    rows = np.arange(1, 60)[:, None]
    road = np.repeat(1.6 * 700 / rows, 40, axis=1)  # 1.6 m below a camera of 700 px
    assert road[0, 0] / road[1, 0] == 2  # one row from the next: twice as far
    assert not depth_edges(road).any()


def test_a_thin_pole_has_an_edge_whatever_its_width():
    for width in (1, 2, 3):
        edges = depth_edges(box_scene(10, 10 + width))
        assert edges[6:16, 10 : 10 + width][:, [0, -1]].all()
        assert edges.sum() == edges[6:16, 10 : 10 + width].sum()


def test_a_perfect_prediction_scores_one():
    scored = edge_score(box_scene(), box_scene())
    assert (scored.precision, scored.recall, scored.f1) == (1, 1, 1)
    assert scored.true_edges == scored.predicted_edges == 36


@pytest.mark.parametrize(("tolerance", "precision"), [(0.0, 16 / 36), (1.0, 1.0)])
def test_a_shift_of_one_pixel_is_forgiven_by_one_pixel(tolerance, precision):
    scored = edge_score(box_scene(11, 21), box_scene(), tolerance=tolerance)
    assert scored.precision == pytest.approx(precision, abs=0.06)
    assert (scored.precision == 1) == (tolerance == 1)


def test_matching_equals_a_search_among_all_pairs():
    rng = np.random.default_rng(3)
    truth = np.where(rng.random((20, 25)) < 0.1, 4.0, 9.0)
    prediction = np.where(rng.random((20, 25)) < 0.1, 4.0, 9.0)
    tolerance = 2.0
    scored = edge_score(prediction, truth, tolerance=tolerance)
    a, b = (np.argwhere(depth_edges(each)) for each in (prediction, truth))
    distances = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    assert scored.precision == pytest.approx(np.mean(distances.min(axis=1) <= tolerance))
    assert scored.recall == pytest.approx(np.mean(distances.min(axis=0) <= tolerance))


def test_a_flat_prediction_finds_nothing_and_claims_nothing():
    scored = edge_score(np.full((24, 32), 7.0), box_scene())
    assert (scored.precision, scored.recall, scored.f1) == (1, 0, 0)
    nothing = edge_score(box_scene(), np.full((24, 32), 7.0))
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 1, 0)


def test_edges_where_truth_is_missing_do_not_count():
    truth = box_scene()
    truth[:, 14:] = 0
    scored = edge_score(box_scene(), truth)
    assert (scored.precision, scored.recall) == (1, 1)
    assert scored.predicted_edges < 36


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="prediction and truth of one size"):
        edge_score(np.ones((3, 3)), np.ones((3, 4)))
