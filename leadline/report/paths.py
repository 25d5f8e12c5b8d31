"""Paths seen from above, as inline SVG."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float64

from leadline.report.charts import round_ticks

_SIDE, _MARGIN = 420, 46
_INNER = _SIDE - 2 * _MARGIN


@dataclass(frozen=True)
class PathChart:
    """Where paths go, x to the right and y upwards, one metre as long as the other."""

    paths: Mapping[str, Float64[np.ndarray, "_ 2"]]
    label: str

    def html(self) -> str:
        """See `Element`."""
        points = np.concatenate(list(self.paths.values()))
        low, high = points.min(0), points.max(0)
        # What stands still or goes straight still has a picture.
        span = max(float((high - low).max()), 1e-6)
        middle = (low + high) / 2
        first = middle - span / 2
        parts = [*_levels(first, span)]
        for number, (name, path) in enumerate(self.paths.items()):
            placed = _placed(path, first, span)
            points_of = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            title = f"<title>{escape(name)}</title>"
            x, y = placed[0]
            parts += [
                f'<polyline class="path{number}" points="{points_of}">{title}</polyline>',
                f'<circle class="path{number}" cx="{x:.1f}" cy="{y:.1f}" r="3">{title}</circle>',
            ]
        keys = "".join(
            f'<span class="key path{number}">{escape(name)}</span>'
            for number, name in enumerate(self.paths)
        )
        return (
            f'<div class="square"><svg class="chart" viewBox="0 0 {_SIDE} {_SIDE}" role="img" '
            f'aria-label="{escape(self.label)}">{"".join(parts)}</svg>'
            f'<p class="legend">{escape(self.label)}<br>{keys}</p></div>'
        )


def _placed(
    path: Float64[np.ndarray, "n 2"], first: Float64[np.ndarray, "2"], span: float
) -> Float64[np.ndarray, "n 2"]:
    share = (path - first) / span
    return np.stack(
        [_MARGIN + _INNER * share[:, 0], _SIDE - _MARGIN - _INNER * share[:, 1]], axis=1
    )


def _levels(first: Float64[np.ndarray, "2"], span: float) -> list[str]:
    """Lines at round numbers in both directions."""
    parts, edge = [], _SIDE - _MARGIN
    for axis, low in enumerate(first.tolist()):
        for tick in round_ticks(low, low + span):
            share = (tick - low) / span
            if not 0 <= share <= 1:
                continue
            at = _MARGIN + _INNER * share
            if axis == 0:
                parts += [_line(at, _MARGIN, at, edge), _text(at, edge + 18, tick, "middle")]
            else:
                at = _SIDE - at
                parts += [_line(_MARGIN, at, edge, at), _text(_MARGIN - 8, at + 4, tick, "end")]
    return parts


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="level" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, value: float, anchor: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{value:g}</text>'
