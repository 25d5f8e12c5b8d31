"""Which kind of data set a folder is, from what lies in it; a file is a list of images."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from leadline.data.image_files import IMAGE_SUFFIXES
from leadline.data.sources.base import Source
from leadline.data.sources.camera_file import CAMERA_FILE, EXAMPLE
from leadline.data.sources.cityscapes import IMAGE_FOLDERS, Cityscapes
from leadline.data.sources.dgp import SCENE_FILES, DgpScenes
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.list_files import LINE, LIST_SUFFIX, holds_list
from leadline.data.sources.listed import ListedFrames
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.sources.rgbd_layouts import FRAME_FILES, holds_rgbd
from leadline.data.sources.rgbd_tum import TUM_LIST
from leadline.data.sources.stereo2015 import KittiStereo2015

_SIGNS: Mapping[type[Source], Callable[[Path], bool]] = {
    KittiRaw: lambda root: any(root.glob("*/*_sync/image_0[23]")),
    KittiStereo2015: lambda root: (
        any(root.glob("training/image_2/*_10.png")) or any(root.glob("image_2/*_10.png"))
    ),
    DgpScenes: lambda root: any(root.glob(f"*/{SCENE_FILES}")),
    Cityscapes: lambda root: any(root.glob(f"{IMAGE_FOLDERS[0]}*/*")),
    RgbdSequences: holds_rgbd,
    ImageFolder: lambda root: any(root.rglob(CAMERA_FILE)),
}


def source_config(root: Path) -> dict[str, Any]:
    """The source that reads `root`, as a recipe names it: by its whole path, so that a run finds
    its data from wherever it is resumed.

    Raises:
        FileNotFoundError: there is no such folder, or a file is no list.
        ValueError: it is of no known kind; says what each kind looks like.
    """
    if root.is_file():
        return _config(_kind_of_file(root), root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; expected one with images, or a list")
    for kind, found in _SIGNS.items():
        if found(root):
            return _config(kind, root)
    lists = sorted(path for path in root.glob(f"*{LIST_SUFFIX}") if holds_list(path))
    if lists:
        names = ", ".join(path.name for path in lists)
        raise ValueError(
            f"{root}: expected one of the lists of images in it ({names}), got their folder; give "
            f"e.g. {lists[-1]}"
        )
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in root.rglob("*")):
        raise ValueError(
            f"{root}: expected a {CAMERA_FILE} beside the images, found none; write one with "
            f"{EXAMPLE}"
        )
    raise ValueError(
        f"{root}: expected KITTI raw (DATE/DATE_drive_NNNN_sync/image_02), KITTI Stereo 2015 "
        f"(training/image_2), DDAD (SCENE/{SCENE_FILES}), Cityscapes ({IMAGE_FOLDERS[0]}), RGB-D "
        f"sequences ({FRAME_FILES} or {TUM_LIST}) or your own images with a {CAMERA_FILE}; found "
        f"none of them, nor a list of images (*{LIST_SUFFIX}, lines {LINE})"
    )


def _kind_of_file(path: Path) -> type[Source]:
    if path.suffix.lower() == LIST_SUFFIX:
        return ListedFrames
    if path.suffix.lower() == ".mat":
        raise FileNotFoundError(
            f"{path}: expected a folder of images, got a file of MATLAB's; unpack NYUv2 first, "
            f"`leadline unpack nyu {path} --out FOLDER`"
        )
    raise FileNotFoundError(
        f"{path}: expected a folder of images or a list of them (*{LIST_SUFFIX}), got a file; take "
        f"a video apart first, e.g. `ffmpeg -i {path} -q:v 2 FOLDER/%06d.jpg`"
    )


def _config(kind: type[Source], root: Path) -> dict[str, Any]:
    path = f"{kind.__module__}.{kind.__name__}"
    return {"class_path": path, "init_args": {"root": str(root.resolve())}}


def open_source(root: Path, settings: Sequence[str] = ()) -> Source:
    """The data set below `root`, whatever known kind it is.

    `settings` are arguments of that kind as a command line spells them: `cameras=[CAMERA_05]`.

    Raises:
        FileNotFoundError, ValueError: as `source_config`, or as the kind's own constructor; or the
            kind has no such setting.
    """
    config = source_config(root)
    module, _, name = str(config["class_path"]).rpartition(".")
    kind: Callable[..., Source] = getattr(import_module(module), name)
    return kind(root, **_arguments(kind, name, settings))


def _arguments(kind: Callable[..., Source], name: str, settings: Sequence[str]) -> dict[str, Any]:
    if not settings:
        return {}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, skip={"root"})
    try:
        return parser.parse_args([f"--{setting}" for setting in settings]).as_dict()
    except ArgumentError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"--source: expected a setting of {name} as NAME=VALUE, got {' '.join(settings)} "
            f"({reason})"
        ) from None
