"""KITTI raw, whole or in part: `date/drive/image_02/data/0000000000.png` and what stands beside."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from leadline.data.depth_files import KITTI_DIVIDE, read_depth
from leadline.data.image_files import list_images
from leadline.data.sources.base import (
    ACCUMULATED_MAPS,
    FORWARD_SWEEPS,
    FrameId,
    RigCamera,
    Source,
    WantedTruth,
)
from leadline.data.sources.kitti_calibration import (
    CAMERA_FILE,
    COLOUR_CAMERAS,
    LIDAR_FILE,
    projection,
    read_lidar_to_rig,
    read_rig,
)
from leadline.data.sources.kitti_motion import DriveMotion
from leadline.data.sources.lacking import lacking
from leadline.data.velodyne import camera_depth, eigen_depth, read_points

Truth = Literal["first", "velodyne", "projected", "improved", "exact"]
"""Where true depth comes from: the exact depth of a synthetic world, LiDAR sweeps, LiDAR already
projected, the accumulated truth of the depth benchmark, or the first of these that is there."""

IMAGE_FOLDERS = tuple(f"image_{number}" for number in COLOUR_CAMERAS)
_TRUTH_PATHS = {
    "exact": "proj_depth/exact/{camera}/{index:010d}.npz",
    "velodyne": "velodyne_points/data/{index:010d}.bin",
    "projected": "proj_depth/velodyne/{camera}/{index:010d}.npz",
    "improved": "proj_depth/groundtruth/{camera}/{index:010d}.png",
}
_TRUTH_WORDS = {
    "exact": "exact depth of a synthetic world",
    "velodyne": "LiDAR sweeps, depth along the camera's axis",
    "projected": "LiDAR as it came projected",
    "improved": ACCUMULATED_MAPS,
}


class KittiRaw(Source):
    """KITTI raw below `root`, in any partial tree, PNG or JPEG; both colour cameras are targets.

    Calibration is that of each date (never one fixed K). `temporal_poses` makes the motion between
    frames known from `poses.txt`, where a drive has it; else only the stereo pose is known.

    Departure: [monodepth2] uses one K and the baseline 0.54 m for all drives.

    Raises:
        FileNotFoundError: no images below `root`.
    """

    def __init__(
        self, root: str | Path, truth: Truth = "first", temporal_poses: bool = False
    ) -> None:
        self.root = Path(root)
        self.truth = truth
        self.temporal_poses = temporal_poses
        self._paths = {
            FrameId(sequence, int(path.stem), camera): path
            for sequence, drive in _drives(self.root)
            for camera, folder in enumerate(IMAGE_FOLDERS)
            for path in list_images(drive / folder / "data")
            if path.stem.isdigit()
        }
        if not self._paths:
            raise FileNotFoundError(
                f"{root}: expected images at <date>/<drive>/image_02/data/0000000000.png (or .jpg) "
                "and found none; give the folder that holds date folders such as 2011_09_26"
            )
        super().__init__(self._paths)
        self._rigs: dict[str, tuple[RigCamera, ...] | None] = {}
        self._damaged: list[str] = []
        self._lidars: dict[str, Float64[np.ndarray, "4 4"] | None] = {}
        self._motions: dict[tuple[str, int], DriveMotion] = {}

    def image_path(self, frame: FrameId) -> Path:
        return self._paths[frame]

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        return PurePosixPath(frame.sequence, IMAGE_FOLDERS[frame.camera], f"{frame.index:010d}.png")

    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        date = _date(sequence)
        if date not in self._rigs:
            self._rigs[date] = self._read_rig(date)
        return self._rigs[date]

    def _read_rig(self, date: str) -> tuple[RigCamera, ...] | None:
        if not (self.root / date / CAMERA_FILE).is_file():
            return None
        try:
            return read_rig(self.root / date)
        except ValueError as error:
            # The other dates can be used; `remarks` tells of this one.
            self._damaged.append(str(error))
            return None

    def remarks(self) -> tuple[str, ...]:
        drives = tuple(self.sequences)
        checks: tuple[tuple[str, Callable[[str], bool]], ...] = (
            (f"no usable {CAMERA_FILE}: no intrinsics, no stereo pose", self._lacks_rig),
            ("no oxts: no speed", lambda drive: not (self.root / drive / "oxts").is_dir()),
            (f"no depth ({self.truth})", self._lacks_depth),
            (f"LiDAR sweeps without usable {LIDAR_FILE}: not read", self._lacks_lidar_pose),
            ("one camera only: no stereo", self._lacks_pair),
        )
        return (*lacking(checks, drives, "drives"), *self._damaged)

    def recorded_motion(
        self, target: FrameId, source: FrameId
    ) -> Float64[np.ndarray, "4 4"] | None:
        if target.sequence != source.sequence:
            return None
        moved = FrameId(target.sequence, source.index, target.camera)
        motion = self._motion(target).first_to_second(target.index, source.index)
        if motion is None or source == moved:
            return motion
        across = super().target_to_source(moved, source)
        return None if across is None else across @ motion

    def distance(self, target: FrameId, source: FrameId) -> float:
        return self._motion(target).distance(target.index, source.index)

    def seconds(self, target: FrameId, source: FrameId) -> float:
        return self._motion(target).seconds(target.index, source.index)

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        kind = self._truth(frame, wanted)
        if kind is None:
            return None
        return FORWARD_SWEEPS if (kind, wanted) == ("velodyne", "eigen") else _TRUTH_WORDS[kind]

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        """Measured depth along the camera's axis in metres at native size, 0 = none, or None.

        Where `eigen` is wanted, sweeps come before all else, as the scanner's forward distance: see
        `leadline.data.velodyne.eigen_depth`.

        Raises:
            ValueError: the file is damaged or not of the image's size.
        """
        kind = self._truth(frame, wanted)
        if kind is None:
            return None
        path = self._path(frame, kind)
        if kind == "velodyne":
            return self._project(frame, path, eigen_depth if wanted == "eigen" else camera_depth)
        return self._read_truth(frame, path)

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        kind = self._truth(frame, wanted)
        if kind is None:
            return ()
        date = self.root / _date(frame.sequence)
        calibration = (date / CAMERA_FILE, date / LIDAR_FILE) if kind == "velodyne" else ()
        return (self._path(frame, kind), *calibration)

    def _read_truth(self, frame: FrameId, path: Path) -> Float32[np.ndarray, "h w"]:
        depth = read_depth(path, divide=KITTI_DIVIDE)
        if depth.shape != self.size(frame):
            raise ValueError(
                f"{path}: expected depth of the image's size {self.size(frame)} (h, w), "
                f"got {depth.shape}; project the LiDAR again or remove the file"
            )
        return depth

    def _project(
        self, frame: FrameId, sweep: Path, form: Callable[..., Float32[np.ndarray, "h w"]]
    ) -> Float32[np.ndarray, "h w"]:
        camera = self.camera(frame)
        lidar_to_rig = self._lidar_to_rig(frame.sequence)
        if camera is None or lidar_to_rig is None:
            raise ValueError(f"{sweep}: a LiDAR sweep needs {CAMERA_FILE} and {LIDAR_FILE}")
        return form(read_points(sweep), lidar_to_rig, projection(camera), self.size(frame))

    def _truth(self, frame: FrameId, wanted: WantedTruth) -> str | None:
        """The first kind that is there of what is wanted."""
        for kind in self._kinds(wanted):
            usable = kind != "velodyne" or self._lidar_to_rig(frame.sequence) is not None
            if usable and self._path(frame, kind).is_file():
                return kind
        return None

    def _kinds(self, wanted: WantedTruth = "any") -> list[str]:
        kinds = list(_TRUTH_PATHS) if self.truth == "first" else [self.truth]
        if wanted == "improved":
            return [kind for kind in kinds if kind == "improved"]
        return sorted(kinds, key=lambda kind: wanted == "eigen" and kind != "velodyne")

    def _path(self, frame: FrameId, kind: str) -> Path:
        name = _TRUTH_PATHS[kind].format(index=frame.index, camera=IMAGE_FOLDERS[frame.camera])
        return self.root / frame.sequence / name

    def _lidar_to_rig(self, sequence: str) -> Float64[np.ndarray, "4 4"] | None:
        date = _date(sequence)
        if date not in self._lidars:
            # Without cameras nobody knows where in an image a point lies.
            self._lidars[date] = None if self.rig(sequence) is None else self._read_lidar(date)
        return self._lidars[date]

    def _read_lidar(self, date: str) -> Float64[np.ndarray, "4 4"] | None:
        if not (self.root / date / LIDAR_FILE).is_file():
            return None
        try:
            return read_lidar_to_rig(self.root / date)
        except ValueError as error:
            self._damaged.append(str(error))
            return None

    def _motion(self, frame: FrameId) -> DriveMotion:
        key = (frame.sequence, frame.camera)
        if key not in self._motions:
            self._motions[key] = DriveMotion(
                self.root / frame.sequence, IMAGE_FOLDERS[frame.camera]
            )
        return self._motions[key]

    def _lacks_rig(self, drive: str) -> bool:
        return self.rig(drive) is None

    def _lacks_depth(self, drive: str) -> bool:
        frames = self.sequences[drive]
        return not any(
            self._path(frame, kind).parent.is_dir()
            for frame in (frames[0], frames[-1])
            for kind in self._kinds()
        )

    def _lacks_lidar_pose(self, drive: str) -> bool:
        sweeps = (self.root / drive / "velodyne_points").is_dir()
        return sweeps and self._lidar_to_rig(drive) is None

    def _lacks_pair(self, drive: str) -> bool:
        return len({frame.camera for frame in self.sequences[drive]}) == 1


def _drives(root: Path) -> Iterator[tuple[str, Path]]:
    for date in _folders(root):
        for drive in _folders(date):
            yield f"{date.name}/{drive.name}", drive


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _date(sequence: str) -> str:
    return sequence.split("/")[0]
