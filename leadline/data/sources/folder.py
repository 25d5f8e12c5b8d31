"""A user's own images: a rectified stereo rig or one camera, in folders, with `camera.yaml`."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64

from leadline.data.image_files import image_size, list_images, natural_key
from leadline.data.odometry import TravelledPath, least_way, read_path
from leadline.data.prediction_record import RECORD
from leadline.data.sources.base import FrameId, RigCamera, Source
from leadline.data.sources.camera_file import CAMERA_FILE, EXAMPLE, CameraFile, read_camera_file
from leadline.offset import STEREO

_SIDE_FOLDERS = (("left", "right"), ("image_02", "image_03"), ("image_2", "image_3"))
_HINT_FOLDERS = ("left", "right")


@dataclass(frozen=True, eq=False, slots=True)
class _Sequence:
    camera: CameraFile
    images: tuple[tuple[Path | None, ...], ...]
    """images[camera][index]; None where only the other camera took one."""
    times: Float64[np.ndarray, "_"] | None
    path: TravelledPath | None
    """On which its frames were taken."""


class ImageFolder(Source):
    """Images below `root`: `left/` and `right/` (or as the camera file names them) or one folder.

    Sub-folders are sequences; the nearest `camera.yaml` upwards holds for each. Frames are
    numbered from 0 in natural order of their names, `every` n-th of them is selected, and
    neighbours are counted among the selected ones: for a video so fast that the camera hardly moves
    from frame to frame. An image without a partner keeps its place in time, and is a frame without
    one; whether an image can be read, and is of the camera's size, is seen when frames are chosen.

    Raises:
        FileNotFoundError: no folder, no images, no camera file.
        ValueError: one line for whatever else is wrong with the camera file, or with all images.
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
        _check_sides(found, cameras)
        images = {folder: [list_images(side) for side in sides] for folder, sides in found.items()}
        self._empty = [folder for folder, listed in images.items() if not any(listed)]
        if len(self._empty) == len(found):
            raise FileNotFoundError(
                f"{found[self._empty[0]][0]}: expected images, found an empty folder; fill it"
            )
        self._content = {
            _sequence_name(self.root, folder): _read_sequence(
                folder, cameras.nearest(folder), listed
            )
            for folder, listed in images.items()
            if any(listed)
        }
        super().__init__(
            FrameId(name, index, camera)
            for name, sequence in self._content.items()
            for camera, paths in enumerate(sequence.images)
            for index in range(0, len(paths), every)
            if paths[index] is not None
        )

    def image_path(self, frame: FrameId) -> Path:
        path = self._content[frame.sequence].images[frame.camera][frame.index]
        if path is None:
            raise FileNotFoundError(f"{frame}: expected an image, found none")
        return path

    def remarks(self) -> tuple[str, ...]:
        alone = [frame for frame in self.frames if self._lacks_partner(frame)]
        lines = []
        if alone:
            lines.append(
                f"{len(alone)} of {len(self.frames)} images without a partner in the other camera, "
                f"first: {self.image_path(alone[0])}"
            )
        paths = [content.path for content in self._content.values() if content.path is not None]
        if paths:
            lines.append(_said_of(paths))
        if self._empty:
            lines.append(f"{len(self._empty)} sequences without images, first: {self._empty[0]}")
        return tuple(lines)

    def _lacks_partner(self, frame: FrameId) -> bool:
        pair = len(self._content[frame.sequence].images) == 2
        return pair and self.neighbour(frame, STEREO) is None

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

    def distance(self, target: FrameId, source: FrameId) -> float:
        path = self._content[target.sequence].path
        return math.nan if path is None else path.distance(target.index, source.index)

    def seconds(self, target: FrameId, source: FrameId) -> float:
        content = self._content[target.sequence]
        if content.times is not None:
            return float(content.times[source.index] - content.times[target.index])
        if content.camera.fps is not None:
            return (source.index - target.index) / content.camera.fps
        return math.nan


def _said_of(paths: Sequence[TravelledPath]) -> str:
    """What a user can compare with what is known of the drive."""
    steps = np.concatenate([path.steps() for path in paths])
    astray = sum(int((path.stretch < 0).sum()) for path in paths)
    frames = sum(len(path.stretch) for path in paths)
    least = least_way(steps.tolist())
    still = int((steps <= least).sum())
    middle = float(np.median(steps)) if len(steps) else 0.0
    advice = " (`data.static: skip` leaves these out)" if still else ""
    return (
        f"way travelled: {steps.sum():,.0f} m in all, {middle:.2f} m from frame to frame in the "
        f"median; {still} steps at rest{advice}; {astray} of {frames} "
        "frames beyond the record or in a gap of it"
    )


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
    return (folder / RECORD).is_file()


