"""The folder that predictions go to: of one model, with one range of colours, resumable."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from leadline.colour import DepthScale
from leadline.data.prediction_record import (
    RECORD,
    SUFFIX,
    Output,
    PredictionRecord,
    PredictionSettings,
)
from leadline.files import file_state


@dataclass
class PredictionFolder:
    """A folder for each kind of output, and the record of them all."""

    folder: Path
    record: PredictionRecord

    @classmethod
    def begin(
        cls,
        folder: Path,
        settings: PredictionSettings,
        photographs: Mapping[Path, Path],
        colours: DepthScale | None = None,
    ) -> "PredictionFolder":
        """Start a folder, or continue one of the same settings; its range of colours is kept.

        `photographs` are the paths of images and, relative to the folder, those of their results.
        Results of images that have changed since are removed, to be made again.

        Raises:
            ValueError: the folder holds predictions of another model, of other photographs by the
                same names, with other colours, or files that are not ours.
        """
        sources = {result.as_posix(): str(path.resolve()) for path, result in photographs.items()}
        states = {result.as_posix(): file_state(path) for path, result in photographs.items()}
        changed: list[str] = []
        recorded = PredictionRecord.load(folder)
        if recorded is None:
            _refuse_foreign(folder)
        else:
            _refuse_other_settings(folder, recorded.settings, settings)
            _refuse_other_photographs(folder, recorded.photographs, sources)
            _refuse_other_colours(folder, recorded.colours, colours)
            changed = [name for name in states if recorded.states.get(name) != states[name]]
            sources = dict(recorded.photographs) | sources
            states = dict(recorded.states) | states
            colours = colours or recorded.colours
        own = cls(folder, PredictionRecord(settings, sources, colours, states))
        # First, so that a run that is stopped here finds them changed again.
        for path in (own.path(kind, Path(name)) for name in changed for kind in SUFFIX):
            path.unlink(missing_ok=True)
        own.record.save(folder)
        return own

    @property
    def colours(self) -> DepthScale | None:
        """The range of depth of all pictures, once it is known."""
        return self.record.colours

    def path(self, kind: Output, result: Path) -> Path:
        """The file of one result."""
        return self.folder / kind / result.with_name(result.name + SUFFIX[kind])

    def keep_colours(self, scale: DepthScale) -> None:
        """Fix the range of depth for all pictures, also those of later runs."""
        self.record = replace(self.record, colours=scale)
        self.record.save(self.folder)


def _refuse_foreign(folder: Path) -> None:
    for kind in SUFFIX:
        if (folder / kind).exists():
            raise ValueError(
                f"{folder / kind}: is there without {RECORD}, so that nobody knows which model "
                "made it; give another folder for --out"
            )


def _refuse_other_settings(
    folder: Path, recorded: PredictionSettings, settings: PredictionSettings
) -> None:
    if recorded != settings:
        raise ValueError(
            f"{folder} holds predictions of {recorded.differences(settings)}; "
            "give another folder for --out"
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


def _refuse_other_colours(
    folder: Path, recorded: DepthScale | None, colours: DepthScale | None
) -> None:
    if recorded is not None and colours not in (None, recorded):
        raise ValueError(
            f"{folder} holds pictures with colours from {recorded.near:g} to "
            f"{recorded.far:g}; give another folder for --out, or leave --range out"
        )
