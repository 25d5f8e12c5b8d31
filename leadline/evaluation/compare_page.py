"""A comparison for the terminal, as a file of figures, and as a page."""

import csv
import io

from rich.console import Group
from rich.table import Table as TerminalTable
from rich.text import Text as TerminalText

from leadline.evaluation.compare import INTERVAL, Comparison
from leadline.evaluation.page import USUAL_DIGITS, figure_columns
from leadline.evaluation.results import counted
from leadline.evaluation.table import HEADINGS
from leadline.metrics import DepthMetrics
from leadline.report.charts import BarChart
from leadline.report.elements import Cell, Column, Element, Emphasis, Facts, Section, Table, Text
from leadline.report.page import report_page

DEPENDENT = (
    "Images of one drive resemble each other, so that chance explains more than the interval says."
)


def comparison_table(comparison: Comparison) -> Group:
    """Settings, figures of each contender, and their differences to the first."""
    settings = TerminalTable.grid(padding=(0, 2))
    for label, text in _settings(comparison).items():
        settings.add_row(TerminalText(label, style="bold"), TerminalText(text))
    figures = TerminalTable()
    figures.add_column(comparison.joined)
    for contender in comparison.contenders:
        figures.add_column(TerminalText(contender.name), justify="right")
    means = [comparison.mean(contender) for contender in comparison.contenders]
    for name in DepthMetrics.names():
        figures.add_row(HEADINGS[name], *(f"{getattr(mean, name):.4f}" for mean in means))
    lines = [TerminalText(line) for line in _differences(comparison)]
    return Group(settings, figures, *lines)


def comparison_csv(comparison: Comparison) -> str:
    """One line a contender: its figures, and its difference to the first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        ("name", "scaling", *DepthMetrics.names(), "difference", "low", "high", "better", "worse")
    )
    for contender in comparison.contenders:
        off = comparison.difference(contender)
        table.writerow(
            (
                contender.name,
                contender.evaluation.alignment.describe(),
                *(f"{value:.6g}" for value in comparison.mean(contender).as_row()),
                *(f"{value:.6g}" for value in (off.mean, off.low, off.high)),
                off.better,
                off.worse,
            )
        )
    return text.getvalue()


def comparison_page(comparison: Comparison) -> str:
    """The whole page."""
    sections = (
        Section("Result", (*map(Text, _differences(comparison)), _means(comparison))),
        Section("Abs Rel", (_bars(comparison),)),
        Section("Settings", (Facts(_settings(comparison)),)),
        Section("Error and distance", _distance(comparison)),
    )
    names = ", ".join(contender.name for contender in comparison.contenders)
    return report_page(
        sections,
        title=f"Comparison of {names}",
        subtitle=f"{counted(len(comparison.images), 'image')}, protocol "
        f"{comparison.contenders[0].evaluation.protocol.name}",
    )


def _settings(comparison: Comparison) -> dict[str, str]:
    first = comparison.contenders[0].evaluation
    facts = {
        "protocol": first.protocol.describe(),
        "truth": first.truth,
        "images": f"{len(comparison.images):,} in all evaluations",
    }
    facts |= {
        f"scaling of {contender.name}": contender.evaluation.alignment.describe()
        for contender in comparison.contenders
        if len(comparison.scalings) > 1
    } or {"scaling": comparison.scalings[0]}
    facts |= {
        f"left out of {name}": f"{counted(count, 'image')} that others lack"
        for name, count in comparison.left_out.items()
        if count
    }
    return facts


def _differences(comparison: Comparison) -> list[str]:
    first, *others = comparison.contenders
    lines = []
    for contender in others:
        off = comparison.difference(contender)
        alike = off.low <= 0 <= off.high
        verdict = "no difference beyond chance" if alike else ("worse", "better")[off.mean < 0]
        lines.append(
            f"{contender.name} against {first.name}: Abs Rel {off.mean:+.4f} ({INTERVAL:.0%} "
            f"interval {off.low:+.4f} to {off.high:+.4f}), better in {off.better} and worse in "
            f"{off.worse} of {counted(len(comparison.images), 'image')}: {verdict}."
        )
    if len(comparison.scalings) > 1:
        lines.append(
            "They are scaled differently: what was scaled by its own truth is not about metres."
        )
    return [*lines, DEPENDENT]


def _means(comparison: Comparison) -> Table:
    rows: list[list[Cell]] = []
    for contender in comparison.contenders:
        rows.append([contender.name, *comparison.mean(contender).as_row()])
    guesses = comparison.contenders[0].evaluation.guesses if comparison.whole else {}
    rows += [[f"guess: {name}", *metrics.as_row()] for name, metrics in guesses.items()]
    emphasis: dict[int, Emphasis] = dict.fromkeys(
        range(len(comparison.contenders), len(rows)), "faint"
    )
    emphasis[0] = "strong"
    return Table(
        [Column(""), *figure_columns()],
        rows,
        f"Of the images that all were scored on, {comparison.joined}. The others are compared "
        "with the first.",
        emphasis=emphasis,
    )


def _bars(comparison: Comparison) -> BarChart:
    means = [comparison.mean(contender).abs_rel for contender in comparison.contenders]
    names = [contender.name for contender in comparison.contenders]
    return BarChart(
        names, means, f"Abs Rel, {comparison.joined}", sublabels=[f"{mean:.3f}" for mean in means]
    )


def _distance(comparison: Comparison) -> tuple[Element, ...]:
    if not comparison.whole:
        return (Text("Not given: the contenders were scored on different images."),)
    bins = [contender.evaluation.by_distance for contender in comparison.contenders]
    columns = [Column("Metres"), *(Column(c.name, USUAL_DIGITS) for c in comparison.contenders)]
    rows: list[list[Cell]] = []
    for same in zip(*bins, strict=False):
        near, far = same[0].near, same[0].far
        label = f"{near:g}–{far:g}" if far else f"over {near:g}"
        rows.append([label, *(each.abs_rel for each in same)])
    return (Table(columns, rows, "Abs Rel by true distance."),)
