"""Cityscapes, whole or in part: `leftImg8bit/train/aachen/…_leftImg8bit.png` and what is beside."""

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32

from leadline.data.depth_files import DISPARITY_STEPS_PER_PIXEL, read_disparity
from leadline.data.image_files import list_images
from leadline.data.sources.base import FrameId, RigCamera, Source, WantedTruth
from leadline.data.sources.cityscapes_files import read_rig, read_speed, read_time
from leadline.data.sources.lacking import lacking

IMAGE_FOLDERS = ("leftImg8bit", "rightImg8bit")
FRAMES_PER_SECOND = 17.0
_SPLITS = ("train", "val", "test", "train_extra")
_ENDINGS = ("", "_sequence")
"""Of a kind's folder: with the annotated frames alone, or with their whole snippets."""
_BEFORE, _AFTER = 19, 10
"""Frames of a snippet before and after the one that is annotated and has a camera file."""
_NAME = re.compile(r"(?P<sequence>.+_\d{6})_(?P<frame>\d{6})_\w+")
_DISPARITY_WORDS = "disparity of stereo matching, as metres"


class Cityscapes(Source):
    """The images below `root/leftImg8bit` and `root/leftImg8bit_sequence`, and of the right camera.

    A sequence is called `train/aachen/aachen_000000`, its frames by their numbers. Snippets have
    the camera file of their annotated frame alone: it holds for all of them. Times come from
    `timestamp_sequence`, or else 17 frames make a second. The vehicle's own bonnet fills the bottom
    of all pictures: see `crop_bottom` of `DepthData`.

    Raises:
        FileNotFoundError: no images below `root`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._paths = dict(_find_images(self.root))
        if not self._paths:
            raise FileNotFoundError(
                f"{root}: expected images such as leftImg8bit/train/aachen/aachen_000000_000019_"
                "leftImg8bit.png, found none; give the folder that holds leftImg8bit"
            )
        super().__init__(self._paths)
        self._camera_numbers = {name: self._find_cameras(name) for name in _places(self.sequences)}
        self._rigs: dict[Path, tuple[RigCamera, ...] | None] = {}
        self._damaged: list[str] = []
        self._speeds: dict[tuple[str, int], float] = {}
        self._times: dict[tuple[str, int], float] = {}

    @property
    def splits(self) -> Mapping[str, tuple[FrameId, ...]]:
        """The images of `train`, `val`, `test` and `train_extra`, as far as they are here."""
        found: dict[str, list[FrameId]] = defaultdict(list)
        for frame in self.frames:
            found[frame.sequence.split("/")[0]].append(frame)
        return {name: tuple(found[name]) for name in _SPLITS if name in found}

    def image_path(self, frame: FrameId) -> Path:
        return self._paths[frame]

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        name = f"{_stem(frame)}_{IMAGE_FOLDERS[frame.camera]}.png"
        return PurePosixPath(IMAGE_FOLDERS[frame.camera], _place(frame.sequence), name)

    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        """The cameras of a sequence's first snippet; `camera` knows each frame's own."""
        return self._rig(self.sequences[sequence][0])

    def camera(self, frame: FrameId) -> RigCamera | None:
        rig = self._rig(frame)
        return None if rig is None else rig[frame.camera]

    def seconds(self, target: FrameId, source: FrameId) -> float:
        if target.sequence != source.sequence:
            return math.nan
        first, second = (self._time(frame) for frame in (target, source))
        passed = second - first
        numbers = source.index - target.index
        if math.isnan(passed):
            return numbers / FRAMES_PER_SECOND
        # Clocks begin anew with each snippet: across them they tell nothing.
        return passed if passed * numbers > 0 or numbers == 0 else math.nan

    def distance(self, target: FrameId, source: FrameId) -> float:
        """Metres between two frames: speed x time by the trapezoid rule over all frames
        between, NaN where one of them is unknown.
        """
        if target.sequence != source.sequence:
            return math.nan
        first, last = sorted((target.index, source.index))
        frames = [FrameId(target.sequence, index) for index in range(first, last + 1)]
        return sum(
            (self._speed(one) + self._speed(other)) / 2 * self.seconds(one, other)
            for one, other in pairwise(frames)
        )

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        if wanted == "improved" or frame.camera != 0 or self._rig(frame) is None:
            return None
        return _DISPARITY_WORDS if self._disparity(frame).is_file() else None

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        """Metres from the disparity v of a left image, 0 = none: fx x baseline / ((v - 1) / 256).

        Raises:
            ValueError: the file is damaged or not of the image's size.
        """
        rig = self._rig(frame)
        if self.truth_kind(frame, wanted) is None or rig is None:
            return None
        path = self._disparity(frame)
        # 0 is no measurement and 1 is infinitely far: neither is a depth.
        disparity = np.maximum(read_disparity(path) - 1 / DISPARITY_STEPS_PER_PIXEL, 0)
        if disparity.shape != rig[0].size:
            raise ValueError(
                f"{path}: expected disparity of the image's size {rig[0].size} (h, w), got "
                f"{disparity.shape}; copy it again"
            )
        focal_baseline = rig[0].intrinsics[0, 0] * -rig[1].rig_to_camera[0, 3]
        depth = np.zeros(disparity.shape, np.float32)
        measured = disparity > 0
        depth[measured] = focal_baseline / disparity[measured]
        return depth

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        camera = self._camera_file(frame)
        if self.truth_kind(frame, wanted) is None or camera is None:
            return ()
        return self._disparity(frame), camera

    def remarks(self) -> tuple[str, ...]:
        checks: tuple[tuple[str, Callable[[str], bool]], ...] = (
            ("no usable camera files: no intrinsics", lambda name: self.rig(name) is None),
            ("no right images: no stereo", self._lacks_pair),
            ("no disparity: no depth", self._lacks("disparity")),
            ("no vehicle files: no speed", self._lacks("vehicle")),
            ("no timestamps: taken for 17 frames a second", self._lacks("timestamp")),
        )
        return (*lacking(checks, tuple(self.sequences), "sequences"), *self._damaged)

    def _lacks(self, kind: str) -> Callable[[str], bool]:
        there = {
            place: any((self.root / f"{kind}{ending}" / place).is_dir() for ending in _ENDINGS)
            for place in _places(self.sequences)
        }
        return lambda sequence: not there[_place(sequence)]

    def _lacks_pair(self, sequence: str) -> bool:
        return len({frame.camera for frame in self.sequences[sequence]}) == 1

    def _rig(self, frame: FrameId) -> tuple[RigCamera, ...] | None:
        path = self._camera_file(frame)
        if path is None:
            return None
        if path not in self._rigs:
            self._rigs[path] = None
            try:
                self._rigs[path] = read_rig(path)
            except ValueError as error:
                # The other snippets can be used; `remarks` tells of this one.
                self._damaged.append(str(error))
        return self._rigs[path]

    def _camera_file(self, frame: FrameId) -> Path | None:
        place, name = _place(frame.sequence), frame.sequence.rpartition("/")[2]
        files = self._camera_numbers[place].get(name)
        if not files:
            return None
        return files[_nearest(sorted(files), frame.index)]

    def _find_cameras(self, place: str) -> dict[str, dict[int, Path]]:
        """Camera files of a city by sequence and frame number."""
        found: dict[str, dict[int, Path]] = defaultdict(dict)
        for ending in _ENDINGS:
            for path in (self.root / f"camera{ending}" / place).glob("*_camera.json"):
                match = _NAME.fullmatch(path.stem)
                if match is not None:
                    found[match["sequence"]][int(match["frame"])] = path
        return dict(found)

    def _disparity(self, frame: FrameId) -> Path:
        return self._file("disparity", frame, ".png")

    def _time(self, frame: FrameId) -> float:
        key = (frame.sequence, frame.index)
        if key not in self._times:
            self._times[key] = read_time(self._file("timestamp", frame, ".txt"))
        return self._times[key]

    def _speed(self, frame: FrameId) -> float:
        key = (frame.sequence, frame.index)
        if key not in self._speeds:
            self._speeds[key] = read_speed(self._file("vehicle", frame, ".json"))
        return self._speeds[key]

    def _file(self, kind: str, frame: FrameId, suffix: str) -> Path:
        """Where something of a frame lies, or would lie."""
        name = f"{_stem(frame)}_{kind}{suffix}"
        paths = [
            self.root / f"{kind}{ending}" / _place(frame.sequence) / name for ending in _ENDINGS
        ]
        return next((path for path in paths if path.is_file()), paths[0])


def _find_images(root: Path) -> Iterator[tuple[FrameId, Path]]:
    for camera, kind in enumerate(IMAGE_FOLDERS):
        for ending in _ENDINGS:
            for city in (
                path for split in _SPLITS for path in root.glob(f"{kind}{ending}/{split}/*")
            ):
                place = f"{city.parent.name}/{city.name}"
                for path in list_images(city):
                    match = _NAME.fullmatch(path.stem)
                    if match is not None and path.stem.endswith(kind):
                        sequence = f"{place}/{match['sequence']}"
                        yield FrameId(sequence, int(match["frame"]), camera), path


def _nearest(numbers: list[int], frame: int) -> int:
    """The annotated frame whose snippet holds a frame, or else the nearest one."""
    place = bisect_left(numbers, frame)
    around = numbers[max(place - 1, 0) : place + 1]
    return min(around, key=lambda n: (not n - _BEFORE <= frame <= n + _AFTER, abs(n - frame), n))


def _place(sequence: str) -> str:
    """Split and city, as all kinds of files have them."""
    return sequence.rpartition("/")[0]


def _places(sequences: Mapping[str, object]) -> set[str]:
    return {_place(sequence) for sequence in sequences}


def _stem(frame: FrameId) -> str:
    return f"{frame.sequence.rpartition('/')[2]}_{frame.index:06d}"
