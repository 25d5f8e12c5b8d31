from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leadline.data.synthetic import Role, WorldSettings
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.seeds import Purpose, stream
from leadline.data.synthetic.settings import SILENT_SETTINGS
from leadline.data.synthetic.trajectory import Halt


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("drives", 1, r"drives: expected 2 to \d+ .*got 1"),
        ("frames", 1, "frames: expected 2 to 5000 per drive, got 1"),
        ("size", (32, 96), "size: .*from 64x24 to 4096x4096, got 32x96"),
        ("size", (5000, 96), "got 5000x96"),
        ("seed", -1, "seed: expected 0 or more, got -1"),
        ("baseline", 0.0, "baseline: expected 0.005 to 2.0 metres, got 0.0"),
        ("baseline", 3.0, "baseline: .*got 3.0"),
        ("supersampling", 0, "supersampling: expected 1 to 8 .*got 0"),
        ("image_format", "tiff", "image_format: expected png or jpg, got 'tiff'"),
        ("standing_frames", 1, "standing_frames: expected 0 .*from 2 on .*got 1"),
        ("standing_frames", 15, "standing_frames: .*fit into 20 frames, got 15"),
        ("exposure_drift", -0.1, "exposure_drift: expected a share from 0 .*to 0.9, got -0.1"),
        ("exposure_drift", 35.0, "exposure_drift: .*got 35"),
        ("exposure_drift", float("nan"), "exposure_drift: .*got nan"),
    ],
)
def test_an_impossible_setting_is_named_with_its_range(
    name: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        WorldSettings(**{name: value})  # type: ignore[arg-type]


def test_a_perfect_sensor_has_no_exposure_that_hunts() -> None:
    with pytest.raises(ValueError, match="expected none of a perfect sensor, got"):
        WorldSettings(perfect_sensor=True, exposure_drift=0.35)
    assert WorldSettings(perfect_sensor=True, exposure_drift=0.0).exposure_drift == 0


@pytest.mark.parametrize("drives", [2, 3, 4, 5, 6, 40])
def test_every_role_has_drives_and_training_shares_none(drives: int) -> None:
    plans = WorldSettings(drives=drives).plans()
    by_role = {role: {plan.path for plan in plans if role in plan.roles} for role in Role}
    assert all(by_role.values())
    assert not by_role[Role.TRAIN] & (by_role[Role.VALIDATION] | by_role[Role.TEST])
    assert by_role[Role.TEST] == {plans[-1].path}
    assert len({plan.path for plan in plans}) == drives


def test_held_out_styles_occur_in_training() -> None:
    plans = WorldSettings(drives=6).plans()
    train = {plan.style for plan in plans if Role.TRAIN in plan.roles}
    assert {plan.style for plan in plans if Role.TRAIN not in plan.roles} <= train


def test_some_drives_have_a_vehicle_at_our_speed_and_some_do_not() -> None:
    assert {plan.lead_vehicle for plan in WorldSettings(drives=3).plans()} == {True, False}


def test_a_world_may_have_a_vehicle_at_our_speed_in_every_drive_and_stop_in_some() -> None:
    settings = WorldSettings(drives=14, frames=14, lead_in_every_drive=True, standing_frames=8)
    plans = settings.plans()
    assert all(plan.lead_vehicle for plan in plans)
    stopping = [plan for plan in plans if plan.standing is not None]
    assert len(stopping) == 6
    assert all(plan.roles == (Role.TRAIN,) and plan.standing == (3, 10) for plan in stopping)


def test_worlds_older_than_a_setting_are_still_described_as_they_were() -> None:
    described = WorldSettings().as_json()
    assert not SILENT_SETTINGS.keys() & described.keys()
    assert WorldSettings(standing_frames=4).as_json() == described | {"standing_frames": 4}
    looks = {"plain": True, "exposure_drift": 0.0}
    assert WorldSettings(plain=True, exposure_drift=0.0).as_json() == described | looks
    assert all(plan.standing is None for plan in WorldSettings(drives=8).plans())


def test_a_halt_stands_still_and_loses_no_time_at_its_ends() -> None:
    halt = Halt(0.5, 1.2)
    times = np.linspace(0, 2, 2001)
    driven = np.array([halt.driven(time) for time in times])
    rate = np.diff(driven) / np.diff(times)
    assert np.allclose(rate[times[1:] <= 0.3], 1)
    assert (driven[(times >= 0.5) & (times <= 1.2)] == halt.driven(0.5)).all()
    assert np.allclose(rate[times[:-1] >= 1.4], 1)
    assert np.abs(np.diff(rate)).max() < 0.01


def test_streams_differ_by_seed_purpose_and_counter() -> None:
    draws = [
        stream(1, Purpose.ROAD, 2).random(),
        stream(2, Purpose.ROAD, 2).random(),
        stream(1, Purpose.TERRAIN, 2).random(),
        stream(1, Purpose.ROAD, 3).random(),
        stream(1, Purpose.ROAD, 2, 0).random(),
    ]
    assert len(set(draws)) == len(draws)


def test_one_rig_for_all_dates(tmp_path: Path) -> None:
    """The roads stay what they are; only the cars become one."""
    assert [WorldSettings(drives=5).rig_of(k) for k in range(5)] == [0, 0, 1, 1, 2]
    same = WorldSettings(drives=3, frames=2, size=(64, 24), one_rig=True, velodyne=False)
    assert [same.rig_of(k) for k in range(3)] == [0, 0, 0]
    assert same.as_json()["one_rig"] is True
    assert "one_rig" not in WorldSettings().as_json()
    other = replace(same, one_rig=False)
    for settings, alike in ((same, True), (other, False)):
        root = tmp_path / str(alike)
        generate(root, settings, workers=1)
        cameras = [
            path.read_text().partition("\n")[2]  # the first line is the time
            for path in sorted(root.rglob("calib_cam_to_cam.txt"))
        ]
        assert (cameras[0] == cameras[1]) == alike
    # The first date's car is the same in both worlds, and so are its pictures.
    image = next((tmp_path / "True").rglob("image_02/data/*.png")).relative_to(tmp_path / "True")
    assert (tmp_path / "True" / image).read_bytes() == (tmp_path / "False" / image).read_bytes()
