"""Speeds, tracks and trajectories against the motion that they were written from."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.odometry import LONGEST_GAP, read_path

TIMES = np.arange(20) / 10


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def gpx(points: list[tuple[float, float, float]]) -> str:
    rows = [
        f'<trkpt lat="{lat}" lon="{lon}"><ele>3</ele>'
        f"<time>{datetime.fromtimestamp(t, UTC).isoformat()}</time></trkpt>"
        for t, lat, lon in points
    ]
    space = "http://www.topografix.com/GPX/1/1"
    return f'<gpx xmlns="{space}"><trk><trkseg>{"".join(rows)}</trkseg></trk></gpx>'


@given(st.floats(0, 30), st.floats(-3, 3))
def test_speeds_become_the_way_of_a_steady_acceleration(
    tmp_path_factory: pytest.TempPathFactory, start: float, gain: float
) -> None:
    at = np.arange(0, 3, 0.05)
    speeds = np.abs(start + gain * at) if start + 3 * gain >= 0 else np.full_like(at, start)
    lines = "".join(f"{t},{v}\n" for t, v in zip(at, speeds, strict=True))
    path = write(tmp_path_factory.mktemp("speeds"), "speed.csv", "time,m/s\n" + lines)
    places = read_path(path, "speed", TIMES, len(TIMES))
    for first, second in ((0, 19), (7, 3), (5, 5)):
        between = np.linspace(TIMES[first], TIMES[second], 2001)
        expected = abs(np.trapezoid(np.interp(between, at, speeds), between))
        assert places.distance(first, second) == pytest.approx(expected, abs=1e-3)


def test_reversing_is_travelling_too(tmp_path: Path) -> None:
    path = write(tmp_path, "speed.csv", "0 , -2\n5, -2\n")
    with pytest.raises(ValueError, match="clock"):
        read_path(path, "speed", TIMES + 100, len(TIMES))
    places = read_path(write(tmp_path, "s.csv", "0,-2\n1,-2\n2,-2\n"), "speed", TIMES, 20)
    assert places.distance(0, 10) == pytest.approx(2.0)


def test_gaps_and_ends_are_unknown(tmp_path: Path) -> None:
    """Nothing is known before, after and across a gap, though both of its ends are."""
    times = np.array([0.0, 1.0, 2.5, 1.5 + LONGEST_GAP + 0.1, 4.5, 6.0])
    text = f"0.5,10\n1.5,10\n{times[3]},10\n5,10\n"
    path = read_path(write(tmp_path, "speed.csv", text), "speed", times, len(times))
    assert (path.stretch < 0).tolist() == [True, False, True, False, False, True]
    assert math.isnan(path.distance(0, 1))
    assert math.isnan(path.distance(1, 4))
    assert path.distance(3, 4) == pytest.approx(10 * (4.5 - times[3]))
    assert path.steps().tolist() == pytest.approx([10 * (4.5 - times[3])])


def test_two_points_in_one_second(tmp_path: Path) -> None:
    points = [(float(t), 50 + t / 11_000, 8.0) for t in (0, 1, 1, 2, 3)]
    path = read_path(write(tmp_path, "a.gpx", gpx(points)), "gpx", np.array([0.0, 3.0]), 2)
    assert path.distance(0, 1) == pytest.approx(3 * 111_195 / 11_000, rel=1e-3)


def test_a_track_north_and_east(tmp_path: Path) -> None:
    """A minute of arc along a meridian is a nautical mile, of 1852 m; along 60 degrees half."""
    start, mile = 1_700_000_000.0, 1 / 60 / 200
    points = [(start + i, 60 + i * mile, 5.0) for i in range(11)]
    points += [(start + 10 + i, 60 + 10 * mile, 5 + i * mile) for i in range(1, 11)]
    times = start + np.array([0.0, 10.0, 20.0])
    places = read_path(write(tmp_path, "a.gpx", gpx(points)), "gpx", times, 3)
    assert places.distance(0, 1) == pytest.approx(92.6, rel=0.005)
    assert places.distance(1, 2) == pytest.approx(46.3, rel=0.005)


def test_trajectories_of_both_kinds(tmp_path: Path) -> None:
    positions = np.stack([TIMES * 3, TIMES * 0, TIMES * 4], axis=1)
    tum = "# timestamp tx ty tz qx qy qz qw\n" + "".join(
        f"{t} {x} {y} {z} 0 0 0 1\n" for t, (x, y, z) in zip(TIMES, positions, strict=True)
    )
    kitti = "".join(f"1 0 0 {x} 0 1 0 {y} 0 0 1 {z}\n" for x, y, z in positions)
    by_time = read_path(write(tmp_path, "t.txt", tum), "trajectory", TIMES[:-1] + 0.05, 19)
    by_frame = read_path(write(tmp_path, "k.txt", kitti), "trajectory", None, 20)
    for places in (by_time, by_frame):
        assert places.distance(2, 12) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("speed", "0,120\n1,125\n", "looks like km/h; divide by 3.6"),
        ("speed", "time,km/h\n0,50\n1,50\n", "a column headed 'time, km/h'"),
        ("trajectory", "0 0 0 0 0 0 0 1\n1 900 0 0 0 0 0 1\n", "got 900 m/s between two places"),
        ("speed", "0,50\n1,50\n2,0\n3,0\n", "got mostly 50, which looks like km/h"),
        ("speed", "0,8\n0.5,60\n1,8\n", "got 8 and 60 within 0.5 s at 0 s; remove what jumps"),
        ("speed", "0,fast\n1,slow\n", "in seconds and m/s in line 1, got '0, fast'"),
        ("speed", "time,speed\n0,1\n1,\n2,1\n", "in line 3, got '1, '"),
        ("speed", "0,1\n1,nan\n2,1\n", "in line 2"),
        ("speed", "0,48.1,8\n1,48.1,8\n", "two columns, .* got 3 columns without one"),
        ("speed", "time,latitude,altitude\n0,48,8\n", "got time, latitude, altitude; name them"),
        ("speed", "0,1\n0.85,1\n", "but 11 of 20 frames lie outside"),
        ("trajectory", "0 nan 0 0 0 0 0 1\n1 1 0 0 0 0 0 1\n", "expected lines 'timestamp x y z"),
        ("speed", "", "lines 'timestamp, speed'"),
        ("speed", "0,1\n0,1\n3,1\n", "rising times"),
        ("speed", "1700000000,1\n1700000001,1\n", "on the clock of the frames, got 1700000000"),
        ("gpx", "<gpx", "expected a GPX track"),
        ("gpx", gpx([(0, 1, 1)]), "two points and more, got 1"),
        ("gpx", gpx([(0, 1, 1), (1, 2, 1)]), "remove those that jump"),
        ("trajectory", "1 2 3\n", "got 3 numbers a line"),
        ("trajectory", "1 0 0 0 0 1 0 0 0 0 1 0\n", "a pose for each of 20 frames, got 1"),
        ("trajectory", "a b\n", "expected lines 'timestamp x y z qx qy qz qw'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, kind: str, text: str, says: str) -> None:
    path = write(tmp_path, "record", text)
    with pytest.raises(ValueError, match=says) as caught:
        read_path(path, kind, TIMES, 20)  # type: ignore[arg-type]
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_header_names_the_columns(tmp_path: Path) -> None:
    text = "speed [m/s],latitude,timestamp\n4,48.1,0\n4,48.1,1\n4,48.1,2\n"
    path = read_path(write(tmp_path, "speed.csv", text), "speed", TIMES, 20)
    assert path.distance(0, 10) == pytest.approx(4 * (TIMES[10] - TIMES[0]))


def test_poses_in_millimetres_are_no_way_of_a_vehicle(tmp_path: Path) -> None:
    """Without times a step of many metres tells it."""
    lines = [f"1 0 0 {800 * i} 0 1 0 0 0 0 1 0\n" for i in range(20)]
    with pytest.raises(ValueError, match="expected a vehicle's way in metres"):
        read_path(write(tmp_path, "poses.txt", "".join(lines)), "trajectory", None, 20)


def test_what_is_no_text_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "speed.csv").write_bytes(b"\xff\xfe0\x00,\x001\x00")
    for kind in ("speed", "gpx", "trajectory"):
        with pytest.raises(ValueError, match=r"speed.csv: expected"):
            read_path(tmp_path / "speed.csv", kind, TIMES, 20)  # type: ignore[arg-type]


def test_frames_without_times_and_files_that_are_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, "speed.csv", "0,1\n1,1\n")
    with pytest.raises(ValueError, match="'timestamps' or 'fps'"):
        read_path(path, "speed", None, 20)
    with pytest.raises(FileNotFoundError, match="the gpx that the camera file names"):
        read_path(tmp_path / "none.gpx", "gpx", TIMES, 20)
