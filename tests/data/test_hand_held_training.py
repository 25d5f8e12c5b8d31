"""Training on a camera in a hand: what is selected, seen and said."""

from pathlib import Path

import pytest
import torch
from data.hand_helds import ANY, BOTH, ENOUGH, SMALL, USUAL, WALK
from data.rooms import CAMERA, SIZE, pose_at, view, write_room
from data.tiny_trees import cut_short, write_drive

from leadline.data.hand_held import RECORDS, UNSEEN, HandHeld, choose_neighbours
from leadline.data.module import DepthData
from leadline.data.sources.base import FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.rgbd import RgbdSequences
from leadline.geometry.camera import resize_intrinsics
from leadline.offset import TARGET


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_room(tmp_path_factory.mktemp("hand") / "room", WALK)


def test_a_damaged_picture_is_nobodys_neighbour_and_is_named(tmp_path: Path) -> None:
    source = RgbdSequences(write_room(tmp_path, WALK[:4]))
    path = cut_short(source.image_path(source.frames[1]))
    found = choose_neighbours(source, source.frames, ANY)
    assert all(
        1 not in (frame.index, other.index) for (frame, _), other in found.neighbours.items()
    )
    assert found.without[UNSEEN] == 4
    data = DepthData(source, hand_held=ANY, neighbours="optional", val_share=0.0, **SMALL)
    data.setup()
    reasons = data.train_selection.reasons()
    assert reasons == {"unreadable image": 1, "no neighbour as hand_held wants it": 1}
    assert str(path) in data.report()


def test_frames_that_do_not_exist_or_have_no_camera_are_told_of_elsewhere(
    room: Path, tmp_path: Path
) -> None:
    source = RgbdSequences(room)
    frames = [*source.frames[:3], source.frames[0], FrameId("nowhere", 3)]
    assert choose_neighbours(source, frames, ANY).asked == 3
    write_drive(tmp_path, 3)
    without = KittiRaw(tmp_path)
    assert choose_neighbours(without, without.frames, ANY).asked == 0
    data = DepthData(without, hand_held=ANY, val_share=0.0, **SMALL)
    with pytest.raises(ValueError, match=r"got none \(6 no calibration\)"):
        data.setup()


def virtual_view(first: int, second: int, size: tuple[int, int]) -> torch.Tensor:
    """What the camera of the second frame would see if it looked as that of the first."""
    pose = WALK[first].copy()
    pose[:3, 3] = WALK[second][:3, 3]
    camera = resize_intrinsics(torch.from_numpy(CAMERA), SIZE, size).numpy()
    return torch.from_numpy(view(pose, camera, size)[0]).float()


@pytest.mark.parametrize("turns", ["pictures", "poses"])
def test_training_sees_the_chosen_neighbours_turned_back(
    room: Path, tmp_path: Path, turns: str
) -> None:
    data = DepthData(
        RgbdSequences(room),
        neighbours="optional",
        hand_held=HandHeld(turns, 16.0, 60.0, 4),  # type: ignore[arg-type]
        val_share=0.0,
        cache=tmp_path,
        flip="none",
        jitter=False,
        batch_size=2,
        **SMALL,
    )
    data.prepare_data()
    assert (tmp_path / RECORDS[turns]).is_file()
    data.setup()
    assert "hand-held: of 10 frames " in data.report()
    assert "room (RgbdSequences)" in data.description()
    dataset = data.train_dataloader().dataset
    sides = set()
    for item, frame in enumerate(data.train_selection.frames):
        sample = dataset[item]
        for offset in set(sample.images) - {TARGET}:
            other = dataset.source.neighbour(frame, offset)
            expected = virtual_view(frame.index, other.index, data.size)
            seen = sample.in_picture[offset][0]
            error = (sample.images[offset].float().mean(0) - expected).abs()[seen].mean()
            assert error < 8
            assert (sample.images[offset].float().mean(0) - expected).abs().mean() > error
            assert (sample.images[offset][:, ~seen] == 0).all()
            sides.add(offset)
        shown = dataset.shown(frame)
        assert all(torch.equal(shown.images[o], sample.images[o]) for o in sample.images)
    assert sides == set(BOTH)


def test_validation_has_the_same_neighbours_and_shares_no_picture(room: Path) -> None:
    """What is too near is what looks at the same picture, not what might have."""
    data = DepthData(
        RgbdSequences(room),
        neighbours="optional",
        hand_held=HandHeld("pictures", reach=64),
        val_share=0.1,
        **SMALL,
    )
    data.setup()
    assert {frame.index for frame in data.val_selection.frames} == {9}
    assert max(frame.index for frame in data.train_selection.frames) == 9 - 2 - 1
    far = DepthData(
        RgbdSequences(room), neighbours="optional", hand_held=ENOUGH, val_share=0.1, **SMALL
    )
    far.setup()

    def pictures(frames: tuple[FrameId, ...]) -> set[FrameId | None]:
        source = far.val_dataloader().dataset.source  # type: ignore[union-attr]
        found = {source.neighbour(frame, offset) for frame in frames for offset in BOTH}
        return {*frames, *found} - {None}

    held = pictures(far.val_selection.frames)
    assert len(held) > 1
    assert not held & pictures(far.train_selection.frames)
    assert far.train_selection.frames


def test_no_frame_with_parallax_is_said(tmp_path: Path) -> None:
    spot = [pose_at([0, 0, 0], [0, 2 * i, i]) for i in range(4)]
    data = DepthData(
        RgbdSequences(write_room(tmp_path, spot)),
        neighbours="optional",
        hand_held=USUAL,
        val_share=0.0,
        **SMALL,
    )
    with pytest.raises(ValueError, match=r"got none \(4 no neighbour as hand_held wants it\)"):
        data.setup()
    assert "others: 6 too little parallax within reach" in data.report()


@pytest.mark.parametrize("frames", [[0], [0, "stereo"], [0, -2, 1]])
def test_other_frames_are_refused(room: Path, frames: list[int | str]) -> None:
    with pytest.raises(ValueError, match="hand_held: expected -1, 1 or both as neighbours in time"):
        DepthData(RgbdSequences(room), hand_held=ANY, frames=frames, workers=0)
    DepthData(RgbdSequences(room), frames=frames, workers=0)
