from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from rigs import SIZE, moved, slope_pair, write_rig

from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.jobs import source_jobs
from leadline.hints.method import PUBLISHED_SIZE
from leadline.hints.pair import HintJob
from leadline.hints.rectification import RigCheck, check_rig

HEIGHT, WIDTH = SIZE


def checked(root: Path, size: tuple[int, int] = SIZE, pairs: int = 3) -> RigCheck:
    return check_rig(source_jobs(ImageFolder(root)).jobs, size, pairs)


@pytest.mark.parametrize(
    ("down", "degrees", "taller", "severity", "words"),
    [
        (0.0, 0.0, 0.0, "good", "the rig is rectified: rows agree to 0.0"),
        (0.3, 0.0, 0.0, "good", "the rig is rectified: rows agree to 0.3"),
        (1.0, 0.0, 0.0, "doubtful", "only roughly rectified: rows differ by 1.0 px"),
        (-5.0, 0.0, 0.0, "useless", "by 5.0 px (the right picture lies 5.0 px higher) at 320x160"),
        (0.0, 1.0, 0.0, "useless", "the right picture is turned 1.0"),
        (0.0, -0.5, 0.0, "doubtful", "degrees counter-clockwise"),
        (0.0, 0.0, 0.02, "doubtful", "the right picture is 2.0 % taller"),
        (20.0, 2.0, 0.0, "useless", "the right picture lies 19."),
    ],
)
def test_a_known_disturbance_is_measured_and_named(
    tmp_path: Path, down: float, degrees: float, taller: float, severity: str, words: str
) -> None:
    check = checked(write_rig(tmp_path, 3, moved(down, degrees, taller)))
    found = check.pooled
    assert found is not None
    # Places are between those of both pictures: a turn counts from there, half a disparity aside.
    aside = np.deg2rad(degrees) * 14 / 2
    assert found.offset == pytest.approx(down - aside, abs=0.1 + abs(0.02 * down))
    assert found.roll == pytest.approx(degrees, abs=0.03)
    assert found.stretch == pytest.approx(taller, abs=0.002 + 0.001 * abs(degrees))
    assert found.spread < 0.4
    assert found.wrong_side < 0.02
    assert check.verdict.severity == severity
    assert words in check.verdict.text
    assert len(check.pairs) == 3


