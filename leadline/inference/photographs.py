"""What a user names as input -> the images that are meant, and what their results are called."""

import glob
from collections.abc import Sequence
from pathlib import Path

from leadline.data.image_files import IMAGE_SUFFIXES, list_images

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".h264", ".h265")


def find_photographs(inputs: Sequence[str], out: Path | None = None) -> dict[Path, Path]:
    """Each image that is meant by files, folders and globs, with the path of its result.

    Results mirror the layout below the folder that was named. What lies below `out` is no input,
    though that folder may lie among the images; hidden folders are left out.

    Raises:
        FileNotFoundError: an input means no image; it is named.
        ValueError: two images would have one result, or images lie where results go.
    """
    found: dict[Path, Path] = {}
    for text in inputs:
        named = _meant_by(text)
        images = {image: result for image, result in named.items() if not _is_below(image, out)}
        if named and not images:
            raise ValueError(
                f"{text}: its images lie in {out}, the folder of the results; give another --out"
            )
        if not images:
            raise FileNotFoundError(_nothing_found(text))
        found = images | found
    _refuse_collisions(found)
    return found


def _meant_by(text: str) -> dict[Path, Path]:
    path = Path(text)
    if path.is_dir():
        return {image: image.relative_to(path).with_suffix("") for image in _images_below(path)}
    matches = [path] if path.is_file() else [Path(match) for match in sorted(glob.glob(text))]
    return {match: Path(match.stem) for match in matches if _is_image(match)}


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _is_below(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _images_below(folder: Path) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.is_dir())
    open_ones = (path for path in inside if not _is_hidden(path.relative_to(folder)))
    return [image for one in (folder, *sorted(open_ones)) for image in list_images(one)]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _nothing_found(text: str) -> str:
    path = Path(text)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        frames = f"{path.stem}/%06d.jpg"
        return (
            f"{text}: expected images, got a video; take it apart first, e.g. "
            f"`mkdir {path.stem}; ffmpeg -i {text} -q:v 2 {frames}`, and give the folder"
        )
    if not path.exists() and not glob.has_magic(text):
        return f"{text}: no such file or folder"
    return (
        f"{text}: expected an image ({', '.join(IMAGE_SUFFIXES)}), a folder of images or a glob, "
        "found no image there"
    )


def _refuse_collisions(found: dict[Path, Path]) -> None:
    owner: dict[Path, Path] = {}
    for path, result in found.items():
        other = owner.setdefault(result, path)
        if other != path:
            raise ValueError(
                f"{other} and {path} would both be written as {result}: name their common folder "
                "instead, so that results mirror its layout"
            )
