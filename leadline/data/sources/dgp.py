"""DDAD, and other scenes in the format DGP: JSON files that name images, LiDAR clouds and poses."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32, Float64

from leadline.data.sources.base import FrameId, RigCamera, WantedTruth
from leadline.data.sources.dgp_files import (
    Datum,
    Moment,
    SensorCalibration,
    read_calibration,
    read_cloud,
    read_scene,
    read_scene_lists,
)
from leadline.data.sources.lacking import lacking
from leadline.data.sources.posed import Pose, PosedSource
from leadline.data.velodyne import camera_depth

SCENE_FILES = "scene_*.json"
FRONT = "CAMERA_01"
"""DDAD's camera that looks ahead."""
_LIST_FILE = "ddad.json"
_LIDAR_WORDS = "LiDAR clouds, depth along the camera's axis"
_MOST_TURN = 20.0
"""Degrees that a vehicle can turn between the exposures of one moment, with much to spare."""


class DgpScenes(PosedSource):
    """The scenes below `root`, each a folder with its `scene_*.json`; frames are its samples.

    Each of `cameras` makes a sequence of its own, as `000150/CAMERA_01`: there are no stereo pairs.
    `temporal_poses` makes the motion between frames known; without it the poses only tell
    distances, as an odometer would. What each scene file names and the disk does not have is left
    out.

    The pose of a datum is taken as sensor to world at the sensor's own time, so that a point that
    the LiDAR saw is moved with the vehicle to where the camera was. Where these poses contradict
    the calibration, the clouds are not read.

    Raises:
        FileNotFoundError: no scene, or none of the images that scenes name.
        ValueError: no scene can be read, or no scene has such a camera.
    """

    def __init__(
        self,
        root: str | Path,
        cameras: Sequence[str] | str = (FRONT,),
        temporal_poses: bool = False,
    ) -> None:
        self.root = Path(root)
        self.cameras = (cameras,) if isinstance(cameras, str) else tuple(cameras)
        self.temporal_poses = temporal_poses
        self._damaged: list[str] = []
        self._list_file, self._lists = self._read_lists()
        self._scene_files = _scene_files(self.root, self._lists)
        self._scenes = self._read_scenes()
        self._check_cameras()
        self._calibrations: dict[Path, Mapping[str, SensorCalibration] | None] = {}
        self._pinholes: dict[tuple[Path, str, tuple[int, int]], RigCamera | None] = {}
        self._fits: dict[str, bool] = {}
        self._present = _Listing()
        named = [
            FrameId(f"{scene}/{camera}", index)
            for scene, moments in self._scenes.items()
            for camera in self.cameras
            for index, moment in enumerate(moments)
            if camera in moment.images
        ]
        self._absent = [frame for frame in named if self.image_path(frame) not in self._present]
        if len(self._absent) == len(named):
            raise FileNotFoundError(
                f"{self.image_path(named[0])}: expected the images that the scene files name, "
                "found none; unpack them beside their scene file"
            )
        super().__init__(sorted(set(named) - set(self._absent)))

    @property
    def splits(self) -> Mapping[str, tuple[FrameId, ...]]:
        """The lists of the data set's own file (`ddad.json`), as far as their scenes are here."""
        scenes = {name: set(map(_folder, files)) for name, files in self._lists.items()}
        found = {
            name: tuple(frame for frame in self.frames if _scene(frame.sequence) in members)
            for name, members in scenes.items()
        }
        return {name: frames for name, frames in found.items() if frames}

    def image_path(self, frame: FrameId) -> Path:
        return self._datum(frame).path

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        return PurePosixPath(frame.sequence, f"{self.image_path(frame).stem}.png")

    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        """The one camera of a sequence, by the calibration of its first frame."""
        camera = self.camera(self.sequences[sequence][0])
        return None if camera is None else (camera,)

    def camera(self, frame: FrameId) -> RigCamera | None:
        name, datum = _camera(frame.sequence), self._datum(frame)
        size = datum.size or self._stored_size(frame)
        if size is None:
            return None
        path = self._moment(frame).calibration
        if (path, name, size) not in self._pinholes:
            self._pinholes[path, name, size] = self._read_camera(path, name, size)
        return self._pinholes[path, name, size]

    def camera_to_world(self, frame: FrameId) -> Pose | None:
        return self._datum(frame).sensor_to_world

    def seconds(self, target: FrameId, source: FrameId) -> float:
        if target.sequence != source.sequence:
            return math.nan
        return self._datum(source).seconds - self._datum(target).seconds

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        cloud = self._moment(frame).cloud
        if wanted == "improved" or cloud is None or cloud.path not in self._present:
            return None
        return None if self._lidar_to_camera(frame) is None else _LIDAR_WORDS

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        """LiDAR along the camera's axis in metres, the nearest point of each pixel, 0 = none.

        Raises:
            ValueError: the point cloud is damaged.
        """
        if self.truth_kind(frame, wanted) is None:
            return None
        cloud, camera = self._moment(frame).cloud, self.camera(frame)
        lidar_to_camera = self._lidar_to_camera(frame)
        assert cloud is not None
        assert camera is not None
        assert lidar_to_camera is not None
        projection = camera.intrinsics @ np.eye(3, 4)
        return camera_depth(read_cloud(cloud.path), lidar_to_camera, projection, camera.size)

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        if self.truth_kind(frame, wanted) is None:
            return ()
        moment = self._moment(frame)
        assert moment.cloud is not None
        return moment.cloud.path, moment.calibration, self._scene_files[_scene(frame.sequence)]

    def remarks(self) -> tuple[str, ...]:
        checks: tuple[tuple[str, Callable[[str], bool]], ...] = (
            ("no usable calibration: no intrinsics", lambda name: self.rig(name) is None),
            ("no poses: no distance, no LiDAR depth", self._lacks_poses),
            ("no LiDAR point clouds: no depth", self._lacks_clouds),
            ("poses contradict the calibration: LiDAR not read", self._contradicts),
        )
        lines = list(lacking(checks, tuple(self.sequences), "sequences"))
        if self._absent:
            lines.append(
                f"{len(self._absent)} images that scene files name are not here, first: "
                f"{self.image_path(self._absent[0])}"
            )
        return (*lines, *self._missing_scenes(), *self._damaged)

    def _missing_scenes(self) -> list[str]:
        listed = [_folder(file) for files in self._lists.values() for file in files]
        missing = [scene for scene in listed if scene not in self._scenes]
        if not missing:
            return []
        return [
            f"{len(missing)} of {len(listed)} scenes that {self._list_file} lists are not here, "
            f"first: {missing[0]}"
        ]

    def _read_lists(self) -> tuple[str, Mapping[str, tuple[str, ...]]]:
        for path in sorted(self.root.glob("*.json"), key=lambda p: (p.name != _LIST_FILE, p.name)):
            try:
                lists = read_scene_lists(path)
            except ValueError as error:
                self._damaged.append(str(error))
                continue
            if lists:
                return path.name, lists
        return "", {}

    def _read_scenes(self) -> dict[str, tuple[Moment, ...]]:
        if not self._scene_files:
            raise FileNotFoundError(
                f"{self.root}: expected scene folders such as 000150 with {SCENE_FILES}, found "
                "none; give the folder that holds them"
            )
        scenes, first = {}, len(self._damaged)
        for name, path in self._scene_files.items():
            try:
                scenes[name] = read_scene(path)
            except ValueError as error:
                self._damaged.append(str(error))
        if not scenes:
            raise ValueError(self._damaged[first])
        return scenes

    def _check_cameras(self) -> None:
        moments = [moment for scene in self._scenes.values() for moment in scene]
        known = {name for moment in moments for name in moment.images}
        unknown = [name for name in self.cameras if name not in known]
        if unknown or not self.cameras:
            raise ValueError(
                f"cameras: expected some of {', '.join(sorted(known))}, got "
                f"{', '.join(unknown) or 'none'}; the scene files in {self.root} name no other"
            )

    def _moment(self, frame: FrameId) -> Moment:
        return self._scenes[_scene(frame.sequence)][frame.index]

    def _datum(self, frame: FrameId) -> Datum:
        return self._moment(frame).images[_camera(frame.sequence)]

    def _stored_size(self, frame: FrameId) -> tuple[int, int] | None:
        try:
            return self.size(frame)
        except (OSError, ValueError):
            return None

    def _calibration(self, path: Path) -> Mapping[str, SensorCalibration] | None:
        if path not in self._calibrations:
            self._calibrations[path] = None
            try:
                self._calibrations[path] = read_calibration(path)
            except FileNotFoundError:
                pass
            except ValueError as error:
                # The other scenes can be used; `remarks` tells of this one.
                self._damaged.append(str(error))
        return self._calibrations[path]

    def _read_camera(self, path: Path, name: str, size: tuple[int, int]) -> RigCamera | None:
        sensors = self._calibration(path)
        if sensors is None:
            return None
        try:
            return _pinhole(path, sensors, name, size)
        except ValueError as error:
            self._damaged.append(str(error))
            return None

    def _lidar_to_camera(self, frame: FrameId) -> Float64[np.ndarray, "4 4"] | None:
        cloud, datum = self._moment(frame).cloud, self._datum(frame)
        if cloud is None or cloud.sensor_to_world is None or datum.sensor_to_world is None:
            return None
        if self.camera(frame) is None or self._contradicts(frame.sequence):
            return None
        moved: Float64[np.ndarray, "4 4"]
        moved = np.linalg.inv(datum.sensor_to_world) @ cloud.sensor_to_world
        return moved

    def _contradicts(self, sequence: str) -> bool:
        """Whether camera and LiDAR stand otherwise by their poses than by the calibration, as they
        do where poses are those of the vehicle. One frame is asked.
        """
        if sequence not in self._fits:
            turns = (self._turn(frame) for frame in self.sequences[sequence])
            known = next((turn for turn in turns if turn is not None), 0.0)
            self._fits[sequence] = known <= _MOST_TURN
        return not self._fits[sequence]

    def _turn(self, frame: FrameId) -> float | None:
        """Degrees between LiDAR to camera by the poses and by the calibration."""
        moment, datum = self._moment(frame), self._datum(frame)
        sensors = self._calibration(moment.calibration) or {}
        pair = [sensors.get(name) for name in (_camera(frame.sequence), moment.cloud_sensor)]
        outer = [None if sensor is None else sensor.sensor_to_vehicle for sensor in pair]
        inner = [datum.sensor_to_world, moment.cloud.sensor_to_world if moment.cloud else None]
        rotations = [pose[:3, :3] for pose in (*outer, *inner) if pose is not None]
        if len(rotations) < len(outer) + len(inner):
            return None
        camera, lidar, camera_now, lidar_now = rotations
        between = (camera.T @ lidar).T @ (camera_now.T @ lidar_now)
        return math.degrees(math.acos(float(np.clip((np.trace(between) - 1) / 2, -1, 1))))

    def _lacks_poses(self, sequence: str) -> bool:
        return all(self._datum(f).sensor_to_world is None for f in self.sequences[sequence])

    def _lacks_clouds(self, sequence: str) -> bool:
        clouds = (self._moment(frame).cloud for frame in self.sequences[sequence])
        return not any(cloud is not None and cloud.path in self._present for cloud in clouds)


