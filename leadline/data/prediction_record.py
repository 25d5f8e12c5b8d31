"""`predictions.json`: what made a folder of predictions, of which images, and where its depth lies.

Written by `leadline predict` and by evaluations; read by whoever scores such a folder, or must not
take it for photographs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from leadline.colour import DepthScale
from leadline.data.depth_files import KITTI_DIVIDE, MILLIMETRES
from leadline.data.depth_resize import Resize
from leadline.files import atomic_path

RECORD = "predictions.json"
Output = Literal["npy", "kitti", "millimetres", "colour"]
"""Each lies in a folder of its own name."""
DEPTH_OUTPUTS: tuple[Output, ...] = ("npy", "kitti", "millimetres")
"""Those that hold depth, the most exact and far-reaching first."""
SUFFIX: Mapping[Output, str] = {
    "npy": ".npy",
    "kitti": ".png",
    "millimetres": ".png",
    "colour": ".png",
}
DIVIDE: Mapping[Output, int] = {"millimetres": MILLIMETRES, "kitti": KITTI_DIVIDE}
"""Units of the 16-bit PNG in one metre."""


@dataclass(frozen=True)
class PredictionSettings:
    """What predicted, and how: predictions of other settings are other predictions."""

    model: str
    """Fingerprint of the weights."""
    recipe: str
    metric: bool
    """Whether depths are in metres; else they are right up to one unknown factor."""
    size: tuple[int, int]
    """(h, w) that the network saw."""
    flip: bool
    """Whether each prediction is blended with that of the mirrored picture."""
    upright: bool = False
    """Whether pictures were turned as their cameras noted; else they lie as they are stored, as the
    truth of a rig does."""
    crop_bottom: float = 0.0
    """Share of each picture's height, at its bottom, in which nothing is predicted."""
    resize: Resize = "inverse_depth"
    """How depth was brought to the size of its picture."""
    manner: str = ""
    """What the network saw beside each picture, and how it went on learning on them before."""

    @property
    def name(self) -> str:
        """For people, and unlike that of any other model."""
        return f"{self.recipe or 'model'} {self.model}{self._added}"

    @property
    def _added(self) -> str:
        flip = " flip" if self.flip else ""
        return f"{flip}, {self.manner.split(',')[0]}" if self.manner else flip

    def differences(self, other: "PredictionSettings") -> str:
        """What is otherwise in `other`; nothing where they are equal."""
        mine, theirs = asdict(self), asdict(other)
        return ", ".join(
            f"{key} {mine[key]} instead of {theirs[key]}"
            for key in mine
            if mine[key] != theirs[key]
        )


@dataclass(frozen=True)
class PredictionRecord:
    """What `predictions.json` says of the folder that it lies in."""

    settings: PredictionSettings
    photographs: Mapping[str, str]
    """The image of each result that was asked for, written or not: results of other images by the
    same names are not taken for those of this run."""
    colours: DepthScale | None = None
    states: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of each image by the name of its result, as `file_state` has it: results of what has changed
    since are not those of the image that is there now."""

    def save(self, folder: Path) -> None:
        """Write it into the folder."""
        unit = "metre" if self.settings.metric else "arbitrary"
        values = asdict(self) | {"settings": asdict(self.settings) | {"unit": unit}}
        with atomic_path(folder / RECORD) as temporary:
            temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "PredictionRecord | None":
        """Read it from a folder; `None` where the folder has none, as that of another program.

        Raises:
            ValueError: the file is there and is not such a record.
        """
        path = folder / RECORD
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            settings = dict(values["settings"])
            del settings["unit"]
            # As it was called before networks were told from others that look at neighbours.
            settings.setdefault("manner", settings.pop("refined", ""))
            colours = values["colours"]
            return cls(
                PredictionSettings(**settings | {"size": tuple(settings["size"])}),
                dict(values["photographs"]),
                None if colours is None else DepthScale(**colours),
                {name: (size, time) for name, (size, time) in values.get("states", {}).items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path}: expected the record of a `leadline predict`, got another file "
                f"({error!r}); give another folder, or delete the file if the depth maps beside it "
                "are of another program"
            ) from None


def find_record(folder: Path) -> tuple[Path, PredictionRecord] | None:
    """The record of a folder or, where it holds one kind of output, that of the folder around it.

    Raises:
        ValueError: as `PredictionRecord.load`.
    """
    record = PredictionRecord.load(folder)
    if record is not None:
        return folder, record
    own = folder.resolve()
    record = PredictionRecord.load(own.parent) if own.name in SUFFIX else None
    return None if record is None else (own.parent, record)
