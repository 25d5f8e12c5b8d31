"""The colour camera and the depth camera of an RGB-D sequence, from the files beside it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from leadline.data.image_files import image_size
from leadline.data.png_files import png_size
from leadline.data.sources.base import RigCamera
from leadline.data.sources.camera_file import CAMERA_FILE, CameraFile, read_camera_file
from leadline.data.sources.rgbd_recording import Recording

DEPTH_CAMERA_FILE = "depth_camera.yaml"
INTRINSICS_FILE = "camera-intrinsics.txt"
SEVEN_SCENES_DEPTH = np.array([[585.0, 0, 320], [0, 585, 240], [0, 0, 1]])
"""What 7-Scenes says of its cameras: these are the numbers of the depth camera, a Kinect's."""
SEVEN_SCENES_COLOUR = np.array([[525.0, 0, 320], [0, 525, 240], [0, 0, 1]])
SEVEN_SCENES_DEPTH_TO_COLOUR = (-0.025, 0.0, 0.0)
"""The colour camera of 7-Scenes, a Kinect's nominal one: measured in benchmarks/rgbd_focal.md."""
_SEVEN_SCENES_SIZE = (480, 640)
_SMALLEST_FOCAL = 2.0
_FARTHEST_APART = 1.0
"""Metres between the two cameras; anything more is most likely in millimetres."""
_OTHER_KEYS = ("timestamps", "left", "right", "baseline")
"""Keys of a camera file that mean nothing to an RGB-D camera."""


@dataclass(frozen=True, eq=False, slots=True)
class RgbdCameras:
    """Both cameras of a sequence; the colour camera is the rig's."""

    colour: RigCamera
    depth: RigCamera
    files: tuple[Path, ...]
    """Those that were read."""
    said: str | None
    """What was done with the depth, as `remarks` may print it; None where it is registered."""
    fps: float | None = None

    @property
    def registered(self) -> bool:
        """Whether depth images are the colour camera's own."""
        return self.said is None

    @property
    def depth_to_colour(self) -> Float64[np.ndarray, "4 4"]:
        """Points of the depth camera in the frame of the colour camera, metres."""
        inverse: Float64[np.ndarray, "4 4"] = np.linalg.inv(self.depth.rig_to_camera)
        return inverse


