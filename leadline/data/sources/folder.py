"""A user's own images: a rectified stereo rig or one camera, in folders, with `camera.yaml`."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64

from leadline.data.images import image_size, list_images
from leadline.data.sources.base import FrameId, RigCamera, Source
from leadline.data.sources.camera_file import CAMERA_FILE, EXAMPLE, CameraFile, read_camera_file

_SIDE_FOLDERS = (("left", "right"), ("image_02", "image_03"), ("image_2", "image_3"))
_HINT_FOLDERS = ("left", "right")


@dataclass(frozen=True, eq=False, slots=True)
class _Sequence:
    camera: CameraFile
    images: tuple[tuple[Path, ...], ...]
    """images[camera][index]"""
    times: Float64[np.ndarray, "_"] | None


class ImageFolder(Source):
    """Images below `root`: `left/` and `right/` (or as the camera file names them) or one folder.

    Sub-folders are sequences; the nearest `camera.yaml` upwards holds for each. Frames are
    numbered from 0 in natural order of their names, `every` n-th of them is selected, and
    neighbours are counted among the selected ones: for a video so fast that the camera hardly moves
    from frame to frame.

    Raises:
        FileNotFoundError: no folder, no images, no camera file.
        ValueError: one line for whatever else is wrong with the camera file or the images.
    """

    def __init__(self, root: str | Path, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"every: expected 1 (all frames), 2 (every other) ..., got {every}")
        self.root = Path(root)
        self.frame_step = every
        if not self.root.is_dir():
            raise FileNotFoundError(f"{root}: expected a folder of images, found none")
        cameras = _CameraFiles(self.root)
        found = dict(_find_sequences(self.root, cameras))
        if not found:
            raise FileNotFoundError(
                f"{root}: expected images in left/ and right/, in one folder or in sub-folders, "
                "and found none; give the folder that holds them"
            )
        self._content = {
            _sequence_name(self.root, folder): _read_sequence(
                folder, cameras.nearest(folder), sides
            )
            for folder, sides in found.items()
        }
        super().__init__(
            FrameId(name, index, camera)
            for name, sequence in self._content.items()
            for camera, images in enumerate(sequence.images)
            for index in range(0, len(images), every)
        )

    def image_path(self, frame: FrameId) -> Path:
        return self._content[frame.sequence].images[frame.camera][frame.index]

    def size(self, frame: FrameId) -> tuple[int, int]:
        return self._content[frame.sequence].camera.size

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        name = f"{self.image_path(frame).stem}.png"
        return PurePosixPath(frame.sequence, _HINT_FOLDERS[frame.camera], name)

    def rig(self, sequence: str) -> tuple[RigCamera, ...]:
        content = self._content[sequence]
        left = RigCamera(content.camera.intrinsics, content.camera.size, np.eye(4))
        if len(content.images) == 1 or content.camera.baseline is None:
            return (left,)
        rig_to_right = np.eye(4)
        rig_to_right[0, 3] = -content.camera.baseline
        return left, RigCamera(content.camera.intrinsics, content.camera.size, rig_to_right)

    def seconds(self, target: FrameId, source: FrameId) -> float:
        content = self._content[target.sequence]
        if content.times is not None:
            return float(content.times[source.index] - content.times[target.index])
        if content.camera.fps is not None:
            return (source.index - target.index) / content.camera.fps
        return math.nan


class _CameraFiles:
    """Each camera file is read once; a sequence takes the nearest one upwards."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[Path, CameraFile] = {}

    def nearest(self, folder: Path) -> CameraFile:
        found = self.find(folder)
        if found is None:
            raise FileNotFoundError(
                f"{self._root / CAMERA_FILE}: expected a camera file and found none; "
                f"write one with {EXAMPLE}"
            )
        return found

    def find(self, folder: Path) -> CameraFile | None:
        path = folder / CAMERA_FILE
        if path.is_file():
            if path not in self._read:
                self._read[path] = read_camera_file(path)
            return self._read[path]
        return None if folder == self._root else self.find(folder.parent)


