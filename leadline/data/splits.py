"""Which frames: a split -> frame ids, and a part held out for validation."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from leadline.data.sources.base import FrameId, Source


def split_frames(source: Source, split: Path) -> tuple[FrameId, ...]:
    """The frames of a split file or, where there is none, of the data set's own list of that name.

    Raises:
        FileNotFoundError: there is neither; names the lists that the data set has.
        ValueError: as `read_split`.
    """
    own = source.splits
    if split.is_file():
        return read_split(split)
    if str(split) not in own:
        name = source.root.resolve().name
        lists = f"which has {', '.join(own)}" if own else "which has none"
        raise FileNotFoundError(
            f"{split}: expected a split file or a list of {name} itself, {lists}; correct the name"
        )
    return own[str(split)]


def read_split(path: Path) -> tuple[FrameId, ...]:
    """The frames of a split file: `date/drive frame l|r` per line, a missing side being the left.

    Blank lines and whatever follows a `#` are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line has another form, or there is none.
    """
    frames = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                frames.append(FrameId.parse(text))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}; correct the line") from None
    if not frames:
        raise ValueError(f"{path}: expected lines 'date/drive frame l|r', found none; fill it")
    return tuple(frames)


def split_apart(
    source: Source,
    train_split: Path | None,
    val_split: Path | None,
    val_share: float,
    reach: int,
) -> tuple[Sequence[FrameId], Sequence[FrameId], Sequence[FrameId]]:
    """Frames to train and to validate on, by files of splits or names of the source's own lists;
    and those left out because they are too near to validation, see `apart`.

    Without `train_split` these are all frames, without `val_split` the share `val_share` of them.
    Two lists that were both given are a published split and stay as they are.

    Raises:
        ValueError: a split cannot be read, or the share is none.
    """
    train = source.frames if train_split is None else split_frames(source, train_split)
    if val_split is not None:
        val = split_frames(source, val_split)
        if train_split is not None:
            return train, val, ()
    else:
        train, val = hold_out(train, val_share)
    train, dropped = apart(train, val, reach)
    return train, val, dropped


def hold_out(
    frames: Iterable[FrameId], share: float
) -> tuple[tuple[FrameId, ...], tuple[FrameId, ...]]:
    """The rest of the frames, and those held out: the last `share` of each sequence.

    A block holds both cameras of each moment. What rounding loses in a short sequence is carried to
    the next one. `apart` then removes from the rest what is too near to a block.

    Raises:
        ValueError: the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"share held out: expected 0 (none) to below 1, got {share}")
    rest: list[FrameId] = []
    held: list[FrameId] = []
    owed = 0.0
    for _, group in groupby(sorted(frames), key=lambda frame: frame.sequence):
        sequence = list(group)
        moments = sorted({frame.index for frame in sequence})
        owed += share * len(moments)
        count = min(round(owed), len(moments))
        owed -= count
        block = set(moments[len(moments) - count :])
        for frame in sequence:
            (held if frame.index in block else rest).append(frame)
    return tuple(rest), tuple(held)


def apart(
    frames: Iterable[FrameId], held: Iterable[FrameId], reach: int
) -> tuple[tuple[FrameId, ...], tuple[FrameId, ...]]:
    """The frames not held that share no image with those held, and the ones dropped as too near.

    `reach` is how many frame numbers a target's furthest source is away: targets must be more than
    twice as far from each other, and never next to each other.
    """
    gap = max(2 * reach, 1)
    taken = frozenset(held)
    near = {
        (frame.sequence, frame.index + distance)
        for frame in taken
        for distance in range(-gap, gap + 1)
    }
    kept: list[FrameId] = []
    dropped: list[FrameId] = []
    for frame in (frame for frame in frames if frame not in taken):
        (dropped if (frame.sequence, frame.index) in near else kept).append(frame)
    return tuple(kept), tuple(dropped)
