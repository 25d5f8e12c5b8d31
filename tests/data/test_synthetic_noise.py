import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.synthetic.noise import Noise, band, doublings, stripes


def covered(x: float, footprint: float, inside) -> float:
    """Share of [x - f/2, x + f/2] for which `inside` holds, by brute force."""
    points = x + footprint * ((np.arange(20_000) + 0.5) / 20_000 - 0.5)
    return float(np.mean(inside(points)))


@given(st.floats(-20, 20), st.floats(0.2, 3), st.floats(0.05, 0.95), st.floats(0.01, 10))
def test_stripes_are_the_mean_over_the_footprint(
    x: float, period: float, share: float, footprint: float
) -> None:
    width = share * period
    expected = covered(x, footprint, lambda p: p - np.floor(p / period) * period < width)
    found = stripes(np.array([x]), period, width, np.array([footprint]))
    assert found[0] == pytest.approx(expected, abs=2e-3)


@given(st.floats(-3, 3), st.floats(-2, 1), st.floats(0.1, 2), st.floats(0.01, 5))
def test_a_band_is_the_mean_over_the_footprint(
    x: float, low: float, width: float, footprint: float
) -> None:
    high = low + width
    expected = covered(x, footprint, lambda p: (p >= low) & (p <= high))
    assert band(np.array([x]), low, high, np.array([footprint]))[0] == pytest.approx(
        expected, abs=2e-3
    )


def test_noise_is_smooth_and_takes_the_random_values_at_the_corners() -> None:
    noise = Noise(np.random.default_rng(0))
    corners = np.arange(-5.0, 5.0)
    whole = corners.astype(np.int64)
    assert np.allclose(noise.value(corners, corners), noise.cell(whole, whole))
    u = np.linspace(-3, 3, 6001)
    steps = np.abs(np.diff(noise.value(u, 0.3 * u)))
    # The steepest slope of a value noise between -1 and 1 is 3 per axis.
    assert steps.max() < 2 * 3 * 1.3 * (u[1] - u[0])


def test_what_is_finer_than_the_footprint_fades_away() -> None:
    noise = Noise(np.random.default_rng(0))
    u = np.linspace(0, 50, 2000)
    waves = doublings(0.1, 1.6)

    def contrast(footprint: float) -> float:
        return float(noise.octaves(u, 2 * u, np.full(len(u), footprint), waves).std())

    contrasts = [contrast(footprint) for footprint in (0.01, 0.1, 0.4, 1.0, 1.6)]
    assert contrasts == sorted(contrasts, reverse=True)
    assert contrasts[0] > 0.3
    assert contrasts[-1] == 0
