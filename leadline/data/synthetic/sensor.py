"""From light to numbers: exposure, vignetting, the display curve, and noise."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from leadline.data.synthetic.trajectory import Swing

GAMMA = 2.2
MIDDLE_GREY = 0.32
"""Display-linear value to which the exposure brings the mean of a drive's first picture."""
STEREO_GAIN = 0.05
"""Largest difference of exposure between the two cameras, as a share."""
DRIFT = 0.06
DRIFT_PERIOD = (6.0, 20.0)
"""Seconds of a swing of exposure, as clouds and shade make it."""
HUNTING_PERIOD = (1.0, 2.0)
"""Seconds of a swing of an automatic exposure that corrects too much and too late."""
VIGNETTE = (0.05, 0.18)
"""Share of light lost in the corners."""
READ_NOISE = 0.006
SHOT_NOISE = 0.010
"""Standard deviations on the display scale [0, 1], in the dark and at full white."""
SHOULDER = 0.8
"""Value from which highlights are compressed instead of clipped."""


@dataclass(frozen=True)
class Sensor:
    """One camera's response during one drive."""

    gain: float
    drift: Swing
    vignette: float
    noisy: bool

    def develop(
        self,
        light: Float[np.ndarray, "h w 3"],
        time: float,
        random: np.random.Generator,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The picture as an 8-bit file holds it."""
        exposed = light * self.gain * (1 + self.drift.at(time)) * self._falloff(light.shape)
        high = np.maximum(exposed - SHOULDER, 0)
        soft = np.minimum(exposed, SHOULDER) + (1 - SHOULDER) * (1 - np.exp(-high / (1 - SHOULDER)))
        shown = soft ** (1 / GAMMA)
        if self.noisy:
            deviation = np.sqrt(READ_NOISE**2 + SHOT_NOISE**2 * shown)
            shown = shown + deviation * random.standard_normal(shown.shape, np.float32)
        levels: UInt8[np.ndarray, "h w 3"] = np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)
        return levels

    def _falloff(self, shape: tuple[int, ...]) -> Float[np.ndarray, "h w 1"]:
        height, width = shape[:2]
        x = np.linspace(-1, 1, width)[None, :, None]
        y = np.linspace(-1, 1, height)[:, None, None]
        share: Float[np.ndarray, "h w 1"] = 1 - self.vignette * (x**2 + y**2) / 2
        return share


def make_sensors(
    gain: float, perfect: bool, random: np.random.Generator, hunting: float | None = None
) -> tuple[Sensor, Sensor]:
    """The left and the right camera; alike and without flaws if `perfect`.

    Their exposure drifts slowly by `DRIFT`, or hunts by so large a share as `hunting` says.
    """
    difference = random.uniform(-STEREO_GAIN, STEREO_GAIN)
    periods = DRIFT_PERIOD if hunting is None else HUNTING_PERIOD
    period, phase = random.uniform(*periods), random.uniform(0, 2 * np.pi)
    vignette = random.uniform(*VIGNETTE)
    if perfect:
        ideal = Sensor(gain, Swing(0.0, 1.0, 0.0), 0.0, False)
        return ideal, ideal
    drift = Swing(DRIFT if hunting is None else hunting, period, phase)
    return (
        Sensor(gain * (1 - difference / 2), drift, vignette, True),
        Sensor(gain * (1 + difference / 2), drift, vignette, True),
    )


def exposure_for(light: Float[np.ndarray, "h w 3"]) -> float:
    """The gain that brings a picture's mean to a middle grey."""
    return MIDDLE_GREY / max(float(np.mean(light)), 1e-3)
