"""The report on a set of hints: one page, judged by the files that are there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64, UInt8

from leadline.colour import PHOTOMETRIC_LIMIT, palette_colours
from leadline.hints.method import HintMethod
from leadline.hints.metres import MetrePixels
from leadline.hints.pair import HintJob
from leadline.hints.pictures import HintPictures
from leadline.hints.rectification import RigCheck
from leadline.hints.report_rig import rig_section
from leadline.hints.statistics import UPPER_END, HintStatistics, View
from leadline.report.charts import BarChart, Histogram
from leadline.report.elements import (
    ColourBar,
    Column,
    Element,
    Facts,
    Figure,
    Gallery,
    Section,
    Table,
    Text,
)
from leadline.report.page import report_page, save_page

REPORT_NAME = "report.html"
CLIPPED = 0.01
"""Share of pixels at the upper end of the range from which the range looks too small: twelve street
pairs have 0.003 there where 0.5 % of their disparities lie beyond, 0.04 where 7 % do."""
SHOWN = 3
"""Views at either end of a ranking."""

_BARS = 16
_TAILS = (0.01, 0.5, 0.99)
_PICTURE_WIDTH = 480
_MAP_WIDTH = 480


def write_report(
    jobs: Sequence[HintJob],
    folder: Path,
    method: HintMethod,
    check: RigCheck,
    metres: MetrePixels | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Path:
    """Write `report.html` into the folder of hints; `tell` hears what cannot wait to be read.

    Raises:
        ValueError: none of the hints is there, or a file is damaged.
    """
    statistics = HintStatistics.of(jobs, folder, method)
    if not statistics.views:
        raise ValueError(f"{folder}: no hint to report on; none could be made")
    upper = statistics.upper_share
    if upper > CLIPPED:
        tell(_too_small(upper))
    path = folder / REPORT_NAME
    save_page(hint_page(statistics, folder, method, check, metres), path)
    return path


def hint_page(
    statistics: HintStatistics,
    folder: Path,
    method: HintMethod,
    check: RigCheck,
    metres: MetrePixels | None,
) -> str:
    """The whole page."""
    sections = (
        rig_section(check),
        _quality(statistics),
        _disparities(statistics, metres),
        _regions(statistics),
        _pictures(statistics, folder),
        Section("Settings", (Facts(_settings(method)),)),
    )
    number = len(statistics.views)
    views = f"{number:,} view{'s' if number != 1 else ''}"
    return report_page(sections, title="Hints", subtitle=f"{views}, mode {method.mode}")


def _settings(method: HintMethod) -> Mapping[str, str]:
    return {name.capitalize(): text for name, text in method.recorded().items()}


def _quality(statistics: HintStatistics) -> Section:
    mean, views = statistics.mean, [view.quality for view in statistics.views]
    facts = {
        "Views": f"{len(views):,}",
        "Coverage": f"{mean.coverage:.1%} of the pixels have a hint",
        "Photometric error": f"{mean.photometric_error:.3f} where there is a hint",
        "Better than identity": f"{mean.beats_identity:.1%} of the hints explain their pixel "
        "better than the other picture left where it is (good pairs of streets: 85% and more)",
    }
    if statistics.missing:
        facts["Missing"] = f"{len(statistics.missing):,} views, first {statistics.missing[0]}"
    if mean.shares:
        facts["Chosen"] = ", ".join(f"{name} {share:.0%}" for name, share in mean.shares.items())
    height = "height: number of views"
    return Section(
        "Quality",
        (
            Facts(facts),
            Histogram(
                [each.beats_identity for each in views],
                f"Share of a view's hints that are better than identity; {height}",
                {"mean": mean.beats_identity},
            ),
            Histogram(
                [each.coverage for each in views],
                f"Coverage of a view; {height}",
                {"mean": mean.coverage},
            ),
            Histogram(
                [each.photometric_error for each in views],
                f"Photometric error of a view; {height}",
                {"mean": mean.photometric_error},
            ),
        ),
    )


def _disparities(statistics: HintStatistics, metres: MetrePixels | None) -> Section:
    searched = statistics.searched
    low, middle, high = (statistics.percentile(share) for share in _TAILS)
    upper = statistics.upper_share
    facts = {
        "Searched": f"up to {searched} px{_in_metres(metres, searched)}",
        "Found": f"1 % of the pixels are below {low:.1f} px{_in_metres(metres, low)}, half below "
        f"{middle:.1f} px{_in_metres(metres, middle)}, 99 % below {high:.1f} px"
        f"{_in_metres(metres, high)}",
        "At the upper end": f"{upper:.2%} of the pixels lie in the last {UPPER_END:.0%} of the "
        "range",
    }
    if metres is None:
        facts["Metres"] = "unknown: no focal length and baseline beside these pairs"
    step = searched / _BARS
    starts = [number * step for number in range(_BARS)]
    chart = BarChart(
        [f"{start:g}" for start in starts],
        [statistics.share_within(start, start + step) for start in starts],
        "share of the hints' pixels by disparity; below a bar the pixels at which it starts"
        + (", and the depth that these mean" if metres else ""),
        sublabels=[metres.depth(start) if start else "infinity" for start in starts]
        if metres
        else (),
    )
    return Section("Disparity and range", (_range_verdict(upper), Facts(facts), chart))


def _range_verdict(upper: float) -> Text:
    if upper > CLIPPED:
        text = _too_small(upper)
        return Text(f"{text[0].upper()}{text[1:]}.", "warning")
    return Text(f"The range holds what is there: {upper:.2%} of the pixels lie at its end.", "good")


def _too_small(upper: float) -> str:
    return (
        f"the range looks too small: {upper:.1%} of the pixels lie at its upper end, and what is "
        "nearer cannot be found; search more disparities, or make the hints at a smaller width"
    )


def _in_metres(metres: MetrePixels | None, disparity: float) -> str:
    return f" ({metres.depth(disparity)})" if metres and disparity else ""


def _regions(statistics: HintStatistics) -> Section:
    colours = palette_colours("viridis")
    figures = [
        Figure(
            colours[np.rint(share * (len(colours) - 1)).astype(np.intp)],
            f"{side} views: {share.mean():.1%} of the pixels have a hint",
            most_width=_MAP_WIDTH,
            lossless=True,
        )
        for side, share in statistics.coverage.items()
    ]
    bar = ColourBar(
        colours,
        ((0, "never"), (0.5, "in half of the views"), (1, "always")),
        "How often a pixel has a hint",
    )
    table = Table(
        [Column("Part of the picture"), *(Column(f"{side}, %", 1) for side in statistics.coverage)],
        [
            [name, *(100 * _mean_within(share, part) for share in statistics.coverage.values())]
            for name, part in _parts(statistics).items()
        ],
        "Coverage by part. A dark band at the left of left views (at the right of right ones) is "
        "what the other camera does not see, or OpenCV's matchers cannot search; a dark top is "
        "sky, a dark bottom the own bonnet.",
    )
    number = Text(f"Read pixel by pixel: {statistics.read:,} views, spread evenly over the set.")
    return Section("Where hints are", (bar, Gallery(figures), table, number))


def _parts(statistics: HintStatistics) -> Mapping[str, tuple[slice, slice]]:
    height, width = next(iter(statistics.coverage.values())).shape
    band, quarter, all_ = min(statistics.searched, width // 4), height // 4, slice(None)
    return {
        "whole": (all_, all_),
        f"left border, {band} columns": (all_, slice(band)),
        f"right border, {band} columns": (all_, slice(width - band, None)),
        "top quarter": (slice(quarter), all_),
        "bottom quarter": (slice(height - quarter, None), all_),
        "middle": (slice(quarter, height - quarter), slice(band, width - band)),
    }


def _mean_within(share: Float64[np.ndarray, "h w"], part: tuple[slice, slice]) -> float:
    return float(share[part].mean())


def _pictures(statistics: HintStatistics, folder: Path) -> Section:
    by_identity = sorted(statistics.views, key=lambda view: view.quality.beats_identity)
    by_coverage = sorted(statistics.views, key=lambda view: view.quality.coverage)
    groups = {
        "Least better than identity": by_identity[:SHOWN],
        "Least coverage": by_coverage[:SHOWN],
        "Most better than identity": by_identity[::-1][:SHOWN],
    }
    told: list[Element] = [_error_bar()]
    shown: set[PurePosixPath] = set()
    for title, views in groups.items():
        fresh = [view for view in views if view.path not in shown]
        told += [_gallery(title, view, folder) for view in fresh]
        shown |= {view.path for view in fresh}
    return Section("Worst and best views", told)


def _gallery(title: str, view: View, folder: Path) -> Gallery:
    drawn, quality = HintPictures.of(view.job, view.path, folder), view.quality
    figures: Mapping[str, UInt8[np.ndarray, "h w 3"]] = {
        "picture": drawn.image,
        f"hint, bright = near, {quality.coverage:.0%} of the pixels": drawn.hint,
        f"photometric error, {quality.photometric_error:.3f} on average": drawn.error,
    }
    return Gallery(
        [Figure(picture, text, most_width=_PICTURE_WIDTH) for text, picture in figures.items()],
        columns=3,
        heading=f"{title}: {view.path}, {quality.beats_identity:.1%} better than identity",
    )


def _error_bar() -> ColourBar:
    ticks = ((0, "0: explained"), (1, f"{PHOTOMETRIC_LIMIT:g} and more"))
    return ColourBar(palette_colours(), ticks, "Photometric error; grey where there is no hint")
