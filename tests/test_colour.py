import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leadline.colour import (
    MISSING,
    DepthScale,
    colour_depth,
    colour_error,
    colour_photometric_error,
    dimmed,
    montage,
    palette_colours,
    signed_colours,
    spread_points,
)


def lightness(colours: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0, :, 0].astype(float)


@pytest.mark.parametrize("palette", ["magma", "viridis"])
def test_palettes_rise_in_lightness_from_far_to_near(palette):
    steps = np.diff(lightness(palette_colours(palette)))
    assert (steps >= -1).all()
    assert lightness(palette_colours(palette))[-1] > 200


def test_palettes_are_red_green_blue():
    assert palette_colours("turbo")[-1].argmax() == 0  # turbo ends in dark red
    assert palette_colours("turbo")[30].argmax() == 2  # and starts in blue


@given(
    st.floats(0.1, 50),
    st.floats(1.1, 30),
    st.sampled_from(["inverse", "log"]),
    arrays(np.float64, (4, 5), elements=st.floats(0.01, 500)),
)
def test_position_falls_with_depth_between_the_ends(near, factor, spacing, depth):
    scale = DepthScale(near, near * factor, spacing)
    assert scale.position(np.array([near, near * factor])) == pytest.approx([1, 0])
    ordered = scale.position(np.sort(depth.ravel()))
    assert (np.diff(ordered) <= 1e-12).all()
    assert ((ordered >= -1e-9) & (ordered <= 1 + 1e-9)).all()


def test_spacing_is_even_in_inverse_or_in_log_depth():
    assert DepthScale(1, 4).position(np.array([1.6])) == pytest.approx([0.5])
    assert DepthScale(1, 4, "log").position(np.array([2.0])) == pytest.approx([0.5])


@pytest.mark.parametrize(("near", "far"), [(0.0, 1.0), (5.0, 5.0), (9.0, 2.0), (1.0, np.inf)])
def test_a_scale_needs_an_order(near, far):
    with pytest.raises(ValueError, match="0 < near < far"):
        DepthScale(near, far)


def test_a_scale_spans_depth_without_missing_and_wild_pixels():
    depth = np.concatenate([np.linspace(5, 20, 1000), np.zeros(500), [1e6, np.inf]])[None]
    scale = DepthScale.spanning(depth)
    assert 5 < scale.near < 6
    assert 19 < scale.far < 20
    with pytest.raises(ValueError, match="only missing"):
        DepthScale.spanning(np.zeros((2, 2)))
    assert DepthScale.spanning(np.full((2, 2), 3.0)).near == 3


@given(st.floats(0.05, 20), st.floats(1.5, 100), st.sampled_from(["inverse", "log"]))
def test_ticks_lie_inside_and_apart(near, factor, spacing):
    scale = DepthScale(near, near * factor, spacing)
    ticks = scale.ticks()
    assert all(scale.near <= tick <= scale.far for tick in ticks)
    positions = scale.position(np.array(ticks, dtype=np.float64))
    assert (np.diff(-positions) >= 0.09 - 1e-9).all()


def test_depth_is_bright_where_near_and_grey_where_missing():
    depth = np.array([[2.0, 10.0, 40.0, 0.0, np.nan]])
    picture = colour_depth(depth, DepthScale(2, 40))
    light = lightness(picture[0, :3])
    assert light[0] > light[1] > light[2]
    assert (picture[0, 3:] == MISSING).all()
    assert (colour_depth(np.zeros((2, 3))) == MISSING).all()


def test_a_fixed_scale_gives_one_depth_one_colour_in_every_frame():
    scale = DepthScale(1, 80)
    first, second = np.array([[10.0, 2.0]]), np.array([[10.0, 70.0]])
    assert (colour_depth(first, scale)[0, 0] == colour_depth(second, scale)[0, 0]).all()
    assert (colour_depth(first)[0, 0] != colour_depth(second)[0, 0]).any()


def test_signed_colours_are_blue_white_red():
    colours = signed_colours().astype(int)
    assert colours[0, 2] - colours[0, 0] > 100
    assert colours[-1, 0] - colours[-1, 2] > 100
    assert colours[len(colours) // 2].min() > 240


def test_error_colours_sign_and_missing():
    error = np.array([[-9.0, -0.1, 0.0, 0.1, np.nan]])
    known = np.array([[True, True, True, True, False]])
    picture = colour_error(error, known, limit=0.2).astype(int)[0]
    assert picture[0].tolist() == [33, 102, 172]  # beyond the limit: the end of the palette
    assert picture[1, 2] > picture[1, 0]
    assert picture[2].min() > 240
    assert picture[3, 0] > picture[3, 2]
    assert tuple(picture[4]) == MISSING


def test_photometric_errors_are_dark_where_small_and_end_at_a_half():
    colours = palette_colours()
    error = np.array([[0.0, 0.25, 0.5, 0.9, np.nan]], np.float32)
    picture = colour_photometric_error(error, ~np.isnan(error))[0]
    assert (picture[[0, 2, 3]] == colours[[0, -1, -1]]).all()
    assert picture[1].tolist() in (colours[127].tolist(), colours[128].tolist())
    assert tuple(picture[4]) == MISSING
    assert (colour_photometric_error(error[:, :4])[0] == picture[:4]).all()


def test_a_dimmed_picture_is_grey_and_dark():
    picture = np.zeros((1, 1, 3), dtype=np.uint8)
    picture[..., 1] = 200
    assert len(set(dimmed(picture)[0, 0].tolist())) == 1
    assert 0 < dimmed(picture)[0, 0, 0] < 60


@given(
    arrays(np.float64, (7, 9), elements=st.floats(1, 9)),
    arrays(np.bool_, (7, 9), elements=st.booleans()),
)
def test_points_spread_to_the_nearest_one(values, known):
    radius = 1.5
    spread, covered = spread_points(np.where(known, values, 0), known, radius)
    points = np.argwhere(known)
    for y, x in np.ndindex(values.shape):
        distances = np.hypot(points[:, 0] - y, points[:, 1] - x)
        near = bool(len(points)) and distances.min() <= radius
        assert covered[y, x] == near
        if near:
            nearest = points[np.isclose(distances, distances.min())]
            assert spread[y, x] in values[nearest[:, 0], nearest[:, 1]]
        else:
            assert spread[y, x] == 0


def test_a_montage_holds_every_picture_under_its_caption():
    red = np.zeros((20, 40, 3), dtype=np.uint8)
    red[..., 0] = 255
    tall = np.full((80, 40, 3), (0, 0, 255), dtype=np.uint8)
    sheet = montage([red, tall, red], ["one", "two", "three"], columns=2, width=40)
    assert sheet.shape == (26 + 80 + 26 + 20, 80, 3)
    assert (sheet[26:46, :40] == (255, 0, 0)).all()
    assert (sheet[26:106, 40:] == (0, 0, 255)).all()
    assert (sheet[132:, :40] == (255, 0, 0)).all()
    assert (sheet[106:, 40:] == 0).all()
    assert sheet[:26, :40].max() > 200  # the caption is drawn
    with pytest.raises(ValueError, match="a caption for each"):
        montage([red], [], columns=1)
