import numpy as np
import pytest

from leadline.evaluation.protocol import PROTOCOLS, named_protocol
from leadline.evaluation.results import ImageScore
from leadline.metrics import depth_metrics, log_bias
from leadline.metrics.crop import CITYSCAPES, EIGEN, GARG, NYU

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


def test_cityscapes_crop_at_its_native_size_and_at_half_of_it():
    assert CITYSCAPES.bounds(1024, 2048) == (256, 768, 192, 1856)
    assert CITYSCAPES.bounds(512, 1024) == (128, 384, 96, 928)


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
        ("packnet", None, 0, 80, 80),
        ("packnet_garg", GARG, 0, 80, 80),
        ("ddad", None, 0, 200, 200),
        ("ddad_nearest", None, 0, 200, 200),
        ("ddad_250", None, 1e-3, 250, 250),
        ("cityscapes", CITYSCAPES, 1e-3, 80, 80),
        ("improved_garg", GARG, 1e-3, 80, 80),
        ("nyu", NYU, 1e-3, 10, 10),
        ("nyu_fcrn", None, 0, None, None),
    ],
)
def test_masks_and_clamps(name, crop, minimum, cap, prediction_cap):
    depths = [0, 5e-4, 1e-3, 3, 49, 50, 79.9, 80, 199.9, 200, 249, 250]
    truth = np.random.default_rng(0).choice(depths, (64, 80))
    bounds = crop.bounds(64, 80) if crop else None
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
    assert named_protocol("ddad").describe() == (
        "ddad: no crop, truth 0 to 200 m, predictions clamped to 0.001..200 m, resized bilinearly "
        "as depth with aligned corners"
    )
    assert named_protocol("cityscapes").describe() == (
        "cityscapes: Cityscapes crop, truth 0.001 to 80 m, predictions clamped to 0.001..80 m, "
        "models see the upper 75% of a picture"
    )


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(ValueError, match=r"one of eigen, eigen_50, .*got 'kitti'"):
        named_protocol("kitti")


def test_every_protocol_names_its_truth():
    wanted = {name: protocol.truth for name, protocol in PROTOCOLS.items()}
    eigen = dict.fromkeys(("eigen", "eigen_50", "eigen_own_crop"), "eigen")
    others = dict.fromkeys(PROTOCOLS.keys() - eigen.keys(), "any")
    improved = dict.fromkeys(("improved", "improved_garg"), "improved")
    assert wanted == others | eigen | improved


def test_only_protocols_after_packnet_resize_otherwise():
    resizes = {name: p.resize for name, p in PROTOCOLS.items() if p.resize != "inverse_depth"}
    corners = dict.fromkeys(
        ("packnet", "packnet_garg", "ddad", "ddad_250"), "depth_aligned_corners"
    )
    nearest = dict.fromkeys(("ddad_nearest", "make3d"), "nearest")
    assert resizes == corners | nearest | dict.fromkeys(("nyu_fcrn", "make3d_fcrn"), "depth")


def test_the_crop_of_rooms_at_its_native_size():
    assert NYU.bounds(480, 640) == (45, 471, 41, 601)


def test_make3d_is_scored_on_truth_of_its_own_size_only():
    for name, shape, cap in (("make3d", (21, 305), 70), ("make3d_fcrn", (460, 345), None)):
        protocol = named_protocol(name)
        truth = np.full(shape, 3.0)
        truth[0, :2] = 70, 0
        assert not protocol.mask(truth)[0, :2].any()
        assert protocol.mask(truth).sum() == truth.size - 2
        assert protocol.clamp(np.array([99.0])) == (cap or 99)
        with pytest.raises(
            ValueError, match=f"protocol {name}: expected truth of {shape[1]}x{shape[0]}"
        ):
            protocol.mask(np.ones((55, 305)))


def test_pooling_counts_pixels_where_the_mean_counts_images():
    def image(pixels: int, share: float) -> ImageScore:
        truth = np.full(pixels, 2.0)
        off = truth * (1 + share)
        metrics, bias = depth_metrics(off, truth), log_bias(off, truth)
        return ImageScore("a", metrics, 1.0, pixels, missing=0, log_bias=bias)

    images = [image(30, 0.1), image(10, 0.5)]
    assert named_protocol("nyu").summary(images).abs_rel == pytest.approx(0.3)
    assert named_protocol("nyu_fcrn").summary(images).abs_rel == pytest.approx(0.2)
    assert named_protocol("nyu").joined == "mean over images"
    assert named_protocol("nyu_fcrn").joined == "over all pixels"
    assert "pixels of all images together" in named_protocol("nyu_fcrn").describe()
