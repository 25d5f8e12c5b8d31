"""Which kind of data set a folder is, from what lies in it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from leadline.data.image_files import IMAGE_SUFFIXES
from leadline.data.sources.base import Source
from leadline.data.sources.camera_file import CAMERA_FILE, EXAMPLE
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.stereo2015 import KittiStereo2015

_SIGNS: Mapping[type[Source], Callable[[Path], bool]] = {
    KittiRaw: lambda root: any(root.glob("*/*_sync/image_0[23]")),
    KittiStereo2015: lambda root: (
        any(root.glob("training/image_2/*_10.png")) or any(root.glob("image_2/*_10.png"))
    ),
    ImageFolder: lambda root: any(root.rglob(CAMERA_FILE)),
}


def source_config(root: Path) -> dict[str, Any]:
    """The source that reads `root`, as a recipe names it: by its whole path, so that a run finds
    its data from wherever it is resumed.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is of no known kind; says what each kind looks like.
    """
    if root.is_file():
        raise FileNotFoundError(
            f"{root}: expected a folder of images, got a file; take a video apart first, e.g. "
            f"`ffmpeg -i {root} -q:v 2 FOLDER/%06d.jpg`"
        )
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; expected one with images")
    for kind, found in _SIGNS.items():
        if found(root):
            path = f"{kind.__module__}.{kind.__name__}"
            return {"class_path": path, "init_args": {"root": str(root.resolve())}}
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in root.rglob("*")):
        raise ValueError(
            f"{root}: expected a {CAMERA_FILE} beside the images, found none; write one with "
            f"{EXAMPLE}"
        )
    raise ValueError(
        f"{root}: expected KITTI raw (DATE/DATE_drive_NNNN_sync/image_02), KITTI Stereo 2015 "
        f"(training/image_2) or your own images with a {CAMERA_FILE}; found none of them"
    )


def open_source(root: Path) -> Source:
    """The data set below `root`, whatever known kind it is.

    Raises:
        FileNotFoundError, ValueError: as `source_config`, or as the kind's own constructor.
    """
    module, _, name = str(source_config(root)["class_path"]).rpartition(".")
    source: Source = getattr(import_module(module), name)(root)
    return source
