from pathlib import Path

import numpy as np
import pytest
from data.tiny_trees import SIZE, write_image

from leadline.data.depth_files import write_disparity
from leadline.data.sources.base import FrameId
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.offset import STEREO, Offset


def write_pairs(root: Path) -> Path:
    for folder in ("image_2", "image_3"):
        for name in ("000003_10.png", "000003_11.png", "000012_10.png", "notes_10.png"):
            write_image(root / "training" / folder / name)
    for visible, value in (("noc", 5.0), ("occ", 6.0)):
        path = root / "training" / f"disp_{visible}_0" / "000003_10.png"
        write_disparity(path, np.full(SIZE, value, np.float32), {})
    return root


@pytest.mark.parametrize("inner", [".", "training"])
def test_pairs_without_cameras(tmp_path: Path, inner: str) -> None:
    source = KittiStereo2015(write_pairs(tmp_path) / inner)
    assert [(frame.index, frame.camera) for frame in source.frames] == [
        (3, 0), (3, 1), (12, 0), (12, 1)
    ]  # fmt: skip
    left, right = source.frames[:2]
    assert source.neighbour(left, STEREO) == right
    assert source.neighbour(left, Offset(1)) is None
    assert source.camera(left) is None
    assert source.baseline("training") is None
    assert source.target_to_source(left, right) is None
    assert str(source.hint_path(right)) == "training/image_3/000003_10.png"
    assert source.remarks()


def test_disparity_is_that_of_the_left_image(tmp_path: Path) -> None:
    source = KittiStereo2015(write_pairs(tmp_path))
    left, right = source.frames[:2]
    assert source.true_disparity(left).max() == 5
    assert source.true_disparity(left, "occ").max() == 6
    assert source.true_disparity(right) is None
    assert source.true_disparity(FrameId("training", 12)) is None


def test_no_pairs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected training/image_2/000000_10\.png"):
        KittiStereo2015(tmp_path)
