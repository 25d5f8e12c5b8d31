import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evaluation.protocol import PROTOCOLS, named_protocol, resized_depth
from leadline.metrics.crop import EIGEN, GARG

# Height, width: the five sizes of KITTI raw, with the bounds that published code arrives at.
GARG_BOUNDS = {
    (375, 1242): (153, 371, 44, 1197),
    (370, 1224): (151, 366, 43, 1180),
    (374, 1238): (152, 370, 44, 1193),
    (370, 1226): (151, 366, 44, 1181),
    (376, 1241): (153, 372, 44, 1196),
}
EIGEN_ROWS = {(375, 1242): (124, 342)}


@pytest.mark.parametrize("size", GARG_BOUNDS)
def test_garg_crop_of_every_kitti_size(size):
    assert GARG.bounds(*size) == GARG_BOUNDS[size]


@pytest.mark.parametrize("size", GARG_BOUNDS)
def test_eigen_crop_of_every_kitti_size(size):
    top, bottom, left, right = EIGEN.bounds(*size)
    assert (left, right) == GARG_BOUNDS[size][2:]
    assert (top, bottom) == EIGEN_ROWS.get(size, (top, bottom))
    # Exact in whole numbers: the fractions have eight and seven decimals.
    assert top == 3324324 * size[0] // 10**7
    assert bottom == 91351351 * size[0] // 10**8


def slow_mask(truth, minimum, cap, bounds):
    scored = np.zeros(truth.shape, dtype=bool)
    for y, x in np.ndindex(truth.shape):
        inside = bounds is None or (bounds[0] <= y < bounds[1] and bounds[2] <= x < bounds[3])
        scored[y, x] = inside and truth[y, x] > minimum and (cap is None or truth[y, x] < cap)
    return scored


@pytest.mark.parametrize(
    ("name", "crop", "minimum", "cap", "prediction_cap"),
    [
        ("eigen", GARG, 1e-3, 80, 80),
        ("eigen_50", GARG, 1e-3, 50, 50),
        ("eigen_own_crop", EIGEN, 1e-3, 80, 80),
        ("dense", None, 1e-3, 80, 80),
        ("improved", None, 0, None, 80),
        ("none", None, 0, None, None),
    ],
)
def test_masks_and_clamps(name, crop, minimum, cap, prediction_cap):
    truth = np.random.default_rng(0).choice([0, 5e-4, 1e-3, 3, 49, 50, 79.9, 80, 200], (60, 80))
    bounds = crop.bounds(60, 80) if crop else None
    protocol = named_protocol(name)
    assert (protocol.mask(truth) == slow_mask(truth, minimum, cap, bounds)).all()
    clamped = protocol.clamp(np.array([0.0, 1e-4, 2.0, 1e4]))
    assert clamped.tolist() == [1e-3, 1e-3, 2.0, prediction_cap or 1e4]


def test_infinite_truth_is_never_scored():
    assert not PROTOCOLS["none"].mask(np.array([[np.inf, np.nan, 0.0, -1.0]])).any()


def test_protocols_describe_themselves():
    assert named_protocol("eigen_50").describe() == (
        "eigen_50: Garg crop, truth 0.001 to 50 m, predictions clamped to 0.001..50 m"
    )
    assert named_protocol("none").describe() == (
        "none: no crop, all valid truth, predictions clamped to 0.001 m or more"
    )


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(ValueError, match=r"one of eigen, eigen_50, .*got 'kitti'"):
        named_protocol("kitti")


def slow_bilinear(image, height, width):
    """Half-pixel centres, borders repeated, one pixel at a time."""
    out = np.zeros((height, width))
    for y, x in np.ndindex(out.shape):
        v = (y + 0.5) * image.shape[0] / height - 0.5
        u = (x + 0.5) * image.shape[1] / width - 0.5
        y0, x0 = int(np.floor(v)), int(np.floor(u))
        for row, wy in ((y0, 1 - (v - y0)), (y0 + 1, v - y0)):
            for column, wx in ((x0, 1 - (u - x0)), (x0 + 1, u - x0)):
                r = min(max(row, 0), image.shape[0] - 1)
                c = min(max(column, 0), image.shape[1] - 1)
                out[y, x] += wy * wx * image[r, c]
    return out


@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 12), st.integers(1, 12))
def test_depth_is_resized_as_inverse_depth(h, w, height, width):
    depth = np.random.default_rng(h * w).uniform(1, 50, (h, w))
    expected = 1 / slow_bilinear(1 / depth, height, width)
    assert resized_depth(depth, height, width) == pytest.approx(expected, rel=1e-5)


def test_resizing_is_not_a_resize_of_depth():
    depth = np.array([[2.0, 50.0]])
    as_depth = cv2.resize(depth, (4, 1))
    assert np.abs(resized_depth(depth, 1, 4) - as_depth).max() > 1


def test_depth_of_the_right_size_is_left_alone():
    depth = np.array([[0.0, np.inf, 3.0]])
    assert (resized_depth(depth, 1, 3) == depth).all()


def slow_resize_with_holes(depth, height, width):
    """Bilinear in inverse depth where no pixel that has a share is missing, else the nearest."""
    out = np.zeros((height, width))
    dense = 1 / slow_bilinear(1 / np.where(depth > 0, depth, 1), height, width)
    holes = slow_bilinear((depth == 0).astype(float), height, width)
    for y, x in np.ndindex(out.shape):
        row = int((y + 0.5) * depth.shape[0] / height)
        column = int((x + 0.5) * depth.shape[1] / width)
        out[y, x] = depth[row, column] if holes[y, x] > 1e-9 else dense[y, x]
    return out


@given(
    st.integers(2, 7), st.integers(2, 7), st.integers(1, 12), st.integers(1, 12), st.integers(0, 9)
)
def test_missing_pixels_do_not_bleed_into_their_neighbours(h, w, height, width, seed):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 50, (h, w)) * (rng.random((h, w)) < 0.7)
    found = resized_depth(depth, height, width)
    assert found == pytest.approx(slow_resize_with_holes(depth, height, width), rel=1e-5)
    present = depth[depth > 0]
    if present.size:
        kept = found[found > 0]
        assert (kept >= present.min() * (1 - 1e-9)).all()
        assert (kept <= present.max() * (1 + 1e-9)).all()


def test_one_missing_pixel_stays_one():
    depth = np.full((8, 8), 10.0)
    depth[4, 4] = 0
    found = resized_depth(depth, 32, 32)
    assert (found == 0).sum() == 16
    assert found[found > 0] == pytest.approx(10)


def test_dense_predictions_are_resized_as_ever():
    depth = np.random.default_rng(3).uniform(1, 50, (19, 31))
    expected = 1 / cv2.resize(1 / depth, (124, 37), interpolation=cv2.INTER_LINEAR)
    assert (resized_depth(depth, 37, 124) == expected).all()


def test_every_protocol_names_its_truth():
    wanted = {name: protocol.truth for name, protocol in PROTOCOLS.items()}
    eigen = dict.fromkeys(("eigen", "eigen_50", "eigen_own_crop"), "eigen")
    assert wanted == eigen | {"improved": "improved", "dense": "any", "none": "any"}


def test_infinitely_far_and_missing_survive_a_resize():
    far = resized_depth(np.full((2, 2), np.inf), 3, 3)
    assert np.isinf(far).all()
    missing = resized_depth(np.zeros((2, 2)), 3, 3)
    assert (missing <= 1e-6).all()
