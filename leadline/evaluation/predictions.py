"""A folder of exported predictions: what was predicted, by what, in which unit."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.names import id_to_stem, name_some
from leadline.files import atomic_path

MANIFEST = "predictions.json"
PNG_PER_METRE = 256  # KITTI's 16-bit depth
PNG_LARGEST = np.iinfo(np.uint16).max

Format = Literal["npy", "png"]


@dataclass(frozen=True)
class Manifest:
    """What `predictions.json` says of the files beside it."""

    metric: bool
    """Whether depths are in metres; else they are right up to one unknown factor."""
    model: str
    format: Format
    ids: tuple[str, ...]
    """Every image that the export was asked for, written or not."""

    @property
    def divide(self) -> float | None:
        """Units of the PNG in one metre; `None` for npy, which holds the depths themselves."""
        return PNG_PER_METRE if self.format == "png" else None

    @classmethod
    def load(cls, folder: Path) -> "Manifest | None":
        """Read it from a folder; `None` where the folder has none, as that of another program.

        Raises:
            ValueError: the file is there and is not a manifest.
        """
        path = folder / MANIFEST
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls(
                metric=values["metric"],
                model=values["model"],
                format=values["format"],
                ids=tuple(values["ids"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"expected metric, model, format and ids in {path}, got {error!r}; "
                "export again, or delete the file and say the units yourself"
            ) from error
        return manifest

    def save(self, folder: Path) -> None:
        """Write it into the folder."""
        values = asdict(self) | {"unit": "metre" if self.metric else "arbitrary"}
        with atomic_path(folder / MANIFEST) as path:
            path.write_text(json.dumps(values, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class PredictionExport:
    """Writes one file per image; started again on the same folder, it goes on where it stopped."""

    folder: Path
    manifest: Manifest

    @classmethod
    def start(
        cls,
        folder: Path,
        ids: Sequence[str],
        *,
        model: str,
        metric: bool,
        format: Format = "npy",
    ) -> "PredictionExport":
        """Begin or resume an export of `ids`.

        Raises:
            ValueError: the folder holds another export, or the format cannot hold these depths.
        """
        if format == "png" and not metric:
            raise ValueError(
                "expected metres for 16-bit PNG, got depths of unknown scale; export them as npy"
            )
        manifest = Manifest(metric, model, format, tuple(ids))
        previous = Manifest.load(folder)
        if previous is not None and previous != manifest:
            raise ValueError(
                f"expected an empty folder or the same export in {folder}, got one of model "
                f"{previous.model!r}, {len(previous.ids)} images, {previous.format}; "
                "choose another folder"
            )
        manifest.save(folder)
        return cls(folder, manifest)

    @property
    def pending(self) -> tuple[str, ...]:
        """The images still to be written."""
        return tuple(image_id for image_id in self.manifest.ids if not self.path(image_id).exists())

    def path(self, image_id: str) -> Path:
        """Where an image's depth lies."""
        return self.folder / f"{id_to_stem(image_id)}.{self.manifest.format}"

    def write(self, image_id: str, depth: Float[np.ndarray, "h w"]) -> None:
        """Write one depth map at the size at which it comes, whole or not at all.

        A PNG rounds to 1/256 m and ends at 255.996 m, to which farther pixels are brought.

        Raises:
            ValueError: the id was not announced, or the depth has values that are not positive
                numbers.
        """
        if image_id not in self.manifest.ids:
            raise ValueError(
                f"expected one of the {len(self.manifest.ids)} announced ids, got {image_id!r}"
            )
        if not (depth > 0).all():
            raise ValueError(f"expected positive depth for {image_id!r}, got zero, negative or NaN")
        with atomic_path(self.path(image_id)) as path:
            if self.manifest.format == "npy":
                np.save(path, depth.astype(np.float32))
            else:
                units = np.rint(np.minimum(depth * PNG_PER_METRE, PNG_LARGEST)).astype(np.uint16)
                _write_png(path, units)


def open_predictions(
    folder: Path, divide: float | None = None
) -> tuple[DepthFolder, Manifest | None]:
    """Predictions of this or another program; `divide` is needed for PNGs of another.

    Raises:
        FileNotFoundError: there is no such folder, or no depth map in it.
        ValueError: an export of this program is unfinished or says another `divide`.
    """
    manifest = Manifest.load(folder)
    if manifest is None:
        return DepthFolder.open(folder, divide), None
    if divide not in (None, manifest.divide):
        raise ValueError(
            f"expected divide={manifest.divide} as in {folder / MANIFEST}, got {divide}; "
            "leave it out"
        )
    depths = DepthFolder.open(folder, manifest.divide)
    missing = [image_id for image_id in manifest.ids if image_id not in depths.files]
    if missing:
        raise ValueError(
            f"expected {len(manifest.ids)} predictions in {folder}, got an unfinished export "
            f"without {len(missing)} of them: {name_some(missing)}; export again, it will go on"
        )
    return depths, manifest


def open_truth(folder: Path, divide: float = PNG_PER_METRE) -> DepthFolder:
    """True depth: npz (`velodyne_depth`, `depth` or its first array), npy, or PNG.

    `divide` is the units of a PNG in one metre.

    Raises:
        FileNotFoundError: there is no such folder, or no depth map in it.
    """
    return DepthFolder.open(folder, divide)


def _write_png(path: Path, units: np.ndarray) -> None:
    if not cv2.imwrite(str(path), units):
        raise OSError(f"expected to write {path}, got a refusal; is the disk full?")
