import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data.tiny_trees import BASELINE, SIZE, cut_short, write_camera_file, write_image, write_rig

from leadline.data.selection import Needs, select
from leadline.data.sources.base import FrameId
from leadline.data.sources.folder import ImageFolder
from leadline.data.ways import ways_to_neighbours
from leadline.offset import STEREO, Offset


def test_a_stereo_rig(tmp_path: Path) -> None:
    source = ImageFolder(write_rig(tmp_path, 12, fps=20))
    assert len(source.frames) == 24
    assert list(source.sequences) == ["."]
    frame = FrameId(".", 10, 1)
    assert source.image_path(frame).name == "f10.png"
    assert source.size(frame) == SIZE
    assert source.baseline(".") == pytest.approx(BASELINE)
    pose = source.target_to_source(frame, FrameId(".", 10, 0))
    assert pose is not None
    assert pose[0, 3] == pytest.approx(BASELINE)
    assert source.seconds(frame, FrameId(".", 8, 1)) == pytest.approx(-0.1)
    assert str(source.hint_path(frame)) == "right/f10.png"
    assert math.isnan(source.distance(frame, FrameId(".", 8, 1)))


def test_every_other_frame_is_selected(tmp_path: Path) -> None:
    source = ImageFolder(write_rig(tmp_path, 7), every=3)
    assert [frame.index for frame in source.frames if frame.camera == 0] == [0, 3, 6]
    middle = FrameId(".", 3, 0)
    assert source.neighbour(middle, Offset(1)) == FrameId(".", 6, 0)
    assert source.neighbour(middle, Offset(-2)) is None
    with pytest.raises(ValueError, match="every: expected 1"):
        ImageFolder(tmp_path, every=0)


def test_one_camera_in_one_folder(tmp_path: Path) -> None:
    for name in ("b2.png", "b10.png", ".DS_Store.png"):
        write_image(tmp_path / name)
    write_camera_file(tmp_path, baseline=None)
    source = ImageFolder(tmp_path)
    assert [source.image_path(frame).name for frame in source.frames] == ["b2.png", "b10.png"]
    assert source.baseline(".") is None
    assert source.neighbour(source.frames[0], STEREO) is None
    assert math.isnan(source.seconds(*source.frames))


def test_sub_folders_are_sequences_with_the_nearest_camera(tmp_path: Path) -> None:
    write_rig(tmp_path / "day" / "one", baseline=0.2)
    write_camera_file(tmp_path)
    for side in ("image_2", "image_3"):
        write_image(tmp_path / "two" / side / "0.png")
    source = ImageFolder(tmp_path)
    assert list(source.sequences) == ["day/one", "two"]
    assert source.baseline("day/one") == pytest.approx(0.2)
    assert source.baseline("two") == pytest.approx(BASELINE)
    assert str(source.hint_path(FrameId("day/one", 0, 0))) == "day/one/left/f0.png"


def test_the_camera_file_may_name_the_folders(tmp_path: Path) -> None:
    for side in ("cam0", "cam1"):
        write_image(tmp_path / side / "0.png")
    write_camera_file(tmp_path, left="cam0", right="cam1")
    assert len(ImageFolder(tmp_path).frames) == 2
    write_camera_file(tmp_path, left="cam0")
    assert len(ImageFolder(tmp_path).frames) == 1


def test_partners_are_found_by_their_last_number(tmp_path: Path) -> None:
    for index in (2, 10):
        write_image(tmp_path / "left" / f"cam0_left_{index}.png")
        write_image(tmp_path / "right" / f"cam1_right_{index:04d}.png")
    write_camera_file(tmp_path)
    source = ImageFolder(tmp_path)
    assert source.image_path(FrameId(".", 0, 1)).name == "cam1_right_0002.png"
    assert source.image_path(FrameId(".", 1, 1)).name == "cam1_right_0010.png"


def test_times_come_from_a_file_in_each_sequence(tmp_path: Path) -> None:
    write_rig(tmp_path, 3, timestamps="times.txt")
    (tmp_path / "times.txt").write_text("0.0\n0.5\n2.0\n")
    source = ImageFolder(tmp_path)
    assert source.seconds(FrameId(".", 1, 0), FrameId(".", 2, 0)) == pytest.approx(1.5)


