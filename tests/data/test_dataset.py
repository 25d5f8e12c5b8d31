import math
from pathlib import Path

import numpy as np
import pytest
import torch
from data.tiny_trees import (
    BASELINE,
    CX,
    CY,
    DATE,
    FOCAL,
    SEQUENCE,
    SIZE,
    cut_short,
    write_calibration,
    write_drive,
    write_image,
    write_kitti,
    write_rig,
    write_sweep,
)

from leadline.data.augment import Augmentation, flipped
from leadline.data.confidence_files import confidence_path, write_confidence
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_files import write_disparity
from leadline.data.image_tensors import load_image
from leadline.data.sampler import Draw
from leadline.data.sources.base import FrameId
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.offset import STEREO, TARGET, Offset

HALF = (12, 32)
BEFORE, AFTER = Offset(-1), Offset(1)
FRAME = FrameId(SEQUENCE, 1, 0)


def test_a_sample_holds_what_there_is(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    dataset = DepthDataset(source, source.frames, (BEFORE, AFTER, STEREO), HALF)
    assert len(dataset) == 8
    sample = dataset.read(FRAME)
    assert sample.id == str(FRAME)
    assert list(sample.images) == [TARGET, BEFORE, AFTER, STEREO]
    partner = source.image_path(FrameId(SEQUENCE, 1, 1))
    assert torch.equal(sample.images[STEREO], load_image(partner, HALF, SIZE))
    assert list(sample.known_poses) == [STEREO]
    assert sample.known_poses[STEREO][0, 3] == pytest.approx(-BASELINE)
    assert sample.distance == pytest.approx({BEFORE: 1.0, AFTER: 1.0})
    assert sample.seconds == pytest.approx({BEFORE: -0.1, AFTER: 0.1})
    assert sample.hint is sample.depth is sample.jitter is None


def test_intrinsics_follow_the_pixel_convention(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    sample = DepthDataset(source, source.frames, (STEREO,), HALF).read(FRAME)
    expected = [[FOCAL / 2, 0, (CX + 0.5) / 2 - 0.5], [0, FOCAL / 2, (CY + 0.5) / 2 - 0.5]]
    assert sample.intrinsics is not None
    for offset in (TARGET, STEREO):
        assert sample.intrinsics[offset].dtype == torch.float32
        assert torch.allclose(sample.intrinsics[offset][:2], torch.tensor(expected))


def test_a_missing_neighbour_is_not_in_the_sample(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    dataset = DepthDataset(source, source.frames, (BEFORE, AFTER, STEREO), HALF)
    sample = dataset.read(FrameId(SEQUENCE, 0, 1))
    assert list(sample.images) == [TARGET, AFTER, STEREO]
    assert list(sample.distance) == [AFTER]


def test_several_native_sizes_and_cameras_at_one_size(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    other = "2011_10_03/2011_10_03_drive_0042_sync"
    write_drive(tmp_path, 1, sequence=other, size=(30, 50), suffix=".jpg")
    write_calibration(tmp_path / "2011_10_03", (30, 50))
    source = KittiRaw(tmp_path)
    dataset = DepthDataset(source, source.frames, (STEREO,), HALF)
    first, last = dataset[0], dataset[len(dataset) - 1]
    assert first.images[TARGET].shape == last.images[TARGET].shape == (3, *HALF)
    assert first.intrinsics is not None
    assert last.intrinsics is not None
    assert first.intrinsics[TARGET][0, 0] == pytest.approx(FOCAL * 32 / 64)
    assert last.intrinsics[TARGET][0, 0] == pytest.approx(FOCAL * 32 / 50)
    assert math.isnan(source.seconds(FrameId(other, 0), FrameId(other, 0)))


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("camera", [0, 1])
def test_hints_become_metres_by_their_own_width(tmp_path: Path, scale: int, camera: int) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    target = FrameId(SEQUENCE, 1, camera)
    depth = np.full((SIZE[0] * scale, SIZE[1] * scale), 4.0, np.float32)
    depth[:, : depth.shape[1] // 2] = 8.0
    depth[: depth.shape[0] // 2] = 0
    disparity = np.where(depth > 0, FOCAL * scale * BASELINE / np.maximum(depth, 1), 0)
    write_disparity(tmp_path / source.hint_path(target), disparity.astype(np.float32), {})
    extras = Extras(hints=tmp_path)
    hint = DepthDataset(source, [target], (STEREO,), HALF, extras=extras)[0].hint
    assert hint is not None
    assert hint.shape == (1, *HALF)
    assert (hint[:, :6] == 0).all()
    assert torch.allclose(hint[:, 6:, :16], torch.tensor(8.0), rtol=2e-3)
    assert torch.allclose(hint[:, 6:, 16:], torch.tensor(4.0), rtol=2e-3)
    absent = DepthDataset(source, [FrameId(SEQUENCE, 2)], (STEREO,), HALF, extras=extras)
    assert absent[0].hint is None


def test_hints_of_a_folder(tmp_path: Path) -> None:
    source = ImageFolder(write_rig(tmp_path / "rig"))
    write_disparity(tmp_path / "hints/left/f1.png", np.full((4, 4), 0.25, np.float32), {})
    dataset = DepthDataset(
        source, [FrameId(".", 1)], (STEREO,), HALF, extras=Extras(tmp_path / "hints")
    )
    hint = dataset[0].hint
    assert hint is not None
    assert hint.max() == pytest.approx(FOCAL * 4 / 64 * BASELINE / 0.25)


def test_of_a_missing_hint_nothing_is_certain(tmp_path: Path) -> None:
    source = ImageFolder(write_rig(tmp_path / "rig"))
    frame, hints = FrameId(".", 1), tmp_path / "hints"
    disparity = np.array([[0, 1.0], [2.0, 0]], np.float32)
    write_disparity(hints / source.hint_path(frame), disparity, {})
    path = confidence_path(hints, source.hint_path(frame))
    write_confidence(path, np.array([[255, 255], [51, 0]], np.uint8))

    def confidence(extras: Extras) -> torch.Tensor | None:
        return DepthDataset(source, [frame], (STEREO,), (2, 2), extras=extras)[0].hint_confidence

    found = confidence(Extras(hints, hint_confidence=True))
    torch.testing.assert_close(found, torch.tensor([[[0, 1.0], [0.2, 0]]]))
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="damaged"):
        confidence(Extras(hints, hint_confidence=True))
    # What nobody asks for is not read.
    assert confidence(Extras(hints)) is None
    path.unlink()
    assert confidence(Extras(hints, hint_confidence=True)) is None


def test_a_hint_without_a_camera_is_an_error(tmp_path: Path) -> None:
    source = KittiRaw(write_drive(tmp_path).parents[1])
    write_disparity(tmp_path / source.hint_path(FRAME), np.ones((4, 4), np.float32), {})
    with pytest.raises(ValueError, match="needs the focal length and the baseline"):
        DepthDataset(source, [FRAME], (STEREO,), HALF, extras=Extras(tmp_path))[0]


def test_true_depth_is_scattered_and_never_interpolated(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    points = np.array([[10.27, 0.0, 0.0], [5.27, 0.0, 0.0], [7.27, 0.5, 0.0]])
    write_sweep(tmp_path / SEQUENCE, 1, points)
    source = KittiRaw(tmp_path)
    native = source.true_depth(FRAME)
    assert native is not None
    depth = DepthDataset(source, [FRAME], (STEREO,), HALF, extras=Extras(depth=True))[0].depth
    assert depth is not None
    assert depth.shape == (1, *HALF)
    expected = np.zeros(HALF)
    for v, u in np.argwhere(native):
        here = expected[v // 2, u // 2]
        expected[v // 2, u // 2] = native[v, u] if here == 0 else min(here, native[v, u])
    assert np.array_equal(depth[0].numpy(), expected.astype(np.float32))


def test_without_calibration_there_are_images_only(tmp_path: Path) -> None:
    for folder in ("image_2", "image_3"):
        write_image(tmp_path / "training" / folder / "000000_10.png")
    source = KittiStereo2015(tmp_path)
    sample = DepthDataset(source, source.frames, (STEREO,), HALF)[0]
    assert list(sample.images) == [TARGET, STEREO]
    assert sample.intrinsics is None
    assert sample.known_poses == {}


def test_items_depend_on_the_draw_alone(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))

    def dataset(seed: int) -> DepthDataset:
        return DepthDataset(
            source, source.frames, (STEREO,), HALF, augmentation=Augmentation(), seed=seed
        )

    for draw in (Draw(0, 3), Draw(5, 3), Draw(5, 4)):
        one, other = dataset(1)[draw], dataset(1)[draw]
        assert one.seed == other.seed
        assert torch.equal(one.images[TARGET], other.images[TARGET])
    seeds = {dataset(s)[Draw(e, i)].seed for s in (1, 2) for e in (0, 1) for i in (0, 1)}
    assert len(seeds) == 8
    assert dataset(1)[3].seed == dataset(1)[Draw(0, 3)].seed
    plain = DepthDataset(source, source.frames, (STEREO,), HALF)
    made = {bool((dataset(1)[Draw(e, 0)].images[TARGET] == flipped(plain[0]).images[TARGET]).all())
            for e in range(12)}  # fmt: skip
    assert made == {True, False}


def test_an_image_that_breaks_later_is_named(tmp_path: Path) -> None:
    source = KittiRaw(write_kitti(tmp_path))
    dataset = DepthDataset(source, source.frames, (STEREO,), HALF)
    assert source.size(FRAME) == SIZE
    path = cut_short(source.image_path(FRAME))
    with pytest.raises(ValueError, match=f"{path}: expected a whole image"):
        dataset.read(FRAME)
    with pytest.raises(FileNotFoundError, match=f"{DATE}/none 3 l: expected an image"):
        dataset.read(FrameId(f"{DATE}/none", 3))


def damage_middle(path: Path) -> None:
    """Head and end stay as they are: nothing but decoding finds it."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path.write_bytes(data)


def test_a_frame_damaged_in_its_middle_is_replaced_and_told_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ImageFolder(write_rig(tmp_path))
    frames = [frame for frame in source.frames if frame.camera == 0]
    damage_middle(source.image_path(frames[2]))
    dataset = DepthDataset(source, frames, (), HALF)
    found = [dataset[Draw(epoch, 2)] for epoch in (0, 0, 5)]
    assert [sample.id for sample in found] == [str(frames[0])] * 3
    # Its randomness stays that of the item: no other item changes with it.
    assert found[0].seed == found[1].seed != found[2].seed
    assert found[0].seed != dataset[Draw(0, 0)].seed
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"leadline: left out {frames[2]}: {source.image_path(frames[2])}: expec")
    with pytest.raises(ValueError, match="expected a whole image"):
        dataset.read(frames[2])


def test_where_nothing_is_left_the_first_complaint_stands(tmp_path: Path) -> None:
    source = ImageFolder(write_rig(tmp_path))
    for frame in source.frames:
        damage_middle(source.image_path(frame))
    with pytest.raises(ValueError, match=r"right/f0\.png: expected a whole image"):
        DepthDataset(source, source.frames, (), HALF)[1]