class CameraFiles:
    """Reads each camera file once; a sequence takes the nearest one upwards, up to `root`.

    `depth_to_colour` are the metres x, y, z by which a point of the depth camera is moved into the
    frame of the colour camera, if it is known.

    Raises:
        ValueError: one line: no such metres.
    """

    def __init__(self, root: Path, depth_to_colour: Sequence[float] | None) -> None:
        self._root = root
        self._read: dict[Path, CameraFile] = {}
        self._known = None if depth_to_colour is None else tuple(depth_to_colour)
        if self._known is not None:
            _check_metres(self._known)

    def cameras(self, recording: Recording) -> RgbdCameras | None:
        """Both cameras of a sequence; None where no file tells of them.

        `camera.yaml` tells of the colour camera and `depth_camera.yaml` of the depth camera;
        `camera-intrinsics.txt` of both, as far as these do not. Of 7-Scenes, whose file has the
        depth camera alone, the colour camera is known.

        Raises:
            ValueError: one line: a file is damaged or holds something else.
        """
        colour_file, depth_file, text_file = (
            self._nearest(recording.folder, name)
            for name in (CAMERA_FILE, DEPTH_CAMERA_FILE, INTRINSICS_FILE)
        )
        text = None if text_file is None else read_intrinsics(text_file)
        fps = None
        if colour_file is not None:
            file = self._camera_file(colour_file)
            colour, fps = _rig_camera(file.intrinsics, file.size), file.fps
        else:
            size = _first_size(recording.images.values(), image_size)
            if text is None or size is None:
                return None
            seven_scenes = _is_seven_scenes(text, size)
            colour = _rig_camera(SEVEN_SCENES_COLOUR if seven_scenes else text, size)
        depth, told_by = colour, colour_file or text_file
        if depth_file is not None:
            file = self._camera_file(depth_file)
            depth, told_by = _rig_camera(file.intrinsics, file.size), depth_file
        elif text is not None:
            depth, told_by = _rig_camera(text, colour.size), text_file
        size = _first_size(recording.depths.values(), png_size)
        if size is not None and size != depth.size:
            raise ValueError(
                f"{told_by}: expected a camera of {size[1]}x{size[0]}, the size of the depth "
                f"images in {recording.folder}, got one of {depth.size[1]}x{depth.size[0]}; write "
                f"the depth camera's own {DEPTH_CAMERA_FILE}"
            )
        files = [path for path in (colour_file, depth_file, text_file) if path is not None]
        return self._together(colour, depth, tuple(files), fps)

    def _together(
        self, colour: RigCamera, depth: RigCamera, files: tuple[Path, ...], fps: float | None
    ) -> RgbdCameras:
        alike = colour.size == depth.size and bool(np.allclose(colour.intrinsics, depth.intrinsics))
        metres, why = self._known, "as `depth_to_colour` says"
        if metres is None and not alike and _is_seven_scenes(depth.intrinsics, depth.size):
            metres, why = SEVEN_SCENES_DEPTH_TO_COLOUR, "as measured of 7-Scenes"
        if metres is None:
            metres, why = (0.0, 0.0, 0.0), "taken for the same centre, since nothing tells another"
        said = None
        if not alike or any(metres):
            apart = 1000 * float(np.linalg.norm(metres))
            said = (
                f"depth of a camera of its own (fx {depth.intrinsics[0, 0]:.1f}) brought to the "
                f"colour camera (fx {colour.intrinsics[0, 0]:.1f}), {apart:.0f} mm apart, {why}"
            )
        colour_to_depth = np.eye(4)
        colour_to_depth[:3, 3] = -np.array(metres)
        placed = RigCamera(depth.intrinsics, depth.size, colour_to_depth)
        return RgbdCameras(colour, placed, files, said, fps)

    def _nearest(self, folder: Path, name: str) -> Path | None:
        path = folder / name
        if path.is_file():
            return path
        return None if folder == self._root else self._nearest(folder.parent, name)

    def _camera_file(self, path: Path) -> CameraFile:
        if path not in self._read:
            content = read_camera_file(path)
            other = [key for key in _OTHER_KEYS if getattr(content, key) is not None]
            if content.path_kind is not None:
                other.append(content.path_kind)
            if other:
                raise ValueError(
                    f"{path}: expected the camera of an RGB-D sequence, whose own files tell times "
                    f"and poses, got '{other[0]}'; leave it out"
                )
            self._read[path] = content
        return self._read[path]


def read_intrinsics(path: Path) -> Float64[np.ndarray, "3 3"]:
    """The matrix of `camera-intrinsics.txt`, in pixels.

    Raises:
        ValueError: one line: it holds something else.
    """
    try:
        matrix = np.array([float(word) for word in path.read_text().split()]).reshape(3, 3)
    except (UnicodeDecodeError, ValueError):
        matrix = np.full((3, 3), np.nan)
    focal = matrix[[0, 1], [0, 1]]
    form = np.isfinite(matrix).all() and (matrix[[1, 2, 2, 2], [0, 0, 1, 2]] == (0, 0, 0, 1)).all()
    if not form or (focal < _SMALLEST_FOCAL).any():
        raise ValueError(
            f"{path}: expected fx 0 cx, 0 fy cy, 0 0 1 in pixels, three numbers a line, got "
            "something else; correct it, or give the camera in a "
            f"{CAMERA_FILE} and remove it"
        )
    return matrix


def _check_metres(metres: tuple[float, ...]) -> None:
    if len(metres) != 3 or not np.isfinite(metres).all():
        raise ValueError(
            "depth_to_colour: expected three numbers, the metres x, y, z, got "
            f"{list(metres)}; write e.g. [-0.025, 0, 0]"
        )
    if np.linalg.norm(metres) > _FARTHEST_APART:
        raise ValueError(
            f"depth_to_colour: expected metres between two cameras of one housing, got "
            f"{list(metres)}, which looks like millimetres; divide by 1000"
        )


def _is_seven_scenes(intrinsics: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> bool:
    return size == _SEVEN_SCENES_SIZE and bool(np.allclose(intrinsics, SEVEN_SCENES_DEPTH))


def _rig_camera(intrinsics: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> RigCamera:
    return RigCamera(intrinsics, size, np.eye(4))


def _first_size(
    files: Iterable[Path], read: Callable[[Path], tuple[int, int]]
) -> tuple[int, int] | None:
    """Of the first file that can be read; None of none."""
    for path in files:
        try:
            return read(path)
        except (OSError, ValueError):
            continue
    return None
