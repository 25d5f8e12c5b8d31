"""The report of an evaluation: the figures in context, and what stands behind them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from leadline.colour import DepthScale
from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.distance import DistanceBin
from leadline.evaluation.guesses import ROW
from leadline.evaluation.infinite import DEFINITION, InfiniteShares
from leadline.evaluation.names import match_ids
from leadline.evaluation.panels import Panel, depth_bar, error_bar
from leadline.evaluation.results import Evaluation, ImageScore, counted
from leadline.evaluation.table import HEADINGS
from leadline.metrics import DepthMetrics
from leadline.report.charts import BarChart, Histogram
from leadline.report.elements import Cell, Column, Element, Emphasis, Facts, Section, Table, Text
from leadline.report.page import report_page

SHOWN = 3  # images at either end of the ranking
DIGITS: Mapping[str, int] = {"silog": 2}
USUAL_DIGITS = 3


def evaluation_page(
    evaluation: Evaluation,
    predictions: DepthFolder,
    truth: DepthFolder,
    *,
    photographs: Mapping[str, Path] | None = None,
    shown: int = SHOWN,
    extra: Sequence[Section] = (),
) -> str:
    """The whole page; predictions and truth are the folders that were scored.

    `extra` sections follow the result.

    Raises:
        ValueError: the folders are not those that were scored.
    """
    ids = tuple(row.id for row in evaluation.rows)
    result, *others = evaluation_sections(evaluation)
    sections = (
        result,
        *extra,
        *others,
        _pictures(evaluation, predictions, truth, photographs or {}, shown),
        _every_image(evaluation),
    )
    name = evaluation.model or "predictions"
    return report_page(
        sections,
        title=f"Evaluation of {name}",
        subtitle=f"{counted(len(ids), 'image')}, protocol {evaluation.protocol.name}",
    )


def evaluation_sections(evaluation: Evaluation) -> tuple[Section, ...]:
    """What can be said without the depth maps: result, settings, spread over images, distance, and
    near-infinite pixels where they are known.
    """
    infinite = () if evaluation.infinite is None else (_infinite(evaluation.infinite),)
    return (
        Section("Result", (_verdict(evaluation), _means(evaluation))),
        Section("Settings", (Facts(evaluation.settings()),)),
        Section("Spread over images", _spread(evaluation)),
        Section("Error and distance", _distance(evaluation.by_distance)),
        *infinite,
    )


def _verdict(evaluation: Evaluation) -> Text:
    own, guess = evaluation.mean.abs_rel, evaluation.guesses[ROW].abs_rel
    compared = f"Abs Rel {own:.3f} against {guess:.3f} of the best value per image row"
    if own < guess:
        return Text(f"Better than what needs no picture: {compared}.", "good")
    return Text(f"No better than what needs no picture: {compared}.", "warning")


def _means(evaluation: Evaluation) -> Table:
    rows: list[tuple[str, DepthMetrics]] = [(evaluation.model or "predictions", evaluation.mean)]
    rows += [(f"guess: {name}", metrics) for name, metrics in evaluation.guesses.items()]
    emphasis: dict[int, Emphasis] = dict.fromkeys(range(len(rows)), "faint")
    emphasis[0] = "strong"
    return Table(
        columns=[Column(""), *figure_columns()],
        rows=[[name, *metrics.as_row()] for name, metrics in rows],
        caption=f"{evaluation.protocol.joined.capitalize()}. The guesses look at no picture and "
        "are fitted to this very truth: a network that is no better has not learnt to see.",
        emphasis=emphasis,
    )


def _spread(evaluation: Evaluation) -> Sequence[Element]:
    marks = {"mean": evaluation.mean.abs_rel, ROW: evaluation.guesses[ROW].abs_rel}
    values = [row.metrics.abs_rel for row in evaluation.rows]
    return [Histogram(values, "Abs Rel of an image; height: number of images", marks)]


def _distance(bins: Sequence[DistanceBin]) -> Sequence[Element]:
    total = sum(each.pixels for each in bins)
    labels = [f"{each.near:g}–{each.far:g}" if each.far else f"over {each.near:g}" for each in bins]
    return [
        BarChart(
            labels,
            [each.abs_rel for each in bins],
            "Abs Rel by true distance in metres (below it the share of pixels)",
            sublabels=[f"{each.pixels / total:.1%}" for each in bins],
            dots=[each.bias for each in bins],
            dots_label="mean signed error: above 0 too far, below 0 too near",
        )
    ]


def _infinite(shares: InfiniteShares) -> Section:
    rows: list[list[Cell]] = [
        [name, None if share is None else f"{share:.1%}"]
        for name, share in shares.by_name().items()
    ]
    table = Table([Column("Pixels that show"), Column("Near-infinite")], rows, DEFINITION)
    return Section("Holes of infinite depth", (table,))


def _pictures(
    evaluation: Evaluation,
    predictions: DepthFolder,
    truth: DepthFolder,
    photographs: Mapping[str, Path],
    shown: int,
) -> Section:
    rows = evaluation.rows
    prediction_of = match_ids([row.id for row in rows], predictions.files, "a prediction")
    panels = [
        Panel.of(
            heading=f"{rank}: {row.id}, Abs Rel {row.metrics.abs_rel:.3f}",
            prediction=predictions.read(prediction_of[row.id]),
            truth=truth.read(row.id),
            protocol=evaluation.protocol,
            scale=evaluation.scale(row),
            photograph=photographs.get(row.id),
        )
        for rank, row in _best_and_worst(rows, shown)
    ]
    scale = DepthScale.spanning(*(panel.truth for panel in panels))
    galleries = [panel.gallery(scale) for panel in panels]
    return Section("Best and worst images", (depth_bar(scale), error_bar(), *galleries))


def _best_and_worst(rows: Sequence[ImageScore], shown: int) -> list[tuple[str, ImageScore]]:
    ranked = sorted(rows, key=lambda row: row.metrics.abs_rel)
    ranks = range(len(ranked))
    chosen = sorted({*ranks[:shown], *ranks[len(ranks) - min(shown, len(ranks)) :]})
    return [(f"Rank {rank + 1} of {len(ranked)}", ranked[rank]) for rank in chosen]


def _every_image(evaluation: Evaluation) -> Section:
    columns = [Column("Image"), *figure_columns(), Column("Ratio", USUAL_DIGITS), Column("Pixels")]
    rows: list[list[Cell]] = [
        [row.id, *row.metrics.as_row(), row.ratio, row.pixels] for row in evaluation.rows
    ]
    caption = "Ratio is median(truth) / median(prediction) before any scaling. Click to sort."
    return Section("Every image", (Table(columns, rows, caption, sortable=True),))


def figure_columns() -> list[Column]:
    return [Column(HEADINGS[name], DIGITS.get(name, USUAL_DIGITS)) for name in DepthMetrics.names()]
