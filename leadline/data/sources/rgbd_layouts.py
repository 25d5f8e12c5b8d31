"""RGB-D sequences as 7-Scenes shares them, and where sequences of either layout are found."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from leadline.data.depth_files import MILLIMETRES
from leadline.data.image_files import list_images
from leadline.data.sources.rgbd_recording import Poses, Recording, checked_pose
from leadline.data.sources.rgbd_tum import TUM_LIST, tum_recording

FRAME_FILES = "frame-*.color.*"
_FRAME_NAME = re.compile(r"(frame-(\d+))\.color")
_LEVELS = ("", "*/", "*/*/")
"""In a folder itself, its sub-folders and theirs: 7-Scenes has its scenes' sequences there."""


def holds_rgbd(root: Path) -> bool:
    """Whether there is a sequence of either layout."""
    signs = (FRAME_FILES, TUM_LIST)
    return any(any(root.glob(f"{level}{sign}")) for level in _LEVELS for sign in signs)


def recordings(root: Path) -> Iterator[Recording]:
    """Every sequence in `root` itself, in its sub-folders, and in theirs.

    Raises:
        ValueError: one line: a list is damaged.
    """
    below = _folders(root)
    for folder in (root, *below, *(inner for outer in below for inner in _folders(outer))):
        found = tum_recording(folder) if (folder / TUM_LIST).is_file() else _frames(folder)
        if found is not None:
            yield found


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _frames(folder: Path) -> Recording | None:
    """`frame-000000.color.png`, `.depth.png` in millimetres and `.pose.txt`, as 7-Scenes has them.

    Frames keep the numbers of their files.
    """
    images, stems = {}, {}
    for path in list_images(folder):
        found = _FRAME_NAME.fullmatch(path.stem)
        if found is not None:
            images[int(found[2])], stems[int(found[2])] = path, found[1]
    if not images:
        return None
    present = {path.name for path in folder.iterdir()}
    depths = {number: f"{stem}.depth.png" for number, stem in stems.items()}
    return Recording(
        folder,
        images,
        {number: folder / name for number, name in depths.items() if name in present},
        divide=MILLIMETRES,
        read_poses=partial(_pose_files, folder, stems),
        poses_of_depth=True,
    )


def _pose_files(folder: Path, stems: Mapping[int, str]) -> Poses:
    known, unknown = {}, defaultdict(list)
    for number, stem in stems.items():
        path = folder / f"{stem}.pose.txt"
        try:
            known[number] = checked_pose(_numbers(path))
        except FileNotFoundError:
            unknown["missing"].append(str(path))
        except (OSError, ValueError) as error:
            unknown[str(error)].append(str(path))
    return Poses(known, {reason: tuple(paths) for reason, paths in unknown.items()})


def _numbers(path: Path) -> list[float]:
    try:
        return [float(word) for word in path.read_text(encoding="utf-8").split()]
    except ValueError:
        raise ValueError("no numbers") from None