def test_pixels_are_those_of_the_size_looked_at(tmp_path: Path) -> None:
    check = checked(write_rig(tmp_path, 3, moved(4, 1)), (HEIGHT // 2, WIDTH))
    assert check.pooled is not None
    assert check.pooled.offset == pytest.approx(2, abs=0.15)
    assert check.pooled.roll == pytest.approx(1, abs=0.05)


def test_swapped_sides_are_named_and_so_is_what_comes_with_them(tmp_path: Path) -> None:
    swapped = checked(write_rig(tmp_path / "swapped", swapped=True)).verdict
    assert (swapped.severity, swapped.kinds) == ("useless", ("swapped",))
    assert swapped.text.startswith("left and right look swapped: 100% of disparities are negative")
    assert "exchange the pictures of the two cameras" in swapped.text
    both = checked(write_rig(tmp_path / "both", change=moved(6), swapped=True)).verdict
    assert both.kinds == ("swapped", "misaligned")
    assert "the right picture lies 6.0 px higher" in both.text
    assert both.text.endswith(
        "exchange the pictures of the two cameras, then rectify the pairs by the rig's "
        "calibration (OpenCV: stereoRectify)"
    )


def test_cameras_that_look_towards_each_other(tmp_path: Path) -> None:
    def verge(picture: np.ndarray) -> np.ndarray:
        return np.roll(picture, 14, axis=1)

    verdict = checked(write_rig(tmp_path, change=verge)).verdict
    assert (verdict.severity, verdict.kinds) == ("doubtful", ("verging",))


def test_lens_distortion_left_in_is_irregular(tmp_path: Path) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)

    def wave(picture: np.ndarray) -> np.ndarray:
        return cv2.remap(picture, x, y + 4 * np.sin(x / 20), cv2.INTER_CUBIC)

    verdict = checked(write_rig(tmp_path, change=wave)).verdict
    assert (verdict.severity, verdict.kinds) == ("useless", ("misaligned", "irregular"))
    assert "and irregularly by" in verdict.text


def test_the_same_picture_twice(tmp_path: Path) -> None:
    write_rig(tmp_path)
    for left in (tmp_path / "left").iterdir():
        (tmp_path / "right" / left.name).write_bytes(left.read_bytes())
    verdict = checked(tmp_path).verdict
    assert (verdict.severity, verdict.kinds) == ("useless", ("same",))
    assert "left and right show the same picture: 100% of" in verdict.text


@pytest.mark.parametrize("noise", [0, 3])
def test_walls_without_texture_tell_nothing(tmp_path: Path, noise: int) -> None:
    rng = np.random.default_rng(0)
    write_rig(tmp_path)
    for path in tmp_path.rglob("*.png"):
        grey = np.clip(rng.normal(128, noise, (*SIZE, 3)), 0, 255)
        cv2.imwrite(str(path), grey.astype(np.uint8))
    check = checked(tmp_path)
    assert check.pooled is None
    assert check.verdict.severity == "unknown"
    assert "too few features match" in check.verdict.text


def test_pictures_of_different_places_tell_nothing(tmp_path: Path) -> None:
    write_rig(tmp_path)
    for number in range(4):
        cv2.imwrite(str(tmp_path / "right" / f"{number:06d}.png"), slope_pair(number + 50)[1])
    assert checked(tmp_path).verdict.severity == "unknown"


def test_a_few_odd_pairs_among_good_ones_are_named(tmp_path: Path) -> None:
    check = checked(write_rig(tmp_path, 6, odd=1), pairs=6)
    assert [pair.name for pair, _ in check.odd] == ["left/000000.png"]
    assert check.verdict.severity == "doubtful"
    assert check.verdict.text.startswith(
        "1 of 6 pairs are not like the others, first left/000000.png: left and right look swapped"
    )


def test_pairs_are_spread_evenly_and_unreadable_ones_left_out(tmp_path: Path) -> None:
    left, right = slope_pair(0)
    jobs = []
    for number in range(11):
        paths = [tmp_path / f"{number}{side}.png" for side in ("l", "r")]
        for path, picture in zip(paths, (left, right), strict=True):
            cv2.imwrite(str(path), picture)
        jobs.append(HintJob(*paths, PurePosixPath(f"{number}.png")))
    jobs[5].right.write_bytes(b"no picture")
    told: list[tuple[int, int]] = []
    check = check_rig(jobs, SIZE, 3, lambda done, total: told.append((done, total)))
    assert [pair.name for pair in check.pairs] == ["0.png", "10.png"]
    assert check.unread == 1
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert check.offset_spread is None
    assert len(check_rig(jobs[:2], SIZE, 30).pairs) == 2


@pytest.mark.real
def test_streets_are_rectified_and_their_disturbances_found(
    real_data: Path, tmp_path: Path
) -> None:
    jobs = source_jobs(KittiStereo2015(real_data / "kitti_stereo_2015")).jobs[::4]
    check = check_rig(jobs, PUBLISHED_SIZE)
    assert check.verdict.severity == "good"
    assert check.pooled is not None
    assert check.pooled.wrong_side < 0.02
    swapped = [HintJob(job.right, job.left) for job in jobs]
    assert check_rig(swapped, PUBLISHED_SIZE).verdict.kinds == ("swapped",)
    turned = []
    for number, job in enumerate(jobs):
        picture = cv2.imread(str(job.right))
        height, width = picture.shape[:2]
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -0.5, 1)
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), cv2.warpAffine(picture, turn, (width, height), flags=2))
        turned.append(HintJob(job.left, path))
    found = check_rig(turned, PUBLISHED_SIZE)
    assert found.verdict.severity == "useless"
    assert found.pooled is not None
    assert found.pooled.roll - check.pooled.roll == pytest.approx(0.5, abs=0.03)