def test_links_are_followed(tmp_path: Path) -> None:
    write_rig(tmp_path / "real", 2)
    (tmp_path / "linked").mkdir()
    for name in ("left", "right", "camera.yaml"):
        (tmp_path / "linked" / name).symlink_to(tmp_path / "real" / name)
    assert len(ImageFolder(tmp_path / "linked").frames) == 4


def without_camera(root: Path) -> None:
    (root / "camera.yaml").unlink()


def without_baseline(root: Path) -> None:
    write_camera_file(root, baseline=None)


def other_size(root: Path) -> None:
    write_camera_file(root, width=128)


def all_of_other_sizes(root: Path) -> None:
    for path in root.glob("*/*.png"):
        write_image(path, (12, 64))


def none_alike(root: Path) -> None:
    for path in (root / "right").iterdir():
        path.rename(path.with_name(f"{path.stem}7.png"))


def none_at_all(root: Path) -> None:
    for path in root.glob("*/*.png"):
        path.unlink()


def times_absent(root: Path) -> None:
    write_camera_file(root, timestamps="t.txt")


def times_too_few(root: Path) -> None:
    write_camera_file(root, timestamps="t.txt")
    (root / "t.txt").write_text("1\n2\n")


def times_falling(root: Path) -> None:
    write_camera_file(root, timestamps="t.txt")
    (root / "t.txt").write_text("1\n3\n2\n")


def times_in_words(root: Path) -> None:
    write_camera_file(root, timestamps="t.txt")
    (root / "t.txt").write_text("one\ntwo\nthree\n")


def left_misnamed(root: Path) -> None:
    write_camera_file(root, left="links")


def right_misnamed(root: Path) -> None:
    write_camera_file(root, right="rechts")


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (without_camera, FileNotFoundError, "camera.yaml: expected a camera file .* baseline in m"),
        (left_misnamed, ValueError, "left camera in folders called links, .* found none below"),
        (right_misnamed, ValueError, "right camera in folders called rechts, .* none below"),
        (without_baseline, ValueError, "expected 'baseline' in metres for the stereo pair"),
        (other_size, ValueError, r"says 128x24, but .*left/f0\.png has 64x24 pixels"),
        (all_of_other_sizes, ValueError, r"says 64x24, but .*left/f0\.png has 64x12 pixels"),
        (none_alike, ValueError, "expected partners of one name or number in both folders"),
        (none_at_all, FileNotFoundError, "left: expected images, found an empty folder"),
        (times_absent, FileNotFoundError, r"t\.txt: .* names timestamps there, and none are"),
        (times_too_few, ValueError, "expected 3 rising times in seconds, .* got 2 numbers"),
        (times_falling, ValueError, "expected 3 rising times in seconds"),
        (times_in_words, ValueError, "expected 3 rising times in seconds, .* got 0 numbers"),
    ],
)
def test_each_mistake_has_its_line(
    tmp_path: Path, spoil: Callable[[Path], None], kind: type[Exception], message: str
) -> None:
    spoil(write_rig(tmp_path))
    with pytest.raises(kind, match=message) as error:
        ImageFolder(tmp_path)
    assert "\n" not in str(error.value)


def test_images_without_a_partner_keep_their_place_in_time(tmp_path: Path) -> None:
    rig = write_rig(tmp_path, 12)
    (rig / "right" / "f4.png").unlink()
    (rig / "left" / "f10.png").unlink()
    source = ImageFolder(rig)
    assert len(source.frames) == 22
    assert source.image_path(FrameId(".", 11, 0)).name == "f11.png"
    assert source.image_path(FrameId(".", 10, 1)).name == "f10.png"
    assert source.neighbour(FrameId(".", 4, 0), STEREO) is None
    assert source.neighbour(FrameId(".", 9, 0), Offset(1)) is None
    assert source.remarks() == (
        f"2 of 22 images without a partner in the other camera, first: {rig / 'left' / 'f4.png'}",
    )
    pairs = select(source, source.frames, Needs((STEREO,)))
    assert len(pairs.frames) == 20
    assert pairs.reasons() == {"no frame at stereo": 2}
    # Video needs no partners, but it needs neighbours.
    video = select(source, source.frames, Needs((Offset(1),)))
    assert video.reasons() == {"no frame at +1": 1 + 1 + 1 + 1}