class _Listing:
    """Which files there are: each folder is listed once, which is faster than a question each."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def __contains__(self, path: Path) -> bool:
        folder = path.parent
        if folder not in self._names:
            self._names[folder] = frozenset(os.listdir(folder) if folder.is_dir() else ())
        return path.name in self._names[folder]


def _scene_files(root: Path, lists: Mapping[str, Iterable[str]]) -> dict[str, Path]:
    """By folder: the file that the data set lists, or else the first."""
    found = {
        path.parent.relative_to(root).as_posix(): path
        for path in sorted(root.glob(f"*/{SCENE_FILES}"), reverse=True)
    }
    listed = {_folder(file): root / file for files in lists.values() for file in files}
    return dict(sorted((found | {n: p for n, p in listed.items() if p.is_file()}).items()))


def _folder(file: str) -> str:
    return PurePosixPath(file).parent.as_posix()


def _scene(sequence: str) -> str:
    return sequence.rpartition("/")[0]


def _camera(sequence: str) -> str:
    return sequence.rpartition("/")[2]


def _pinhole(
    path: Path, sensors: Mapping[str, SensorCalibration], name: str, size: tuple[int, int]
) -> RigCamera:
    sensor = sensors.get(name)
    if sensor is None:
        raise ValueError(
            f"{path}: expected a calibration of {name}, got {', '.join(sensors)}; copy it again"
        )
    if (
        not (sensor.intrinsics[[0, 1], [0, 1]] > 0).all()
        or not np.isfinite(sensor.intrinsics).all()
    ):
        raise ValueError(
            f"{path}: expected fx and fy of {name} in pixels, got "
            f"{sensor.intrinsics[0, 0]:g} and {sensor.intrinsics[1, 1]:g}; copy it again"
        )
    if sensor.distortion:
        key, value = next(iter(sensor.distortion.items()))
        raise ValueError(
            f"{path}: expected images of {name} without distortion, got {key} = {value:g}; "
            "undistort them first and give the new camera"
        )
    return RigCamera(sensor.intrinsics, size, np.eye(4))
