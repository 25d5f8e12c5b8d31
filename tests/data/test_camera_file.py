from pathlib import Path

import numpy as np
import pytest
from data.tiny_trees import BASELINE, CX, CY, FOCAL, SIZE, write_camera_file

from leadline.data.sources.camera_file import read_camera_file

K = np.array([[FOCAL, 0, CX], [0, FOCAL, CY], [0, 0, 1]])


def test_a_good_file(tmp_path: Path) -> None:
    camera = read_camera_file(write_camera_file(tmp_path, fps=30, left="cam0", right="cam1"))
    assert np.array_equal(camera.intrinsics, K)
    assert camera.size == SIZE
    assert camera.baseline == BASELINE
    assert (camera.fps, camera.left, camera.right) == (30, "cam0", "cam1")


def test_intrinsics_as_nine_or_as_four_numbers(tmp_path: Path) -> None:
    flat = [float(x) for x in K.ravel()]
    assert np.array_equal(read_camera_file(write_camera_file(tmp_path, K=flat)).intrinsics, K)
    four = write_camera_file(tmp_path, K=None, fx=FOCAL, fy=FOCAL, cx=CX, cy=CY)
    assert np.array_equal(read_camera_file(four).intrinsics, K)


def test_no_distortion_may_be_said(tmp_path: Path) -> None:
    said = read_camera_file(write_camera_file(tmp_path, distortion=[0, 0, 0, 0]))
    unsaid = read_camera_file(write_camera_file(tmp_path))
    assert (said.intrinsics == unsaid.intrinsics).all()
    assert said.size == unsaid.size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselin": 0.5}, "unknown key 'baselin'; did you mean 'baseline'?"),
        ({"zzz": 1}, "unknown key 'zzz'; known: model, K"),
        ({"model": "fisheye"}, "expected 'model: pinhole', got 'fisheye'; undistort"),
        ({"distortion": [0.1, 0]}, r"got distortion \[0.1, 0\]; undistort them first"),
        ({"distortion": "plumb_bob"}, "got distortion plumb_bob; undistort"),
        ({"K": None}, "expected either K or fx, fy, cx, cy"),
        ({"fx": 40}, "expected either K or fx, fy, cx, cy"),
        ({"K": None, "fx": 40, "fy": 40, "cx": 3}, "expected a number for 'cy', got nothing"),
        ({"K": None, "fx": "a", "fy": 1, "cx": 1, "cy": 1}, "expected a number for 'fx', got 'a'"),
        ({"K": [[1, 2], [3, 4]]}, r"expected K as \[\[fx, 0, cx\]"),
        ({"K": [40, 0, 30, 0, 40, 11, 0, 5, 1]}, r"expected K as \[\[fx, 0, cx\]"),
        ({"K": "hello"}, r"expected K as \[\[fx, 0, cx\]"),
        (
            {"K": [0.58, 0, 0.5, 0, 1.92, 0.5, 0, 0, 1]},
            "got 0.58 and 1.92, which look divided by the image size; .* width 64 .* height 24",
        ),
        ({"K": [40, 0, 609, 0, 40, 11, 0, 0, 1]}, r"K does not fit the size: .* \(609, 11\)"),
        ({"width": None}, "expected a number for 'width', got nothing"),
        ({"width": True}, "expected a number for 'width', got True"),
        ({"height": 24.5}, "expected height in whole pixels, got 24.5"),
        ({"baseline": 0}, "expected a positive baseline in metres, got 0"),
        ({"baseline": -0.5}, "expected a positive baseline in metres, got -0.5"),
        ({"baseline": 540}, "got 540, which looks like millimetres; write 0.54"),
        ({"baseline": "wide"}, "expected a number for 'baseline', got 'wide'"),
        ({"fps": 0}, "expected a positive number for 'fps', got 0"),
        ({"left": 3}, "expected a name for 'left', got 3"),
        ({"model": "[pinhole"}, "expected YAML"),
    ],
)
def test_each_mistake_has_its_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write_camera_file(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as error:
        read_camera_file(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "pinhole", "- 1\n- 2\n"])
def test_a_file_of_another_kind(tmp_path: Path, text: str) -> None:
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(ValueError, match="expected keys and values"):
        read_camera_file(tmp_path / "camera.yaml")