def test_images_that_cannot_be_used_are_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    rig = write_rig(tmp_path, 5)
    cut_short(rig / "left" / "f1.png")
    write_image(rig / "right" / "f3.png", (12, 64))
    (rig / "left" / "f0.png").write_bytes(b"no image")
    source = ImageFolder(rig)
    selection = select(source, source.frames, Needs((STEREO,)))
    assert {frame.index for frame in selection.frames} == {2, 4}
    assert selection.reasons() == {
        "unreadable image": 4,
        "image size differs from the calibration's": 2,
    }
    assert "left/f0.png: expected a whole image" in str(selection)
    assert "64x12 instead of 64x24" in str(selection)


def test_a_side_or_a_sequence_without_images_stops_nothing_else(tmp_path: Path) -> None:
    write_rig(tmp_path / "whole")
    none_at_all(write_rig(tmp_path / "bare"))
    half = write_rig(tmp_path / "half")
    for path in (half / "right").iterdir():
        path.unlink()
    source = ImageFolder(tmp_path)
    assert list(source.sequences) == ["half", "whole"]
    assert len(select(source, source.frames, Needs((STEREO,))).frames) == 6
    without_partner, without_images = source.remarks()
    assert without_partner.startswith("3 of 9 images without a partner")
    assert without_images == f"1 sequences without images, first: {tmp_path / 'bare'}"


def test_no_folder_and_no_images(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a folder of images, found none"):
        ImageFolder(tmp_path / "absent")
    write_camera_file(tmp_path)
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path)) + ": expected images in"):
        ImageFolder(tmp_path)


def test_the_rig_looks_to_the_right(tmp_path: Path) -> None:
    left, right = ImageFolder(write_rig(tmp_path)).rig(".")
    assert np.array_equal(left.rig_to_camera, np.eye(4))
    assert right.rig_to_camera[0, 3] == -BASELINE


def test_a_file_of_speeds_tells_how_far_it_is_to_a_neighbour(tmp_path: Path) -> None:
    root = write_rig(tmp_path, 6, fps=10, speed="speed.csv")
    (root / "speed.csv").write_text("time,m/s\n0,4\n0.45,4\n")
    source = ImageFolder(root, every=2)
    first = FrameId(".", 0, 0)
    nxt = source.neighbour(first, Offset(1))
    assert nxt is not None
    assert source.distance(first, nxt) == pytest.approx(0.8)
    assert math.isnan(source.distance(first, FrameId(".", 5, 0)))
    (remark,) = [line for line in source.remarks() if line.startswith("way travelled")]
    assert remark == (
        "way travelled: 2 m in all, 0.40 m from frame to frame in the median; 0 steps at rest; "
        "1 of 6 frames beyond the record or in a gap of it"
    )


def test_only_one_record_of_the_way(tmp_path: Path) -> None:
    root = write_rig(tmp_path, 2, fps=10, speed="speed.csv", gpx="a.gpx")
    with pytest.raises(ValueError, match="expected one of speed and gpx"):
        ImageFolder(root)
    root = write_rig(tmp_path / "other", 2, fps=10, speed="speed.csv")
    with pytest.raises(FileNotFoundError, match="the speed that the camera file names"):
        ImageFolder(root)


@pytest.mark.parametrize(
    ("speeds", "knows"),
    [
        ("0,4\n0.55,4\n", True),
        ("0,4\n0.25,4\n", True),
        ("0,4\n0.15,4\n9,4\n", False),
        ("0,0\n0.55,0\n", False),
        ("0,0.05\n0.55,0.05\n", True),
    ],
    ids=["all", "half", "a third", "at rest", "slow"],
)
def test_metres_are_not_made_of_a_few_motions(tmp_path: Path, speeds: str, knows: bool) -> None:
    """A model is called metric only if most of what taught it knew its way, and moved."""
    root = write_rig(tmp_path, 6, fps=10, speed="speed.csv")
    (root / "speed.csv").write_text(speeds)
    source = ImageFolder(root)
    ways = ways_to_neighbours(source, source.frames, [Offset(-1), Offset(1)])
    assert ways.give_metres == knows
    (remark,) = [line for line in source.remarks() if line.startswith("way travelled")]
    assert ("`data.static: skip` leaves these out" in remark) == (speeds.startswith("0,0\n"))
