"""Worlds that look otherwise: surfaces nearly without texture, cameras whose exposure hunts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import leadline

from leadline.data.synthetic import Kind, WorldSettings
from leadline.data.synthetic.drive import Drive, Frame, make_drive
from leadline.data.synthetic.noise import Noise
from leadline.data.synthetic.painting import PLAIN_TEXTURE, Spots
from leadline.data.synthetic.render import PAINTERS
from leadline.data.synthetic.scenery import Material
from leadline.data.synthetic.sensor import make_sensors
from leadline.data.synthetic.trajectory import Swing

SETTINGS = WorldSettings(
    drives=2, frames=11, size=(256, 80), seed=0, supersampling=1, perfect_sensor=True
)
HUNTING = replace(SETTINGS, perfect_sensor=False, exposure_drift=0.35)
CHANGED = {Material.PAVING, Material.KERB, Material.FACADE, Material.WALL, Material.ROOF}


def last_drive(settings: WorldSettings) -> Drive:
    return make_drive(settings, settings.plans()[-1])


@pytest.fixture(scope="module")
def usual() -> Frame:
    return last_drive(SETTINGS).frame(5)


@pytest.fixture(scope="module")
def plain() -> Frame:
    return last_drive(replace(SETTINGS, plain=True)).frame(5)


def gradients(frame: Frame, kind: Kind) -> np.ndarray:
    """Grey levels from pixel to pixel, where both show that kind."""
    grey = frame.pictures[0].astype(np.float64).mean(-1)
    shown = frame.views[0].kind == kind
    right = np.abs(np.diff(grey, axis=1))[shown[:, 1:] & shown[:, :-1]]
    down = np.abs(np.diff(grey, axis=0))[shown[1:] & shown[:-1]]
    return np.concatenate([right, down])


def test_a_plain_world_is_even_where_people_build(usual: Frame, plain: Frame) -> None:
    for kind, share in ((Kind.ROAD, 0.25), (Kind.PAVEMENT, 0.35), (Kind.BUILDING, 0.6)):
        before, after = (np.median(gradients(frame, kind)) for frame in (usual, plain))
        assert before > 1
        assert after < share * before, kind


def test_a_plain_world_stands_where_the_usual_one_does(usual: Frame, plain: Frame) -> None:
    for before, after in zip(usual.views, plain.views, strict=True):
        assert np.array_equal(before.depth, after.depth)
        assert np.array_equal(before.kind, after.kind)
        assert np.array_equal(before.instance, after.instance)
    assert usual.points is not None
    assert np.array_equal(usual.points, plain.points)


def test_what_is_not_built_looks_the_same_in_a_plain_world(usual: Frame, plain: Frame) -> None:
    before, after = usual.views[0], plain.views[0]
    kept = np.isin(before.kind, [Kind.SKY, Kind.VEHICLE, Kind.MOVING_VEHICLE, Kind.FOLIAGE])
    assert 0.2 < kept.mean() < 0.9
    assert np.array_equal(before.light[kept], after.light[kept])
    # Markings are as bright as ever.
    road = before.kind == Kind.ROAD
    brightest = [np.quantile(view.light[road].mean(-1), 0.995) for view in (before, after)]
    assert brightest[1] == pytest.approx(brightest[0], rel=0.15)
    assert brightest[1] > 1.5 * np.median(after.light[road].mean(-1))


def test_only_what_is_built_has_plain_paint() -> None:
    random = np.random.default_rng(5)
    count = 2000
    spots = Spots(
        u=random.uniform(-20, 20, count),
        v=random.uniform(0, 9, count),
        footprint=random.uniform(0.002, 0.3, count),
        colour=np.full((count, 3), 0.4, np.float32),
        accent=np.full((count, 3), 0.7, np.float32),
        numbers=np.tile([0.07, 0.24, 1.2, 1.4, 0.07, 8.0], (count, 1)),
    )
    plain = replace(spots, texture=PLAIN_TEXTURE)
    for material, painter in PAINTERS.items():
        before, after = (painter(each, Noise(np.random.default_rng(0))) for each in (spots, plain))
        assert np.array_equal(before, after) == (material not in CHANGED), material
        if material in CHANGED - {Material.FACADE}:  # whose windows stay
            assert after.std() < 0.15 * before.std()
            assert after.mean() == pytest.approx(0.4, rel=0.03)


@pytest.mark.parametrize(
    ("material", "mean", "deviation"),
    [
        (Material.PAVING, 0.350586, 0.163484),
        (Material.KERB, 0.354718, 0.157091),
        (Material.FACADE, 0.300367, 0.143636),
        (Material.WALL, 0.337289, 0.150358),
        (Material.ROOF, 0.315739, 0.164360),
    ],
)
def test_the_usual_paint_is_what_it_was_before_there_was_a_plain_one(
    material: Material, mean: float, deviation: float
) -> None:
    random = np.random.default_rng(5)
    count = 4000
    spots = Spots(
        u=random.uniform(-20, 20, count),
        v=random.uniform(0, 9, count),
        footprint=random.uniform(0.002, 0.3, count),
        colour=random.uniform(0.1, 0.6, (count, 3)).astype(np.float32),
        accent=random.uniform(0.1, 0.6, (count, 3)).astype(np.float32),
        numbers=np.tile([3.0, 2.5, 1.2, 1.4, 0.07, 8.0], (count, 1)),
    )
    colours = PAINTERS[material](spots, Noise(np.random.default_rng(0)))
    assert float(colours.mean()) == pytest.approx(mean, abs=2e-6)
    assert float(colours.std()) == pytest.approx(deviation, abs=2e-6)


def test_the_usual_exposure_is_what_it_was_before_one_could_hunt() -> None:
    left, right = make_sensors(2.0, False, np.random.default_rng(3))
    random = np.random.default_rng(3)
    difference = random.uniform(-0.05, 0.05)
    drift = Swing(0.06, random.uniform(6.0, 20.0), random.uniform(0, 2 * np.pi))
    assert left.drift == right.drift == drift
    assert (left.gain, right.gain) == (2 * (1 - difference / 2), 2 * (1 + difference / 2))
    assert left.vignette == random.uniform(0.05, 0.18)


def test_a_hunting_exposure_changes_by_tens_of_per_cent_within_a_second() -> None:
    for seed in range(20):
        usual, _ = make_sensors(2.0, False, np.random.default_rng(seed))
        left, right = make_sensors(2.0, False, np.random.default_rng(seed), 0.35)
        assert left.drift == right.drift
        assert 1 <= left.drift.period <= 2
        assert (left.gain, left.vignette) == (usual.gain, usual.vignette)
        flat = replace(left, noisy=False, vignette=0.0)
        levels = np.array(
            [
                flat.develop(np.full((2, 2, 3), 0.1), time, np.random.default_rng(0))[0, 0, 0]
                for time in np.arange(0, 1.01, 0.1)
            ]
        )
        light = (levels / 255) ** 2.2
        asked = [0.1 * left.gain * (1 + left.drift.at(time)) for time in np.arange(0, 1.01, 0.1)]
        assert light == pytest.approx(np.array(asked), rel=0.02)
        assert light.max() / light.min() > 1.4
        still, _ = make_sensors(2.0, False, np.random.default_rng(seed), 0.0)
        assert still.drift.at(0.3) == 0


def test_a_hunting_exposure_changes_nothing_but_exposure() -> None:
    usual, hunting = (
        last_drive(replace(HUNTING, exposure_drift=drift, velodyne=False)) for drift in (None, 0.35)
    )
    brightness = []
    for number in (0, 4, 8):
        before, after = usual.frame(number), hunting.frame(number)
        for one, other in zip(before.views, after.views, strict=True):
            assert np.array_equal(one.light, other.light)
            assert np.array_equal(one.depth, other.depth)
            assert np.array_equal(one.kind, other.kind)
            assert np.array_equal(one.instance, other.instance)
        means = [frame.pictures[0].mean() for frame in (before, after)]
        brightness.append(means[1] / means[0])
    assert max(brightness) / min(brightness) > 1.1


def test_both_are_asked_for_on_the_command_line(tmp_path: Path) -> None:
    small = ("--drives", 2, "--frames", 2, "--width", 64, "--height", 24)
    answer = leadline("synthetic", tmp_path, *small, "--plain", "--exposure-drift", 0.35)
    assert answer.code == 0, answer.err
    settings = json.loads((tmp_path / "world.json").read_text())["settings"]
    assert settings["plain"] is True
    assert settings["exposure_drift"] == 0.35
    refused = leadline("synthetic", tmp_path, *small)
    assert "plain True there, False here; exposure_drift 0.35 there, None" in refused.complaint
