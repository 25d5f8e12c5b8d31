"""A folder of paths: files for other programs, scores, and the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leadline.data.sources.base import FrameId, Source
from leadline.evaluation.motion import (
    PAGE,
    PathScore,
    earlier_paths,
    motion_section,
    remove_paths,
    save_scores,
    score_path,
    summary_lines,
)
from leadline.evaluation.results import counted
from leadline.inference.path_files import KITTI, TUM, write_path
from leadline.inference.paths import PathPredictor, PredictedPath
from leadline.report.elements import Section
from leadline.report.page import report_page, save_page


@dataclass(frozen=True)
class FoundPaths:
    """What was written of a model's paths."""

    model: str
    metric: bool
    paths: tuple[PredictedPath, ...]
    scores: tuple[PathScore, ...]
    """Of those whose poses were recorded."""
    failed: Mapping[FrameId, str]

    def __str__(self) -> str:
        count = sum(len(found.frames) for found in self.paths)
        paths = counted(len(self.paths), "path")
        metres = "metres" if self.metric else "no metres: right up to one unknown factor"
        return f"{paths} of {count} frames in {TUM}/ and {KITTI}/, {metres}"


def predict_paths(
    model_folder: Path,
    source: Source,
    frames: Sequence[FrameId],
    out: Path,
    device: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FoundPaths:
    """Write the paths of the sequences of `frames`, whole, and `trajectory.json` with the scores of
    those whose poses were recorded. They take the place of what an earlier call for the same model
    and data wrote, once all are predicted.

    Raises:
        FileNotFoundError, ValueError: as `PathPredictor`; or no sequence has a path, or `out` is
            about another model or other data.
        OSError: `out` cannot be written.
    """
    predictor = PathPredictor(model_folder, source, device)
    subject = _subject(model_folder, source)
    earlier = earlier_paths(out, subject)
    failed: dict[FrameId, str] = {}
    sequences = sorted({frame.sequence for frame in frames})
    paths = tuple(predictor.paths(sequences, failed, progress))
    if not paths:
        reason = next(iter(failed.values()), "no two frames are a step apart")
        raise ValueError(
            f"{source.root}: expected sequences of frames {abs(predictor.step.time)} apart, found "
            f"no path: {reason}"
        )
    remove_paths(out, earlier)
    for found in paths:
        write_path(found, out)
    scores = tuple(
        score_path(found, predictor.metric) for found in paths if found.truth is not None
    )
    save_scores(scores, [found.name for found in paths], subject, predictor.metric, out)
    return FoundPaths(subject["model"], predictor.metric, paths, scores, failed)


def _subject(model_folder: Path, source: Source) -> dict[str, str]:
    """What a folder of paths is about."""
    return {"model": str(model_folder.resolve()), "data": str(source.root.resolve())}


def scored_motion(
    model_folder: Path,
    source: Source,
    frames: Sequence[FrameId],
    out: Path,
    say: Callable[[str], None] = print,
) -> tuple[Section, ...]:
    """The section of a report about the paths of the sequences of `frames`, once they are written.

    Raises:
        FileNotFoundError, ValueError, OSError: as `predict_paths`; or no poses were recorded.
    """
    found = predict_paths(model_folder, source, frames, out)
    for reason in dict.fromkeys(found.failed.values()):
        say(f"no motion there: {reason}")
    if not found.scores:
        raise ValueError(
            f"{source.root}: expected recorded poses to score motion against, found none; leave "
            "out --poses, or see `leadline trajectory`"
        )
    for line in summary_lines(found.scores):
        say(line)
    return (motion_section(found.scores, found.paths, found.metric),)


def write_page(found: FoundPaths, out: Path) -> None:
    """`report.html`: figures and plots; without recorded poses there is nothing to show.

    Raises:
        OSError: `out` cannot be written.
    """
    if found.scores:
        section = motion_section(found.scores, found.paths, found.metric)
        title = f"Paths by {found.model}"
        save_page(report_page([section], title=title, subtitle=str(found)), out / PAGE)
