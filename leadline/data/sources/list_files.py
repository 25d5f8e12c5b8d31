"""A list of images with their depth, `IMAGE DEPTH [FOCAL]` a line: read, written, looked at."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from leadline.data.depth_files import DEPTH_SUFFIXES
from leadline.data.image_files import IMAGE_SUFFIXES
from leadline.data.sources.base import FrameId
from leadline.files import atomic_path

LIST_SUFFIX = ".txt"
LINE = "IMAGE DEPTH [FOCAL]"
NO_DEPTH = "None"
"""Stands in a line for depth that there is not, as in the lists of [bts]."""


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A line of a list: paths below the data folder, and the focal length in pixels."""

    line: int
    """Counted from 1."""
    image: PurePosixPath
    depth: PurePosixPath | None
    focal: float | None


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a file cannot be used, and what is the matter with this one, by name."""

    reason: Literal["missing", "empty", "unreadable"]
    detail: str


def read_list(path: Path) -> list[ListedImage]:
    """The lines of a list in their order; blank ones and whatever follows a `#` are left out.

    A path begins at the data folder, also where a slash stands before it, as some lists have it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line has another form, there is none, or the file is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected a text of lines {LINE}, got another file") from None
    listed = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words:
            try:
                listed.append(_parsed(number, words))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    if not listed:
        raise ValueError(f"{path}: expected lines {LINE}, found none; fill it")
    return listed


def holds_list(path: Path) -> bool:
    """Whether a file can be read as a list."""
    try:
        return bool(read_list(path))
    except (ValueError, OSError):
        return False


def write_list(path: Path, lines: Iterable[tuple[str, str | None, float | None]]) -> None:
    """Write image, depth and focal length a line, whole or not at all.

    Raises:
        ValueError: a path has a space in it, which a list cannot hold.
    """
    written = []
    for image, depth, focal in lines:
        words = [image, depth or NO_DEPTH, *([] if focal is None else [f"{focal:.10g}"])]
        if any(re.search(r"\s|#", word) for word in words):
            raise ValueError(
                f"{path}: expected paths without spaces and '#', got {image!r}; rename it"
            )
        written.append(" ".join(words))
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(written) + "\n", encoding="utf-8")


def frame_ids(listed: Sequence[ListedImage]) -> dict[FrameId, ListedImage]:
    """A frame for each image: its sequence is the folder, its number the last one in the file's
    name.

    Where a name in a folder has no number, or two have the same, all of that folder are numbered by
    their lines. Which of the files are here plays no part, so that a frame keeps its name.
    """
    folders: defaultdict[str, list[ListedImage]] = defaultdict(list)
    for each in listed:
        folders[each.image.parent.as_posix()].append(each)
    return {
        FrameId(folder, number): each
        for folder, members in folders.items()
        for number, each in zip(_numbers(members), members, strict=True)
    }


def look_at(path: Path, size_in: Callable[[Path], tuple[int, int]]) -> tuple[int, int] | Damage:
    """(h, w) of a file by `size_in`, which raises a ValueError of one that cannot be read; or what
    is wrong with it.
    """
    try:
        if not path.is_file():
            return Damage("missing", str(path))
        if path.stat().st_size == 0:
            return Damage("empty", str(path))
        return size_in(path)
    except (ValueError, OSError) as error:
        return Damage("unreadable", str(error))


def counted(lost: Mapping[str, Sequence[str]]) -> str:
    """How many lines have which reason.

    >>> counted({"image missing": ["line 1: a.png", "line 2: b.png"]})
    '2 image missing'
    """
    return ", ".join(f"{len(examples)} {reason}" for reason, examples in lost.items())


def _parsed(line: int, words: Sequence[str]) -> ListedImage:
    if len(words) not in (2, 3):
        raise ValueError(
            f"expected {LINE}, got {' '.join(words)!r}; write {NO_DEPTH} where there is no depth, "
            "and paths without spaces"
        )
    image, depth, *rest = words
    if not image.lower().endswith(IMAGE_SUFFIXES):
        raise ValueError(f"expected an image first ({LINE}), got {image!r}; correct the line")
    if depth != NO_DEPTH and not depth.lower().endswith(DEPTH_SUFFIXES):
        raise ValueError(
            f"expected depth as *{', *'.join(DEPTH_SUFFIXES)} or {NO_DEPTH}, got {depth!r}; "
            "correct the line"
        )
    focal = _focal(rest[0]) if rest else None
    return ListedImage(line, _below(image), None if depth == NO_DEPTH else _below(depth), focal)


def _below(text: str) -> PurePosixPath:
    path = PurePosixPath(text.lstrip("/"))
    if ".." in path.parts:
        raise ValueError(
            f"expected paths below one folder, got {text!r}; write them from the folder above, and "
            "name that by the setting folder"
        )
    return path


def _focal(text: str) -> float:
    try:
        focal = float(text)
    except ValueError:
        focal = math.nan
    # A length of a pixel or less is a share of the width.
    if not 1 < focal < math.inf:
        raise ValueError(
            f"expected a focal length in pixels of the image, got {text!r}; correct the line"
        )
    return focal


def _numbers(members: Sequence[ListedImage]) -> list[int]:
    found = [re.findall(r"\d+", each.image.stem) for each in members]
    numbers = [int(digits[-1]) for digits in found if digits]
    is_each_its_own = len(set(numbers)) == len(members)
    return numbers if is_each_its_own else [each.line for each in members]
