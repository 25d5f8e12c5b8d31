"""The paths that a network saw, scored against recorded ones: figures, a table, plots."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from leadline.evaluation.results import counted
from leadline.files import atomic_path
from leadline.inference.path_files import KITTI, TUM
from leadline.inference.paths import PredictedPath
from leadline.metrics.trajectory import (
    SNIPPET,
    SUBSEQUENCES,
    Drift,
    StepErrors,
    aligned,
    drift,
    path_error,
    snippet_errors,
    step_errors,
    way,
)
from leadline.report.elements import Column, Element, Section, Table, Text
from leadline.report.paths import PathChart

RESULTS, PAGE = "trajectory.json", "report.html"


@dataclass(frozen=True)
class PathScore:
    """The figures of one path."""

    name: str
    frames: int
    metres: float
    """Gone by the recorded path."""
    snippet_mean: float
    snippet_std: float
    """Absolute error of paths of five frames, in metres, each with a scale of its own."""
    error: float
    """Of the whole path, in metres, once turned, moved and scaled upon the recorded one."""
    scale: float
    """By which it was scaled for that: 1 where the network saw metres."""
    steps: StepErrors
    drift: Drift | None
    """Of stretches of 100 metres and more; None where the path has none. Like `steps`, in metres
    as they are where the network saw metres, else scaled by `scale`."""


def score_path(found: PredictedPath, metric: bool) -> PathScore:
    """A path against the recorded one.

    Raises:
        ValueError: there is none.
    """
    truth = found.truth
    if truth is None:
        raise ValueError(f"{found.name}: expected recorded poses of all its frames, found none")
    snippets = snippet_errors(truth, found.path)
    similarity = aligned(truth, found.path)
    scale = 1.0 if metric else similarity.scale
    return PathScore(
        name=found.name,
        frames=len(found.frames),
        metres=float(way(truth)[-1]),
        snippet_mean=float(snippets.mean()),
        snippet_std=float(snippets.std()),
        error=path_error(truth, found.path),
        scale=similarity.scale,
        steps=step_errors(truth, found.path, scale),
        drift=drift(truth, found.path, scale),
    )


def earlier_paths(out: Path, subject: Mapping[str, str]) -> list[str]:
    """Names of the paths that an earlier call wrote about the same model and data.

    Raises:
        ValueError: it was about others, or its record is none.
    """
    path = out / RESULTS
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        recorded = {name: content[name] for name in subject}
        names = [str(name) for name in content["names"]]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path}: expected the record of paths, got something else; give another folder for "
            "--out"
        ) from None
    for what, value in subject.items():
        if recorded[what] != value:
            raise ValueError(
                f"{out}: holds paths by {recorded['model']} on {recorded['data']}, not those of "
                f"{what} {value}; give another folder for --out"
            )
    return names


def remove_paths(out: Path, names: Sequence[str]) -> None:
    """Remove paths that an earlier call wrote, and what it said of them.

    Raises:
        OSError: they cannot be removed.
    """
    for name in names:
        for kind in (TUM, KITTI):
            (out / kind / f"{name}.txt").unlink(missing_ok=True)
    (out / PAGE).unlink(missing_ok=True)
    # The record goes last: what is cut off here is found again.
    (out / RESULTS).unlink(missing_ok=True)


def save_scores(
    scores: Sequence[PathScore],
    names: Sequence[str],
    subject: Mapping[str, str],
    metric: bool,
    out: Path,
) -> None:
    """`trajectory.json`: which paths there are, and the figures of those that were scored.

    Raises:
        OSError: `out` cannot be written.
    """
    content = {
        **subject,
        "metric": metric,
        "names": list(names),
        "paths": [asdict(score) for score in scores],
    }
    with atomic_path(out / RESULTS) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def motion_section(
    scores: Sequence[PathScore], paths: Sequence[PredictedPath], metric: bool
) -> Section:
    """A table of all paths and a plot of each, for a report."""
    elements: list[Element] = [_table(scores, metric)]
    drifting = [score for score in scores if score.drift is not None]
    if not drifting:
        elements.append(Text(f"No path has a stretch of {SUBSEQUENCES[0]} metres to judge drift."))
    for found in paths:
        if found.truth is not None:
            moved = aligned(found.truth, found.path).moved(found.path)
            elements.append(
                PathChart(
                    {
                        "recorded": found.truth[:, (0, 2), 3],
                        "predicted": moved[:, (0, 2), 3],
                    },
                    f"{found.name}, seen from above, metres; laid upon the recorded path",
                )
            )
    return Section("Motion", elements)


def _table(scores: Sequence[PathScore], metric: bool) -> Table:
    rows = [
        [
            score.name,
            str(score.frames),
            score.metres,
            f"{score.snippet_mean:.4f} ± {score.snippet_std:.4f}",
            score.error,
            score.scale,
            score.steps.metres,
            score.steps.degrees,
            None if score.drift is None else score.drift.t_rel,
            None if score.drift is None else score.drift.r_rel,
        ]
        for score in scores
    ]
    columns = [
        Column("Path"),
        Column("Frames"),
        Column("Metres", 1),
        Column(f"ATE of {SNIPPET} frames"),
        Column("ATE", 3),
        Column("Scale", 3),
        Column("RPE, m", 4),
        Column("RPE, °", 3),
        Column("t_rel, %", 2),
        Column("r_rel, °/100 m", 2),
    ]
    how = "as they are" if metric else "with the path's scale"
    caption = (
        f"ATE of {SNIPPET} frames: metres, each window with a scale of its own. ATE: metres, root "
        "mean square over the path, moved, turned and scaled upon the recorded one by Scale. RPE: "
        f"from frame to frame, root mean square; t_rel and r_rel by KITTI; metres {how}."
    )
    return Table(columns, rows, caption)


def summary_lines(scores: Sequence[PathScore]) -> list[str]:
    """The means over paths, for a terminal."""
    if not scores:
        return ["no recorded poses: nothing to score against"]
    lines = [
        f"{counted(len(scores), 'path')} scored, {sum(score.metres for score in scores):.0f} m",
        f"ATE of {SNIPPET} frames "
        f"{_mean([score.snippet_mean for score in scores]):.4f} m, whole "
        f"{_mean([score.error for score in scores]):.3f} m, scale "
        f"{float(np.median([score.scale for score in scores])):.3f}",
        f"RPE {_mean([score.steps.metres for score in scores]):.4f} m, "
        f"{_mean([score.steps.degrees for score in scores]):.3f} degrees",
    ]
    drifts = [score.drift for score in scores if score.drift is not None]
    if drifts:
        lines.append(
            f"t_rel {_mean([one.t_rel for one in drifts]):.2f} %, r_rel "
            f"{_mean([one.r_rel for one in drifts]):.2f} degrees / 100 m"
        )
    return lines


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
