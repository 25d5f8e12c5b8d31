"""The pieces of a report, each of which writes itself as HTML with everything escaped."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

Cell = str | float | None
Tone = Literal["plain", "good", "warning"]
Emphasis = Literal["strong", "faint"]

_JPEG_QUALITY = 88
_BAR_END = 0.02  # of a colour bar's length


@runtime_checkable
class Element(Protocol):
    """Anything that a section can hold."""

    def html(self) -> str:
        """The element, escaped and closed, as part of a page's body."""
        ...


@dataclass(frozen=True)
class Text:
    """A paragraph; its tone colours the rule beside it."""

    text: str
    tone: Tone = "plain"

    def html(self) -> str:
        """See `Element`."""
        return f'<p class="{self.tone}">{escape(self.text)}</p>'


@dataclass(frozen=True)
class Facts:
    """Labels and what is said of each."""

    facts: Mapping[str, str]

    def html(self) -> str:
        """See `Element`."""
        pairs = (
            f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in self.facts.items()
        )
        return f"<dl>{''.join(pairs)}</dl>"


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading and how its numbers are written."""

    title: str
    digits: int | None = None
    """Decimals of floating-point numbers; `None` for a column of text and counts."""

    def write(self, cell: Cell) -> str:
        """A cell as text; a missing one as a dash."""
        if cell is None:
            return "–"
        if isinstance(cell, str):
            return cell
        return f"{cell:,.{self.digits or 0}f}"


@dataclass(frozen=True)
class Table:
    """Rows under columns; numbers line up on the right, a click on a heading sorts if asked."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    sortable: bool = False
    emphasis: Mapping[int, Emphasis] = field(default_factory=dict)
    """Rows, counted from 0, that stand out or stand back."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"expected {len(self.columns)} cells in every row of a table, got {len(row)}"
                )

    def html(self) -> str:
        """See `Element`."""
        # Outside the table, which scrolls where the page is narrow.
        caption = f'<p class="caption">{escape(self.caption)}</p>' if self.caption else ""
        head = "".join(self._heading(index) for index in range(len(self.columns)))
        body = "".join(self._row(index) for index in range(len(self.rows)))
        return (
            f'{caption}<div class="wide"><table{" data-sortable" if self.sortable else ""}>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _heading(self, index: int) -> str:
        title = escape(self.columns[index].title)
        label = f'<button type="button">{title}</button>' if self.sortable else title
        numeric = ' class="number"' if self._is_numeric(index) else ""
        return f'<th scope="col"{numeric}>{label}</th>'

    def _row(self, index: int) -> str:
        tone = self.emphasis.get(index)
        cells = zip(self.columns, self.rows[index], strict=True)
        written = "".join(_cell(column, cell) for column, cell in cells)
        return f'<tr class="{tone}">{written}</tr>' if tone else f"<tr>{written}</tr>"

    def _is_numeric(self, index: int) -> bool:
        return any(isinstance(row[index], (int, float)) for row in self.rows)


def _cell(column: Column, cell: Cell) -> str:
    text = escape(column.write(cell))
    if isinstance(cell, (int, float)):
        return f'<td class="number" data-value="{float(cell)!r}">{text}</td>'
    return f"<td>{text}</td>"


@dataclass(frozen=True)
class Figure:
    """A picture (RGB) with its caption, embedded in the page."""

    picture: UInt8[np.ndarray, "h w 3"]
    caption: str
    alt: str = ""
    """What a reader who cannot see it should know; the caption where empty."""
    most_width: int = 800
    """Wider pictures are made smaller, pixels."""
    lossless: bool = False
    """PNG instead of JPEG, for drawings and maps with few colours."""

    def html(self) -> str:
        """See `Element`."""
        picture = _shrunk(self.picture, self.most_width)
        height, width = picture.shape[:2]
        return (
            f'<figure><img src="{_data_uri(picture, self.lossless)}" width="{width}" '
            f'height="{height}" alt="{escape(self.alt or self.caption)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True)
class Gallery:
    """Figures side by side under one heading."""

    figures: Sequence[Figure]
    columns: int = 2
    heading: str = ""

    def html(self) -> str:
        """See `Element`."""
        heading = f"<h3>{escape(self.heading)}</h3>" if self.heading else ""
        figures = "".join(figure.html() for figure in self.figures)
        return (
            f'<div class="gallery">{heading}'
            f'<div class="grid" style="--columns:{self.columns}">{figures}</div></div>'
        )


@dataclass(frozen=True)
class ColourBar:
    """What the colours of pictures mean: colours from left to right, and labels at shares of it."""

    colours: UInt8[np.ndarray, "_ 3"]
    ticks: Sequence[tuple[float, str]]
    label: str

    def html(self) -> str:
        """See `Element`."""
        bar = np.repeat(self.colours[None], 2, axis=0)
        ticks = "".join(
            f'<span class="{_tick_side(at)}" style="left:{100 * at:.2f}%">{escape(text)}</span>'
            for at, text in self.ticks
        )
        return (
            f'<div class="colourbar"><div class="name">{escape(self.label)}</div>'
            f'<img src="{_data_uri(bar, lossless=True)}" alt="">'
            f'<div class="ticks">{ticks}</div></div>'
        )


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    title: str
    elements: Sequence[Element]

    @property
    def anchor(self) -> str:
        """What a link inside the page calls it."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "section"

    def html(self) -> str:
        """See `Element`."""
        body = "\n".join(element.html() for element in self.elements)
        return f'<section id="{self.anchor}"><h2>{escape(self.title)}</h2>\n{body}\n</section>'


def _tick_side(at: float) -> str:
    # A label at an end of the bar stands inside it, so that it does not leave the page.
    return "start" if at <= _BAR_END else "end" if at >= 1 - _BAR_END else "middle"


def _shrunk(picture: UInt8[np.ndarray, "_ _ 3"], most_width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    height, width = picture.shape[:2]
    if width <= most_width:
        return picture
    size = (most_width, max(1, round(height * most_width / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _data_uri(picture: UInt8[np.ndarray, "_ _ 3"], lossless: bool) -> str:
    kind = "png" if lossless else "jpeg"
    options = [] if lossless else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, encoded = cv2.imencode(f".{kind}", np.ascontiguousarray(picture[..., ::-1]), options)
    return f"data:image/{kind};base64,{b64encode(encoded.tobytes()).decode()}"
