"""The rig's part of a report on hints: is it rectified, are the sides right, pair by pair."""

from collections.abc import Sequence

from leadline.hints.alignment import Alignment
from leadline.hints.rectification import RigCheck
from leadline.hints.verdict import GOOD_ROWS, Severity
from leadline.report.charts import BarChart
from leadline.report.elements import Cell, Column, Element, Facts, Section, Table, Text, Tone

_TONES: dict[Severity, Tone] = {
    "good": "good",
    "unknown": "plain",
    "doubtful": "warning",
    "useless": "warning",
}
_PER_CENT = 100


def rig_section(check: RigCheck) -> Section:
    """The verdict first, then what it rests on."""
    verdict = check.verdict
    sentence = verdict.text[0].upper() + verdict.text[1:] + "."
    parts: list[Element] = [Text(sentence, _TONES[verdict.severity])]
    if check.pooled is not None:
        parts.append(Facts(_facts(check, check.pooled)))
    told = [pair.alignment for pair in check.pairs if pair.alignment is not None]
    if told:
        parts += [_chart(told), _table(check)]
    return Section("Rig", parts)


def _facts(check: RigCheck, found: Alignment) -> dict[str, str]:
    height, width = check.size
    between = check.offset_spread
    varies = "" if between is None else f"; ± {between:.2f} px from pair to pair"
    unread = f"; {check.unread} could not be read" if check.unread else ""
    return {
        "Looked at": f"{len(check.pairs)} pairs, spread evenly over the data, at "
        f"{width}x{height}{unread}",
        "Feature matches": f"{found.matches:,}, found without assuming anything of the rig",
        "Rows differ by": f"{found.rows:.2f} px, root mean square over the picture "
        f"({GOOD_ROWS} and less is good)",
        "Right picture lies lower by": f"{found.offset:+.2f} px in the middle{varies}",
        "Right picture is turned by": f"{found.roll:+.3f} degrees clockwise",
        "Right picture is taller by": f"{found.stretch:+.2%}",
        "Spread about that": f"{found.spread:.2f} px",
        "Negative disparities": f"{found.wrong_side:.1%} of the {found.sided:,} matches with a "
        "clear disparity (swapped sides have nearly all)",
    }


def _chart(told: Sequence[Alignment]) -> BarChart:
    return BarChart(
        [str(number) for number in range(1, len(told) + 1)],
        [each.offset for each in told],
        "the right picture lies lower by, pixels, pair by pair",
        dots=[each.tilt for each in told],
        dots_label="and by how much more at the right border than at the left one",
        reach=2 * GOOD_ROWS,
    )


def _table(check: RigCheck) -> Table:
    columns = [
        *(Column("Pair"), Column("Matches"), Column("Rows, px", 2)),
        *(Column("Lower, px", 2), Column("Turned, degrees", 3), Column("Taller, %", 2)),
        *(Column("Spread, px", 2), Column("Negative, %", 1)),
    ]
    rows: list[list[Cell]] = []
    number = 0
    for pair in check.pairs:
        found = pair.alignment
        if found is None:
            rows.append([pair.name, pair.matches, *[None] * 6])
            continue
        number += 1
        figures = (found.rows, found.offset, found.roll, found.stretch * _PER_CENT)
        wrong = found.wrong_side * _PER_CENT
        name = f"{number}: {pair.name}"
        rows.append([name, pair.matches, *figures, found.spread, wrong])
    return Table(columns, rows, "Every pair looked at. Click to sort.", sortable=True)
