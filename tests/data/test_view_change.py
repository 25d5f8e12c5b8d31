"""How a camera turned is seen in its pictures, and parallax is what the turn leaves."""

import numpy as np
import pytest
from data.rooms import CAMERA, SIZE, motion, pose_at, view
from scipy.spatial.transform import Rotation

from leadline.data.view_change import Points, ViewChange, points_of, view_change

NOISE = 2.0


def change(
    first: np.ndarray,
    second: np.ndarray,
    cameras: tuple[np.ndarray, np.ndarray] = (CAMERA, CAMERA),
    turn: np.ndarray | None = None,
) -> ViewChange | None:
    points = []
    for seed, (pose, camera) in enumerate(zip((first, second), cameras, strict=True)):
        noise = np.random.default_rng(seed).normal(scale=NOISE, size=SIZE)
        picture = view(pose, camera)[0] + noise
        points.append(points_of(np.clip(picture, 0, 255).astype(np.uint8)))
    return view_change(*points, cameras, turn)


def degrees(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(first.T @ second).magnitude()))


def true_parallax(first: np.ndarray, second: np.ndarray) -> float:
    """The median over all pixels that the second camera sees as well."""
    depth = view(first)[1]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    pixels = np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1)
    moved = motion(first, second)
    points = np.linalg.inv(CAMERA) @ pixels * depth.ravel()
    there = CAMERA @ (moved[:3, :3] @ points + moved[:3, 3:])
    back = CAMERA @ (points + moved[:3, :3].T @ moved[:3, 3:])
    u, v = there[:2] / there[2]
    seen = (u >= 0) & (u < SIZE[1]) & (v >= 0) & (v < SIZE[0])
    return float(np.median(np.linalg.norm(back[:2] / back[2] - pixels[:2], axis=0)[seen]))


@pytest.mark.parametrize("turn", [(0, 0, 0), (2, -5, 3), (-4, 8, -10)])
@pytest.mark.parametrize("place", [(0.2, 0, 0), (0.05, 0.1, 0), (0.1, 0, 0.3)])
def test_turn_and_parallax_are_measured(
    turn: tuple[float, float, float], place: tuple[float, float, float]
) -> None:
    first, second = pose_at([-0.4, 0, 0]), pose_at(np.add([-0.4, 0, 0], place), turn)
    found = change(first, second)
    assert found is not None
    assert degrees(found.turn, motion(first, second)[:3, :3]) < 0.6
    assert found.parallax == pytest.approx(true_parallax(first, second), rel=0.2, abs=0.3)


@pytest.mark.parametrize("angle", [0, 2, 6, 12])
def test_a_turn_on_the_spot_has_no_parallax(angle: float) -> None:
    """Nothing then tells the way travelled, nor which of the two turns is the other's twin."""
    first, second = pose_at([0.3, 0, 0.5]), pose_at([0.3, 0, 0.5], [angle / 3, angle, angle / 2])
    found = change(first, second)
    assert found is not None
    assert found.parallax < 0.5
    assert degrees(found.turn, motion(first, second)[:3, :3]) < 0.2


def test_cameras_may_differ() -> None:
    other = np.array([[170.0, 0, 70], [0, 165, 66], [0, 0, 1]])
    first, second = pose_at([0, 0, 0], [0, 10, 0]), pose_at([0.2, 0.1, 0], [2, 14, -3])
    found = change(first, second, (CAMERA, other))
    assert found is not None
    assert degrees(found.turn, motion(first, second)[:3, :3]) < 0.6


def test_a_turn_that_is_known_is_kept() -> None:
    first, second = pose_at([0, 0, 0], [0, 10, 0]), pose_at([0.2, 0.1, 0], [2, 14, -3])
    turn = motion(first, second)[:3, :3]
    found = change(first, second, turn=turn)
    assert found is not None
    assert found.turn is turn
    assert found.parallax == pytest.approx(true_parallax(first, second), rel=0.1)


def test_the_same_is_found_each_time() -> None:
    first, second = pose_at([0, 0, 0], [0, 10, 0]), pose_at([0.2, 0.1, 0], [2, 14, -3])
    one, other = change(first, second), change(first, second)
    assert one is not None
    assert other is not None
    assert one.parallax == other.parallax
    np.testing.assert_array_equal(one.turn, other.turn)


def test_pictures_with_nothing_in_common_tell_nothing() -> None:
    assert change(pose_at([0, 0, 0]), pose_at([0, 0, 0], [0, 180, 0])) is None
    black = points_of(np.zeros(SIZE, np.uint8))
    assert len(black.pixels) == 0
    assert view_change(black, black, (CAMERA, CAMERA)) is None


def test_of_two_turns_the_smaller_is_taken() -> None:
    """Matches in a narrow strip beside the middle move little by half a turn about the way."""
    random = np.random.default_rng(0)
    depth = random.uniform(0.8, 2.0, 200)
    pixels = np.stack([random.uniform(66, 78, 200), random.uniform(5, 115, 200)], axis=1)
    rays = np.c_[pixels, np.ones(200)] @ np.linalg.inv(CAMERA).T
    moved = (rays * depth[:, None] + [0.16, 0, 0]) @ CAMERA.T
    descriptors = random.normal(size=(200, 128)).astype(np.float32)
    found = view_change(
        Points(pixels, descriptors),
        Points(moved[:, :2] / moved[:, 2:], descriptors),
        (CAMERA, CAMERA),
    )
    assert found is not None
    assert degrees(found.turn, np.eye(3)) < 5


def test_only_matches_that_agree_tell_the_parallax() -> None:
    """A turn on the spot, seen by fewer than half of the matches."""
    random = np.random.default_rng(1)
    pixels = random.uniform((5, 5), (155, 115), (140, 2))
    turn = pose_at([0, 0, 0], [1, 4, 2])[:3, :3].T @ pose_at([0, 0, 0])[:3, :3]
    moved = np.c_[pixels, np.ones(140)] @ (CAMERA @ turn @ np.linalg.inv(CAMERA)).T
    there = moved[:, :2] / moved[:, 2:]
    there[60:] = random.uniform((5, 5), (155, 115), (80, 2))
    descriptors = random.normal(size=(140, 128)).astype(np.float32)
    found = view_change(Points(pixels, descriptors), Points(there, descriptors), (CAMERA, CAMERA))
    assert found is not None
    assert degrees(found.turn, turn) < 0.5
    assert found.parallax < 1
