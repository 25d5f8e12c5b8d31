import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.data.sparse import is_dense, resize_depth, resize_nearest, scatter_depth

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


def test_of_sparse_depth_nothing_is_lost_and_dense_depth_gets_no_nearer() -> None:
    sparse = sparse_map((24, 36), 0)
    assert not is_dense(sparse)
    scattered = resize_depth(sparse, (12, 18), dense=False)
    assert np.array_equal(scattered, scatter_depth(sparse, (12, 18)))
    # A floor, half a metre a row; one in five pixels unknown.
    rows, columns = np.mgrid[:24, :36]
    dense = np.where((rows + 2 * columns) % 5 > 0, 20 - 0.5 * rows, 0).astype(np.float32)
    assert is_dense(dense)
    shrunk = resize_depth(dense, (8, 12), dense=True)
    known = shrunk > 0
    # Each third row has its centre in the middle of one of the old ones.
    expected = np.broadcast_to(20 - 0.5 * (3 * np.arange(8)[:, None] + 1), known.shape)
    assert np.array_equal(shrunk[known], expected[known].astype(np.float32))
    assert 0.7 < known.mean() < 0.9
    nearest = scatter_depth(dense, (8, 12))
    assert (nearest[known] < shrunk[known]).mean() > 0.9
    enlarged = resize_depth(dense, (48, 72), dense=True)
    assert (enlarged > 0).sum() == (dense > 0).sum()
