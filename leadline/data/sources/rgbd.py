"""RGB-D sequences with poses, as 7-Scenes and the TUM RGB-D benchmark have them."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32, Float64

from leadline.data.depth_files import MOST_STEPS, load_depth
from leadline.data.sources.base import FrameId, RigCamera, WantedTruth
from leadline.data.sources.camera_file import CAMERA_FILE
from leadline.data.sources.lacking import lacking
from leadline.data.sources.posed import Pose, PosedSource
from leadline.data.sources.rgbd_cameras import INTRINSICS_FILE, CameraFiles, RgbdCameras
from leadline.data.sources.rgbd_layouts import FRAME_FILES, recordings
from leadline.data.sources.rgbd_recording import Poses, usual_step
from leadline.data.sources.rgbd_tum import TUM_LIST
from leadline.data.velodyne import camera_depth
from leadline.offset import Offset

LONGEST_PAUSE = 3.0
"""Between neighbours, by the usual time between them: more is a gap in the recording."""
_REGISTERED_WORDS = "depth images"
_BROUGHT_WORDS = "depth images, brought to the colour camera"


class RgbdSequences(PosedSource):
    """The sequences in `root` itself, in its sub-folders and in theirs, of one moving camera.

    Where file names have numbers, these are the frames': a split names what is seen on the disk,
    and a frame that is missing leaves a gap, not a neighbour twice as far. Neighbours are the
    usual difference of the numbers apart (10 where every tenth frame was kept), times `every`;
    from 2 on, `every` n-th of the frames is selected.

    `temporal_poses` makes the motion between frames known; without it the poses only tell
    distances, as an odometer would. Depth that a camera of its own took is brought to the colour
    camera, point by point, the nearest of each pixel winning; `depth_to_colour` moves a point of
    the depth camera into the frame of the colour camera, metres x, y, z.

    Raises:
        FileNotFoundError: no sequence.
        ValueError: one line: a list is damaged, a setting is impossible, or no sequence has a
            camera file that can be read and some have one that cannot.
    """

    def __init__(
        self,
        root: str | Path,
        every: int = 1,
        temporal_poses: bool = False,
        depth_to_colour: Sequence[float] | None = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"every: expected 1 (all frames), 2 (every other) ..., got {every}")
        self.root = Path(root)
        self.temporal_poses = temporal_poses
        if not self.root.is_dir():
            raise FileNotFoundError(f"{root}: expected a folder of RGB-D sequences, found none")
        found = {
            each.folder.relative_to(self.root).as_posix(): each for each in recordings(self.root)
        }
        self._lost = [path for each in found.values() for path in each.lost]
        self._content = {name: each for name, each in found.items() if each.images}
        if not self._content:
            raise FileNotFoundError(
                f"{self._lost[0] if self._lost else root}: expected RGB-D images, as {FRAME_FILES} "
                f"or listed by {TUM_LIST}, and found none; give the folder that holds them"
            )
        self._step = usual_step(self._content.values())
        self.frame_step = self._step * every
        self._damaged: list[str] = []
        self._cameras = self._read_cameras(CameraFiles(self.root, depth_to_colour))
        self._posed: dict[str, Poses] = {}
        self._usual_seconds = {
            name: float(np.median(np.diff(list(each.times.values())))) if len(each.times) > 1 else 0
            for name, each in self._content.items()
        }
        super().__init__(
            FrameId(name, number)
            for name, content in self._content.items()
            for number in content.images
            if every == 1 or (number - min(content.images)) % self.frame_step == 0
        )

    def neighbour(self, frame: FrameId, offset: Offset) -> FrameId | None:
        found = super().neighbour(frame, offset)
        if found is None or offset.time == 0:
            return found
        usual = self._usual_seconds[frame.sequence] * abs(offset.time) * self.frame_step
        # A list of times goes on after a pause as if there had been none.
        is_pause = usual > 0 and abs(self.seconds(frame, found)) > LONGEST_PAUSE * usual
        return None if is_pause else found

    def image_path(self, frame: FrameId) -> Path:
        return self._content[frame.sequence].images[frame.index]

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        return PurePosixPath(frame.sequence, f"{self.image_path(frame).stem}.png")

    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        cameras = self._cameras[sequence]
        return None if cameras is None else (cameras.colour,)

    def camera_to_world(self, frame: FrameId) -> Pose | None:
        content, cameras = self._content[frame.sequence], self._cameras[frame.sequence]
        pose = self._poses(frame.sequence).known.get(frame.index)
        if pose is None or cameras is None or not content.poses_of_depth:
            return pose
        moved: Pose = pose @ cameras.depth.rig_to_camera
        return moved

    def seconds(self, target: FrameId, source: FrameId) -> float:
        if target.sequence != source.sequence:
            return math.nan
        times, cameras = self._content[target.sequence].times, self._cameras[target.sequence]
        if times:
            return times[source.index] - times[target.index]
        if cameras is not None and cameras.fps is not None:
            return (source.index - target.index) / cameras.fps
        return math.nan

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        if wanted == "improved" or frame.index not in self._content[frame.sequence].depths:
            return None
        cameras = self._cameras[frame.sequence]
        return _REGISTERED_WORDS if cameras is None or cameras.registered else _BROUGHT_WORDS

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        """Depth along the colour camera's axis in metres at the size of its images, 0 = none.

        Raises:
            ValueError: the file is damaged, or not of its camera's size.
        """
        if self.truth_kind(frame, wanted) is None:
            return None
        content, cameras = self._content[frame.sequence], self._cameras[frame.sequence]
        path = content.depths[frame.index]
        depth = load_depth(path, divide=content.divide)
        depth[depth >= MOST_STEPS / content.divide] = 0
        size = self.size(frame) if cameras is None else cameras.depth.size
        if depth.shape != size:
            raise ValueError(
                f"{path}: expected depth of {size[1]}x{size[0]}, got "
                f"{depth.shape[1]}x{depth.shape[0]}; export it at the size of its camera"
            )
        if cameras is None or cameras.registered:
            return depth.astype(np.float32)
        return _seen_by_colour(depth, cameras)

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        if self.truth_kind(frame, wanted) is None:
            return ()
        cameras = self._cameras[frame.sequence]
        calibration = () if cameras is None or cameras.registered else cameras.files
        return self._content[frame.sequence].depths[frame.index], *calibration

    def remarks(self) -> tuple[str, ...]:
        names = tuple(self.sequences)
        said = {c.said for c in self._cameras.values() if c is not None and c.said is not None}
        checks: list[tuple[str, Callable[[str], bool]]] = [
            (
                f"no usable {CAMERA_FILE} or {INTRINSICS_FILE}: no intrinsics",
                lambda name: self._cameras[name] is None,
            ),
            ("no poses: no distance, no motion", lambda name: not self._poses(name).known),
            ("no depth images", lambda name: not self._content[name].depths),
            (f"no two frames {self.frame_step} numbers apart: no neighbours", self._alone),
            *((text, lambda name, text=text: self._said(name) == text) for text in sorted(said)),
        ]
        lines = [*lacking(checks, names, "sequences"), *self._unknown_poses(), *self._without()]
        if self._step > 1:
            lines.append(f"of every {self._step} frames one is here: neighbours are so far apart")
        return (*lines, *self._damaged)

    def _read_cameras(self, files: CameraFiles) -> dict[str, RgbdCameras | None]:
        cameras: dict[str, RgbdCameras | None] = {}
        for name, content in self._content.items():
            try:
                cameras[name] = files.cameras(content)
            except ValueError as error:
                # The other sequences can be used; `remarks` tells of this one.
                cameras[name] = None
                self._damaged.append(str(error))
        if self._damaged and not any(cameras.values()):
            raise ValueError(self._damaged[0])
        self._damaged = list(dict.fromkeys(self._damaged))
        return cameras

    def _poses(self, sequence: str) -> Poses:
        if sequence not in self._posed:
            self._posed[sequence] = self._content[sequence].read_poses()
        return self._posed[sequence]

    def _said(self, sequence: str) -> str | None:
        cameras = self._cameras[sequence]
        return None if cameras is None else cameras.said

    def _alone(self, sequence: str) -> bool:
        frames = self.sequences[sequence]
        return all(self.neighbour(frame, Offset(1)) is None for frame in frames)

    def _unknown_poses(self) -> Iterator[str]:
        """One line for each reason, of the sequences that have other poses."""
        places: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.sequences:
            poses = self._poses(name)
            for reason, these in poses.unknown.items() if poses.known else ():
                places[reason] += these
        for reason, where in places.items():
            yield f"{len(where)} poses unknown, {reason}, first: {where[0]}"

    def _without(self) -> Iterator[str]:
        frames = [
            frame
            for frame in self.frames
            if self._content[frame.sequence].depths and not self.has_depth(frame)
        ]
        if frames:
            yield (
                f"{len(frames)} of {len(self.frames)} images without a depth image, first: "
                f"{self.image_path(frames[0])}"
            )
        if self._lost:
            count = len(self._lost)
            yield f"{count} images that {TUM_LIST} lists are not here, first: {self._lost[0]}"


def _seen_by_colour(
    depth: Float64[np.ndarray, "_ _"], cameras: RgbdCameras
) -> Float32[np.ndarray, "h w"]:
    """Every measured point at the pixel of the colour camera on which it falls."""
    rows, columns = np.nonzero(depth)
    pixels = np.stack([columns, rows, np.ones_like(rows)]).astype(np.float64)
    points = (np.linalg.inv(cameras.depth.intrinsics) @ pixels * depth[rows, columns]).T
    projection = cameras.colour.intrinsics @ np.eye(3, 4)
    return camera_depth(points, cameras.depth_to_colour, projection, cameras.colour.size)
