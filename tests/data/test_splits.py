from pathlib import Path

import pytest
from data.tiny_trees import write_rig
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.sources.base import FrameId
from leadline.data.sources.folder import ImageFolder
from leadline.data.splits import apart, hold_out, read_split, split_frames


def test_a_split_file(tmp_path: Path) -> None:
    path = tmp_path / "split.txt"
    path.write_text("# left and right\n2011/drive 5 l\n\n2011/drive 0000000006 r  # odd\nwalk 7\n")
    assert read_split(path) == (
        FrameId("2011/drive", 5, 0),
        FrameId("2011/drive", 6, 1),
        FrameId("walk", 7, 0),
    )


def test_a_wrong_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "split.txt"
    path.write_text("walk 7\nwalk seven l\n")
    with pytest.raises(ValueError, match=r"split\.txt, line 2: expected .* got 'walk seven l'"):
        read_split(path)


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "split.txt"
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="found none; fill it"):
        read_split(path)


sequences = st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1, max_size=4)


def frames_of(numbers: list[set[int]]) -> list[FrameId]:
    return [
        FrameId(f"s{i}", index, camera)
        for i, moments in enumerate(numbers)
        for index in moments
        for camera in (0, 1)
    ]


@given(numbers=sequences, share=st.floats(0, 0.99), reach=st.integers(0, 3))
def test_training_and_validation_share_no_image(
    numbers: list[set[int]], share: float, reach: int
) -> None:
    frames = frames_of(numbers)
    rest, held = hold_out(frames, share)
    assert sorted(rest + held) == sorted(frames)
    moments = sum(map(len, numbers))
    assert abs(len(held) / 2 - share * moments) <= 0.5 + 1e-6
    kept, dropped = apart(rest, held, reach)
    assert sorted(kept + dropped) == sorted(rest)

    def images(target: FrameId) -> set[tuple[str, int]]:
        steps = range(-reach, reach + 1)
        return {(target.sequence, target.index + step) for step in steps}

    seen = {image for target in kept for image in images(target)}
    assert not seen & {image for target in held for image in images(target)}


@given(numbers=sequences, share=st.floats(0.01, 0.99))
def test_what_is_held_is_one_block_at_the_end_with_both_cameras(
    numbers: list[set[int]], share: float
) -> None:
    rest, held = hold_out(frames_of(numbers), share)
    for i in range(len(numbers)):
        before = [frame.index for frame in rest if frame.sequence == f"s{i}"]
        after = [frame.index for frame in held if frame.sequence == f"s{i}"]
        assert not before or not after or max(before) < min(after)
    assert sum(frame.camera for frame in held) * 2 == len(held)


def test_short_sequences_take_turns() -> None:
    _, held = hold_out(frames_of([set(range(5)) for _ in range(10)]), 0.1)
    assert len(held) == 2 * 5


def test_next_door_is_dropped_without_video_too() -> None:
    kept, dropped = apart([FrameId("s", i) for i in range(10)], [FrameId("s", 8)], 0)
    assert [frame.index for frame in dropped] == [7, 9]
    assert len(kept) == 7


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_beyond_the_whole_is_an_error(share: float) -> None:
    with pytest.raises(ValueError, match="expected 0"):
        hold_out([FrameId("s", 0)], share)


def test_a_split_that_is_neither_a_file_nor_a_list_of_the_data_set(tmp_path: Path) -> None:
    source = ImageFolder(write_rig(tmp_path / "rig", 2))
    (tmp_path / "train").mkdir()
    for name in ("train", str(tmp_path / "train")):
        with pytest.raises(FileNotFoundError, match="a list of rig itself, which has none"):
            split_frames(source, Path(name))
