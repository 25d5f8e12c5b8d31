"""Charts drawn as inline SVG: they take the page's colours, scale, and print sharply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

import numpy as np

_WIDTH, _HEIGHT = 760, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 30, 54
_INNER_WIDTH, _INNER_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_GAP = 0.14  # of a bar's share of the width
_AXIS_STEPS = (1, 2, 2.5, 5, 10)
_AXIS_TICKS = 5
_LEAST_SPAN = 1e-9  # what rounding leaves of equal values
_LINE_HEIGHT = 14
_TICK_DROP = 18  # from the axis to the base line of its labels
_MARK_GAP = 4  # from a mark to its label
_LEAN_INWARDS = 0.7  # share of the width past which a mark's label stands on its left
_BINS = 24


@dataclass(frozen=True)
class Histogram:
    """How many values lie where, with marks for values of note."""

    values: Sequence[float]
    label: str
    marks: Mapping[str, float] = field(default_factory=dict)

    def html(self) -> str:
        """See `Element`."""
        if not self.values:
            return ""
        ticks = round_ticks(*_span([0.0, *self.values, *self.marks.values()]))
        across = _Axis(ticks[0], ticks[-1])
        named = sorted(self.marks.items(), key=lambda mark: mark[1])
        parts = [
            *self._bars(across),
            *(_text(across.x(tick), _HEIGHT - _BOTTOM + _TICK_DROP, f"{tick:g}") for tick in ticks),
            *(
                self._mark(across.x(value), row, name, value)
                for row, (name, value) in enumerate(named)
            ),
            _text(_LEFT + _INNER_WIDTH / 2, _HEIGHT - 8, self.label, kind="label"),
        ]
        return _svg(parts, self.label)

    def _bars(self, across: "_Axis") -> list[str]:
        inside = np.clip(self.values, across.low, across.high)
        histogram = np.histogram(inside, bins=_BINS, range=(across.low, across.high))
        counts, edges = (array.tolist() for array in histogram)
        levels = round_ticks(0, max(counts))
        up = _Axis(0, levels[-1])
        lines = [_level(up, level, f"{level:g}") for level in levels if level == int(level)]
        return lines + [
            _bar(
                across.x(left),
                across.x(right),
                up.y(0),
                up.y(count),
                f"{left:.3g} to {right:.3g}: {count}",
            )
            for count, (left, right) in zip(counts, pairwise(edges), strict=True)
            if count
        ]

    def _mark(self, x: float, row: int, name: str, value: float) -> str:
        # Labels of neighbours stand on two lines, and lean inwards near the right border.
        y = _LINE_HEIGHT - 2 + (row % 2) * _LINE_HEIGHT
        inwards = "end" if x > _LEFT + _LEAN_INWARDS * _INNER_WIDTH else "start"
        offset = -_MARK_GAP if inwards == "end" else _MARK_GAP
        line = (
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y - _LINE_HEIGHT // 2}" '
            f'y2="{_HEIGHT - _BOTTOM}"/>'
        )
        return line + _text(x + offset, y, f"{name} {value:.3f}", kind="mark", anchor=inwards)


@dataclass(frozen=True)
class BarChart:
    """A bar for each label, with a second line under it and a dot of another kind if wanted."""

    labels: Sequence[str]
    values: Sequence[float]
    label: str
    sublabels: Sequence[str] = ()
    dots: Sequence[float] = ()
    dots_label: str = ""
    reach: float = 0.0
    """The axis goes this far to either side of 0 or farther, so that small values look small."""

    def html(self) -> str:
        """See `Element`."""
        if not self.values:
            return ""
        ticks = round_ticks(*_span([-self.reach, self.reach, *self.values, *self.dots]))
        scale = _Axis(ticks[0], ticks[-1])
        share = _INNER_WIDTH / len(self.values)
        centres = [_LEFT + share * (k + 0.5) for k in range(len(self.values))]
        half = share * (0.5 - _GAP)
        levels = [_level(scale, tick, f"{tick:g}") for tick in ticks]
        bars = [
            _bar(x - half, x + half, scale.y(0), scale.y(value), f"{text}: {value:.4f}")
            for x, value, text in zip(centres, self.values, self.labels, strict=True)
        ]
        dots = [
            f'<circle class="dot" cx="{x:.1f}" cy="{scale.y(value):.1f}" r="4">'
            f"<title>{escape(self.dots_label)} {value:+.4f}</title></circle>"
            for x, value in zip(centres, self.dots, strict=False)
        ]
        below = _HEIGHT - _BOTTOM + _TICK_DROP
        names = [_text(x, below, text) for x, text in zip(centres, self.labels, strict=True)]
        second = [
            _text(x, below + _LINE_HEIGHT, text, kind="faint")
            for x, text in zip(centres, self.sublabels, strict=False)
        ]
        return _svg([*levels, *bars, *dots, *names, *second], self.label) + self._legend()

    def _legend(self) -> str:
        keys = {"bar": self.label} | ({"dot": self.dots_label} if self.dots else {})
        items = (f'<span class="key {kind}">{escape(text)}</span>' for kind, text in keys.items())
        return f'<p class="legend">{"".join(items)}</p>'


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    def x(self, value: float) -> float:
        return _LEFT + _INNER_WIDTH * (value - self.low) / (self.high - self.low)

    def y(self, value: float) -> float:
        return _TOP + _INNER_HEIGHT * (self.high - value) / (self.high - self.low)


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers around [low, high], about five steps apart from each other."""
    span = high - low if high - low > _LEAST_SPAN else 1.0
    power = 10.0 ** np.floor(np.log10(span / _AXIS_TICKS))
    step = next(power * s for s in _AXIS_STEPS if power * s * _AXIS_TICKS >= span * (1 - 1e-9))
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [float(k * step) for k in np.arange(first, max(last, first + 1) + 1)]


def _bar(left: float, right: float, base: float, top: float, title: str) -> str:
    return (
        f'<rect class="bar" x="{left + 0.5:.1f}" width="{max(right - left - 1, 1):.1f}" '
        f'y="{min(base, top):.1f}" height="{abs(base - top):.1f}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _level(scale: _Axis, value: float, text: str) -> str:
    y = scale.y(value)
    kind = "zero" if value == 0 else "level"
    line = f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(_LEFT - 8, y + 4, text, anchor="end")


def _text(x: float, y: float, text: str, kind: str = "tick", anchor: str = "middle") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<div class="wide"><svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg></div>'
    )