def _find_sequences(folder: Path, cameras: _CameraFiles) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Sequence folders, each with the one or two folders that hold its images."""
    sides = _side_folders(folder, cameras.find(folder))
    if sides:
        yield folder, sides
        return
    if list_images(folder):
        yield folder, (folder,)
    for child in sorted(p for p in folder.iterdir() if p.is_dir() and not _is_no_sequence(p)):
        yield from _find_sequences(child, cameras)


def _is_no_sequence(folder: Path) -> bool:
    """Hidden folders, and what `leadline hints` and `leadline predict` wrote among the images."""
    return folder.name.startswith(".") or folder.name == "hints" or _is_output(folder)


def _is_output(folder: Path) -> bool:
    return (folder / "predictions.json").is_file()


def _side_folders(folder: Path, camera: CameraFile | None) -> tuple[Path, ...]:
    names: tuple[tuple[str, str], ...] = _SIDE_FOLDERS
    if camera is not None and camera.left is not None:
        names = ((camera.left, camera.right or ""),)
    for left, right in names:
        if (folder / left).is_dir():
            both = bool(right) and (folder / right).is_dir()
            return (folder / left, folder / right) if both else (folder / left,)
    return ()


def _sequence_name(root: Path, folder: Path) -> str:
    return folder.relative_to(root).as_posix()


def _read_sequence(folder: Path, camera: CameraFile, sides: tuple[Path, ...]) -> _Sequence:
    images = tuple(tuple(list_images(side)) for side in sides)
    for side, paths in zip(sides, images, strict=True):
        if not paths:
            raise FileNotFoundError(f"{side}: expected images, found an empty folder; fill it")
    if len(images) == 2:
        if camera.baseline is None:
            raise ValueError(
                f"{camera.path}: expected 'baseline' in metres for the stereo pair {sides[0]} and "
                f"{sides[1]}, got none; add e.g. 'baseline: 0.54'"
            )
        images = _paired(images[0], images[1])
    _check_sizes(camera, images)
    return _Sequence(camera, images, _read_times(folder, camera, len(images[0])))


def _paired(left: tuple[Path, ...], right: tuple[Path, ...]) -> tuple[tuple[Path, ...], ...]:
    """Both sides in the left one's order, partners found by name, else by the names' last
    number.
    """
    for key in (_stem, _last_number):
        lefts, rights = _by_key(left, key), _by_key(right, key)
        if len(lefts) == len(left) and len(rights) == len(right) and lefts.keys() & rights.keys():
            break
    else:
        raise ValueError(
            f"{left[0]}, {right[0]}: expected partners of one name or number in both folders, "
            "and found none; name the two images of a pair alike"
        )
    for mine, theirs, paths in ((lefts, rights, right), (rights, lefts, left)):
        alone = [path for name, path in mine.items() if name not in theirs]
        if alone:
            raise ValueError(
                f"{alone[0]}: expected a partner in {paths[0].parent}, found none "
                f"({len(left)} left, {len(right)} right images; {len(alone)} alone here); "
                "add it or remove the image"
            )
    return left, tuple(rights[name] for name in lefts)


def _by_key(paths: tuple[Path, ...], key: Callable[[Path], str]) -> Mapping[str, Path]:
    return {key(path): path for path in paths}


def _stem(path: Path) -> str:
    return path.stem


def _last_number(path: Path) -> str:
    numbers = re.findall(r"\d+", path.stem)
    return str(int(numbers[-1])) if numbers else path.stem


def _check_sizes(camera: CameraFile, images: tuple[tuple[Path, ...], ...]) -> None:
    first = images[0][0]
    size = image_size(first)
    if size != camera.size:
        raise ValueError(
            f"{camera.path}: says {camera.size[1]}x{camera.size[0]}, but {first} has "
            f"{size[1]}x{size[0]} pixels; give K, width and height of the images as they are"
        )
    for path in (path for side in images for path in side):
        other = image_size(path)
        if other != size:
            raise ValueError(
                f"{path}: expected {size[1]}x{size[0]} pixels as {first}, got "
                f"{other[1]}x{other[0]}; put images of another camera into a sequence of their own"
            )


def _read_times(folder: Path, camera: CameraFile, count: int) -> Float64[np.ndarray, "_"] | None:
    if camera.timestamps is None:
        return None
    path = folder / camera.timestamps
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {camera.path} names timestamps there, and none are")
    try:
        times = np.array(path.read_text().split(), np.float64)
    except ValueError:
        times = np.array([])
    if len(times) != count or (np.diff(times) <= 0).any():
        raise ValueError(
            f"{path}: expected {count} rising times in seconds, one image per line, got "
            f"{len(times)} numbers; write one for each image in the order of their names"
        )
    return times
