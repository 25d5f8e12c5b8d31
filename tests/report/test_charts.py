import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.report.charts import BarChart, Histogram

values = st.lists(st.floats(-5, 1e3), min_size=1, max_size=40)
BARS = re.compile(
    r'<rect class="bar" x="([-\d.]+)" width="([-\d.]+)" y="([-\d.]+)" height="([-\d.]+)"'
)
LEVELS = re.compile(r'<line class="(?:level|zero)"[^>]* y1="([-\d.]+)".*?>([-\d.e]+)</text>')
HEIGHT, WIDTH = 250, 760


def bars(html):
    return [tuple(float(number) for number in match) for match in BARS.findall(html)]


def level_scale(html):
    """Value per pixel of height, and the height of zero, read off the grid lines."""
    (y0, v0), *_, (y1, v1) = [(float(y), float(v)) for y, v in LEVELS.findall(html)]
    per_pixel = (v1 - v0) / (y1 - y0)
    return per_pixel, y0 - v0 / per_pixel


@given(values)
def test_a_histogram_counts_every_value_inside_its_frame(numbers):
    html = Histogram(numbers, "label", {"mean": float(np.mean(numbers))}).html()
    per_pixel, _ = level_scale(html)
    counted = sum(-per_pixel * height for _, _, _, height in bars(html))
    assert counted == pytest.approx(len(numbers), abs=0.1 * len(numbers) + 0.1)
    for x, width, y, height in bars(html):
        assert 0 <= x < x + width <= WIDTH
        assert 0 <= y <= y + height <= HEIGHT


@given(st.lists(st.floats(0.001, 50), min_size=1, max_size=14))
def test_bars_are_as_tall_as_their_values(numbers):
    labels = [str(number) for number in range(len(numbers))]
    html = BarChart(labels, numbers, "label").html()
    per_pixel, zero = level_scale(html)
    for number, (_, _, y, height) in zip(numbers, bars(html), strict=True):
        assert -per_pixel * height == pytest.approx(number, abs=0.06 * -per_pixel * 2)
        assert y + height == pytest.approx(zero, abs=0.11)


def test_dots_below_zero_hang_below_the_zero_line():
    html = BarChart(["a", "b"], [0.3, 0.2], "label", dots=[0.1, -0.2], dots_label="sign").html()
    _, zero = level_scale(html)
    heights = [float(y) for y in re.findall(r'<circle class="dot" cx="[\d.]+" cy="([\d.]+)"', html)]
    assert heights[0] < zero < heights[1]
    assert "sign" in html


def test_nothing_to_draw_draws_nothing():
    assert Histogram([], "label").html() == BarChart([], [], "label").html() == ""


def test_equal_values_have_a_frame():
    assert len(bars(Histogram([0.0, 0.0], "label").html())) == 1
