"""The folder that an archive is unpacked into: whose it is, what is whole in it, its lists."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leadline.data.depth_files import depth_size, recorded_divide
from leadline.data.image_files import image_size
from leadline.data.sources.list_files import LIST_SUFFIX, write_list
from leadline.files import atomic_path, remove_leftovers

RECORD = "unpacked.json"
"""Says what a folder was unpacked from, and how."""
IMAGES, DEPTH = "images", "depth"
EVERYTHING = "all"
"""The list of all frames."""
LISTS = (EVERYTHING, "train", "test")


@dataclass(frozen=True)
class UnpackedFrame:
    """Paths of one frame, below the folder."""

    image: str
    depth: str


@dataclass
class UnpackSummary:
    """What was unpacked: frames written and kept, pixels too far for the depth file (now 0)."""

    written: int = 0
    kept: int = 0
    beyond: int = 0
    lists: dict[str, int] = field(default_factory=dict)
    """Frames of each list, by its path."""
    failed: list[str] = field(default_factory=list)
    """A line for each frame that could not be read."""
    unmatched: tuple[str, ...] = ()
    """Of images and of depth, how many have no partner, and which is the first."""

    def __str__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        lists = ", ".join(f"{path} ({count})" for path, count in self.lists.items())
        return "\n".join(
            [
                f"{self.written} frames written, {self.kept} were there{failed}",
                *self.unmatched,
                f"lists: {lists}",
            ]
        )


def claim(out: Path, description: Mapping[str, object]) -> None:
    """Take a folder for what `description` says, or go on in one that was taken for the same.

    Raises:
        ValueError: it was taken for something else, or holds other images or lists.
        OSError: it cannot be written.
    """
    path = out / RECORD
    if path.is_file():
        found = _recorded(path)
        if found != dict(description):
            different = [
                f"{key} {found.get(key)} there, {value} here"
                for key, value in description.items()
                if found.get(key) != value
            ]
            raise ValueError(
                f"{out}: was unpacked otherwise ({'; '.join(different) or 'more is said of it'}); "
                "give another folder for --out"
            )
    else:
        ours = [IMAGES, DEPTH, *(f"{name}{LIST_SUFFIX}" for name in LISTS)]
        foreign = [name for name in ours if (out / name).exists()]
        if foreign:
            raise ValueError(
                f"{out}: expected an empty folder or one that was unpacked into before, found "
                f"{foreign[0]}; give another folder for --out"
            )
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(description, indent=1), encoding="utf-8")
    remove_leftovers([out, out / IMAGES, out / DEPTH])


def is_there(
    out: Path,
    frame: UnpackedFrame,
    size: tuple[int, int],
    depth_of: tuple[int, int],
    divide: float | None = None,
) -> bool:
    """Whether both files of a frame are whole, of sizes (h, w), and of so many units per metre."""
    depth = out / frame.depth
    try:
        return (
            image_size(out / frame.image) == size
            and depth_size(depth) == depth_of
            and (divide is None or recorded_divide(depth) == divide)
        )
    except (ValueError, OSError):
        return False


def write_lists(
    out: Path, lists: Mapping[str, Sequence[UnpackedFrame]], focal: float | None
) -> dict[str, int]:
    """Write lists by name, with one focal length for all; returns how many frames each has, by its
    path.
    """
    counts = {}
    for name, frames in lists.items():
        path = out / f"{name}{LIST_SUFFIX}"
        write_list(path, [(frame.image, frame.depth, focal) for frame in frames])
        counts[str(path)] = len(frames)
    return counts


def _recorded(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError):
        raise ValueError(
            f"{path}: expected what this folder was unpacked from, got something else; give "
            "another folder for --out"
        ) from None