def _side_folders(folder: Path, camera: CameraFile | None) -> tuple[Path, ...]:
    names: tuple[tuple[str, str], ...] = _SIDE_FOLDERS
    if camera is not None and (camera.left or camera.right):
        left, right = _SIDE_FOLDERS[0]
        names = ((camera.left or left, camera.right or right),)
    for left, right in names:
        if (folder / left).is_dir():
            both = (folder / right).is_dir()
            return (folder / left, folder / right) if both else (folder / left,)
    return ()


def _check_sides(found: Mapping[Path, tuple[Path, ...]], cameras: _CameraFiles) -> None:
    """A rig whose folders are misnamed must not pass for cameras of their own."""
    for camera in {id(file): file for folder in found if (file := cameras.find(folder))}.values():
        for side, name in (("left", camera.left), ("right", camera.right)):
            if name is not None and not any(
                folder / name in sides
                for folder, sides in found.items()
                if cameras.find(folder) is camera
            ):
                raise ValueError(
                    f"{camera.path}: expected the images of the {side} camera in folders called "
                    f"{name}, as '{side}: {name}' says, and found none below {camera.path.parent}; "
                    "correct the name"
                )


def _sequence_name(root: Path, folder: Path) -> str:
    return folder.relative_to(root).as_posix()


def _read_sequence(folder: Path, camera: CameraFile, listed: Sequence[list[Path]]) -> _Sequence:
    if all(listed) and len(listed) == 2 and camera.baseline is None:
        raise ValueError(
            f"{camera.path}: expected 'baseline' in metres for the stereo pair "
            f"{listed[0][0].parent} and {listed[1][0].parent}, got none; add e.g. 'baseline: 0.54'"
        )
    images: tuple[tuple[Path | None, ...], ...]
    images = _paired(*listed) if len(listed) == 2 else (tuple(listed[0]),)
    _check_camera(camera, [path for paths in listed for path in paths])
    times = _read_times(folder, camera, len(images[0]))
    path = None
    if camera.path_kind is not None and camera.path_file is not None:
        counted = times
        if counted is None and camera.fps is not None:
            counted = np.arange(len(images[0])) / camera.fps
        file = folder / camera.path_file
        path = read_path(file, camera.path_kind, counted, len(images[0]))
    return _Sequence(camera, images, times, path)


def _paired(left: list[Path], right: list[Path]) -> tuple[tuple[Path | None, ...], ...]:
    """Both sides moment by moment, partners found by name, else by the names' last number."""
    for key in (_stem, _last_number):
        lefts, rights = _by_key(left, key), _by_key(right, key)
        unique = len(lefts) == len(left) and len(rights) == len(right)
        if unique and (lefts.keys() & rights.keys() or not left or not right):
            break
    else:
        raise ValueError(
            f"{left[0]}, {right[0]}: expected partners of one name or number in both folders, "
            "and found none; name the two images of a pair alike"
        )
    moments = list(lefts)
    if rights.keys() - lefts.keys():
        moments = sorted({*lefts, *rights}, key=lambda moment: natural_key(Path(moment)))
    return tuple(map(lefts.get, moments)), tuple(map(rights.get, moments))


def _by_key(paths: list[Path], key: Callable[[Path], str]) -> Mapping[str, Path]:
    return {key(path): path for path in paths}


def _stem(path: Path) -> str:
    return path.stem


def _last_number(path: Path) -> str:
    numbers = re.findall(r"\d+", path.stem)
    return str(int(numbers[-1])) if numbers else path.stem


def _check_camera(camera: CameraFile, images: Iterable[Path]) -> None:
    """Complain of a camera file that belongs to none of the images."""
    others = []
    for path in images:
        try:
            size = image_size(path)
        except (ValueError, OSError):
            continue
        if size == camera.size:
            return
        others.append((path, size))
    if others:
        first, size = others[0]
        raise ValueError(
            f"{camera.path}: says {camera.size[1]}x{camera.size[0]}, but {first} has "
            f"{size[1]}x{size[0]} pixels; give K, width and height of the images as they are"
        )


def _read_times(folder: Path, camera: CameraFile, count: int) -> Float64[np.ndarray, "_"] | None:
    if camera.timestamps is None:
        return None
    path = folder / camera.timestamps
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {camera.path} names timestamps there, and none are")
    try:
        times = np.array(path.read_text(encoding="utf-8").split(), np.float64)
    except ValueError:
        times = np.array([])
    if len(times) != count or (np.diff(times) <= 0).any():
        raise ValueError(
            f"{path}: expected {count} rising times in seconds, one image per line, got "
            f"{len(times)} numbers; write one for each image in the order of their names"
        )
    return times
