"""The folder that predictions go to: of one model, with one range of colours, resumable."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from leadline.colour import DepthScale
from leadline.files import atomic_path

MANIFEST = "predictions.json"
Output = Literal["millimetres", "kitti", "npy", "colour"]
SUFFIX: dict[Output, str] = {
    "millimetres": ".png",
    "kitti": ".png",
    "npy": ".npy",
    "colour": ".png",
}


@dataclass
class PredictionFolder:
    """What `predictions.json` says of the files beside it, in one folder for each kind of output.

    `photographs` names the photograph of each result, so that a later run with other photographs
    of the same names is not taken for the same run.
    """

    folder: Path
    settings: Mapping[str, Any]
    photographs: Mapping[str, str]
    colours: DepthScale | None = None

    @classmethod
    def begin(
        cls,
        folder: Path,
        settings: Mapping[str, Any],
        photographs: Mapping[Path, Path],
        colours: DepthScale | None = None,
    ) -> "PredictionFolder":
        """Start a folder, or continue one of the same settings; its range of colours is kept.

        Raises:
            ValueError: the folder holds predictions of another model, of other photographs by the
                same names, with other colours, or files that are not ours.
        """
        sources = {result.as_posix(): str(path.resolve()) for path, result in photographs.items()}
        recorded = _recorded(folder)
        if recorded is None:
            _refuse_foreign(folder)
        else:
            if recorded.settings != settings:
                raise ValueError(
                    f"{folder} holds predictions of {_differences(recorded.settings, settings)}; "
                    "give another folder for --out"
                )
            _refuse_other_photographs(folder, recorded.photographs, sources)
            if colours is not None and recorded.colours not in (None, colours):
                raise ValueError(
                    f"{folder} holds pictures with colours from {recorded.colours.near:g} to "
                    f"{recorded.colours.far:g}; give another folder for --out, or leave --range out"
                )
            sources = dict(recorded.photographs) | sources
            colours = colours or recorded.colours
        own = cls(folder, settings, sources, colours)
        own.save()
        return own

    def path(self, kind: Output, result: Path) -> Path:
        """The file of one result."""
        return self.folder / kind / result.with_name(result.name + SUFFIX[kind])

    def save(self) -> None:
        """Write the manifest."""
        values = {
            "settings": self.settings,
            "colours": None if self.colours is None else asdict(self.colours),
            "photographs": self.photographs,
        }
        with atomic_path(self.folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _recorded(folder: Path) -> PredictionFolder | None:
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        colours = values["colours"]
        return PredictionFolder(
            folder,
            values["settings"],
            values["photographs"],
            None if colours is None else DepthScale(**colours),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected the record of a `leadline predict`, got another file ({error!r}); "
            "give another folder for --out"
        ) from None


def _refuse_foreign(folder: Path) -> None:
    for kind in SUFFIX:
        if (folder / kind).exists():
            raise ValueError(
                f"{folder / kind}: is there without {MANIFEST}, so that nobody knows which model "
                "made it; give another folder for --out"
            )


def _refuse_other_photographs(
    folder: Path, recorded: Mapping[str, str], sources: Mapping[str, str]
) -> None:
    for result, source in sources.items():
        other = recorded.get(result, source)
        if other != source:
            raise ValueError(
                f"{folder}: {result} is there of {other}, and is asked for of {source}; "
                "give another folder for --out"
            )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return ", ".join(f"{key} {old.get(key)} instead of {new.get(key)}" for key in keys)
