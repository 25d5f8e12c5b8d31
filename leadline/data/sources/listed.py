"""Single images with measured depth, named by a list: NYUv2, KITTI's depth, and one's own."""

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float32

from leadline.data.depth_files import depth_size, read_depth, recorded_divide
from leadline.data.image_files import image_size
from leadline.data.sources.base import (
    ACCUMULATED_MAPS,
    FrameId,
    RigCamera,
    Source,
    WantedTruth,
)
from leadline.data.sources.list_files import (
    NO_DEPTH,
    Damage,
    ListedImage,
    counted,
    frame_ids,
    look_at,
    read_list,
)
from leadline.offset import TARGET, Offset

Broken = Literal["skip", "refuse"]
"""What becomes of a line whose files cannot be used."""
_TRUTH_WORDS = "depth maps of a list"
_ACCUMULATED_FOLDERS = "proj_depth/groundtruth/"
"""In a path of KITTI's accumulated maps."""
_SETTING = "`--source {0}`, in training `--data.source.init_args.{0}`"


class ListedFrames(Source):
    """The images of the list `root`, `IMAGE DEPTH [FOCAL]` a line as in [bts].

    Images are taken one by one: they have no neighbours, for a list does not say which follow each
    other. A focal length in pixels makes a camera whose axis meets the middle of the image; without
    one there is none. Depth lies in the image, and may be of another size.

    Args:
        root: the list.
        folder: where its paths begin; by default the list's own folder.
        depth_folder: where those of depth begin, if elsewhere.
        divide: units per metre of PNG depth that records none, 1000 for NYUv2's raw frames, 256 for
            KITTI; `.npy` is in metres.
        broken: whether lines whose files are missing, empty or unreadable by their heads, or whose
            image was listed before, are left out, which `remarks` tells, or refused.

    Raises:
        FileNotFoundError: no list, no folder, or none of the images.
        ValueError: one line: the list has another form, lines are broken and to be refused, or
            nobody knows the units of PNG depth.
    """

    def __init__(
        self,
        root: str | Path,
        folder: str | Path | None = None,
        depth_folder: str | Path | None = None,
        divide: float | None = None,
        broken: Broken = "skip",
    ) -> None:
        self._list = Path(root)
        if not self._list.is_file():
            raise FileNotFoundError(f"{root}: expected a list of images, found no such file")
        self.root = self._list.parent if folder is None else Path(folder)
        self._depth_root = self.root if depth_folder is None else Path(depth_folder)
        for name, place in (("folder", self.root), ("depth_folder", self._depth_root)):
            if not place.is_dir():
                raise FileNotFoundError(
                    f"{name}: expected the folder where paths of {root} begin, found no {place}"
                )
        self._divide = divide
        listed = read_list(self._list)
        self._lost: defaultdict[str, list[str]] = defaultdict(list)
        sizes: dict[PurePosixPath, tuple[int, int]] = {}
        once = self._listed_once(listed)
        for each in once:
            size = self._usable(each)
            if size is not None:
                sizes[each.image] = size
        self._refuse(broken, len(listed), bool(sizes))
        self._count = len(listed)
        self._content = {
            frame: each for frame, each in frame_ids(once).items() if each.image in sizes
        }
        self._check_units()
        super().__init__(self._content)
        self._sizes |= {frame: sizes[each.image] for frame, each in self._content.items()}

    def neighbour(self, frame: FrameId, offset: Offset) -> FrameId | None:
        return frame if offset == TARGET and frame in self else None

    def image_path(self, frame: FrameId) -> Path:
        return self.root / self._content[frame].image

    def hint_path(self, frame: FrameId) -> PurePosixPath:
        return self._content[frame].image.with_suffix(".png")

    def rig(self, sequence: str) -> tuple[RigCamera, ...] | None:
        """The camera of the first image that has one; see `camera` for that of each."""
        cameras = map(self.camera, self.sequences[sequence])
        first = next((camera for camera in cameras if camera is not None), None)
        return None if first is None else (first,)

    def camera(self, frame: FrameId) -> RigCamera | None:
        focal = self._content[frame].focal
        if focal is None:
            return None
        height, width = self.size(frame)
        middle = (width - 1) / 2, (height - 1) / 2
        intrinsics = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
        return RigCamera(intrinsics, (height, width), np.eye(4))

    def truth_kind(self, frame: FrameId, wanted: WantedTruth = "any") -> str | None:
        depth = self._content[frame].depth
        if depth is not None and _ACCUMULATED_FOLDERS in depth.as_posix():
            return ACCUMULATED_MAPS
        return None if depth is None or wanted == "improved" else _TRUTH_WORDS

    def true_depth(
        self, frame: FrameId, wanted: WantedTruth = "any"
    ) -> Float32[np.ndarray, "h w"] | None:
        """Depth in metres at its file's own size, 0 = none; None where the list has none.

        Raises:
            ValueError: the file is damaged, or its units are unknown or others than given.
        """
        files = self.truth_files(frame, wanted)
        return read_depth(files[0], self._divide) if files else None

    def truth_files(self, frame: FrameId, wanted: WantedTruth = "any") -> tuple[Path, ...]:
        depth = self._content[frame].depth
        if depth is None or self.truth_kind(frame, wanted) is None:
            return ()
        return (self._depth_root / depth,)

    def remarks(self) -> tuple[str, ...]:
        lines = [
            f"{len(examples)} of {self._count} lines left out, {reason}, first: {examples[0]}"
            for reason, examples in self._lost.items()
        ]
        lacks = {
            f"without true depth ({NO_DEPTH})": [
                f for f, e in self._content.items() if not e.depth
            ],
            "without a focal length: no intrinsics": [
                f for f, e in self._content.items() if e.focal is None
            ],
        }
        lines += [
            f"{len(found)} of {len(self.frames)} images {text}, first: {self.image_path(found[0])}"
            for text, found in lacks.items()
            if found
        ]
        return tuple(lines)

    def _listed_once(self, listed: list[ListedImage]) -> list[ListedImage]:
        first: dict[PurePosixPath, ListedImage] = {}
        for each in listed:
            before = first.setdefault(each.image, each)
            if before is not each:
                detail = f"line {each.line}: {each.image}, as in line {before.line}"
                self._lost["image listed before"].append(detail)
        return list(first.values())

    def _usable(self, each: ListedImage) -> tuple[int, int] | None:
        """(h, w) of an image that can be read, as can its depth, as far as their heads tell."""
        size = look_at(self.root / each.image, image_size)
        if isinstance(size, Damage):
            self._note("image", size, each)
            return None
        if each.depth is not None:
            depth = look_at(self._depth_root / each.depth, depth_size)
            if isinstance(depth, Damage):
                self._note("depth", depth, each)
                return None
        return size

    def _note(self, what: str, damage: Damage, each: ListedImage) -> None:
        self._lost[f"{what} {damage.reason}"].append(f"line {each.line}: {damage.detail}")

    def _refuse(self, broken: Broken, count: int, any_left: bool) -> None:
        if not self._lost or (any_left and broken == "skip"):
            return
        example = next(iter(self._lost.values()))[0]
        if not any_left:
            raise FileNotFoundError(
                f"{self._list}: expected images that can be used, found none in {count} lines "
                f"({counted(self._lost)}), first: {example}; say where its paths begin: "
                f"{_SETTING.format('folder=FOLDER')}"
            )
        lost = sum(map(len, self._lost.values()))
        raise ValueError(
            f"{self._list}: expected files that can be used in all {count} lines, got {lost} "
            f"without ({counted(self._lost)}), first: {example}; correct these lines, or leave "
            "them out by broken=skip"
        )

    def _check_units(self) -> None:
        """Ask the first PNG: all of a list are of one making."""
        depths = (self._depth_root / each.depth for each in self._content.values() if each.depth)
        first = next((path for path in depths if path.suffix.lower() == ".png"), None)
        if self._divide is not None and not self._divide > 0:
            raise ValueError(f"divide: expected units per metre, more than 0, got {self._divide:g}")
        recorded = None if first is None else recorded_divide(first)
        if first is not None and recorded is None and self._divide is None:
            raise ValueError(
                f"{first}: expected a PNG that records its units per metre, got none; give divide, "
                "1000 for NYUv2's raw frames, 256 for KITTI: "
                f"{_SETTING.format('divide=1000')}"
            )
        if recorded is not None and self._divide not in (None, recorded):
            raise ValueError(
                f"{first}: was written with divide={recorded:g}, not {self._divide:g}; leave out "
                "divide, or correct it"
            )
