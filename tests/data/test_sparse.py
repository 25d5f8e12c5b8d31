import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.data.sparse import resize_nearest, scatter_depth

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


def sparse_map(size: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(1, 80, size) * (rng.random(size) < 0.4)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(old=sizes, new=sizes, seed=st.integers(0, 1000))
def test_scattering_as_in_a_loop_and_nothing_made_up(
    old: tuple[int, int], new: tuple[int, int], seed: int
) -> None:
    depth = sparse_map(old, seed)
    expected = np.zeros(new, np.float32)
    for v in range(old[0]):
        for u in range(old[1]):
            row, column = (2 * v + 1) * new[0] // (2 * old[0]), (2 * u + 1) * new[1] // (2 * old[1])
            here = expected[row, column]
            if depth[v, u] > 0 and (here == 0 or depth[v, u] < here):
                expected[row, column] = depth[v, u]
    scattered = scatter_depth(depth, new)
    assert np.array_equal(scattered, expected)
    assert set(scattered[scattered > 0]) <= set(depth[depth > 0])


@settings(max_examples=60, deadline=None)
@given(old=sizes, new=sizes, seed=st.integers(0, 1000))
def test_nearest_as_in_a_loop(old: tuple[int, int], new: tuple[int, int], seed: int) -> None:
    values = sparse_map(old, seed)
    expected = [
        [values[(2 * r + 1) * old[0] // (2 * new[0]), (2 * c + 1) * old[1] // (2 * new[1])]
         for c in range(new[1])]
        for r in range(new[0])
    ]  # fmt: skip
    assert np.array_equal(resize_nearest(values, new), expected)


def test_one_size_is_left_alone() -> None:
    depth = sparse_map((7, 9), 0)
    assert np.array_equal(scatter_depth(depth, (7, 9)), depth)
    assert np.array_equal(resize_nearest(depth, (7, 9)), depth)
