import re
from base64 import b64decode
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from leadline.report.charts import BarChart, Histogram
from leadline.report.elements import (
    ColourBar,
    Column,
    Facts,
    Figure,
    Gallery,
    Section,
    Table,
    Text,
)
from leadline.report.page import report_page, save_page

EVIL = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "img"}
RED = np.zeros((20, 30, 3), dtype=np.uint8)
RED[..., 0] = 255


class Outline(HTMLParser):
    """Fails where tags do not nest, and keeps the text and the attributes that fetch something."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.fetched = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.fetched += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def everything(text):
    return (
        Section(
            text,
            (
                Text(text, "warning"),
                Facts({text: text}),
                Table(
                    [Column(text), Column("n", 3)],
                    [[text, 1234.5678], ["b", None]],
                    caption=text,
                    sortable=True,
                    emphasis={1: "faint"},
                ),
                Gallery([Figure(RED, text), Figure(RED, text, alt=text)], heading=text),
                ColourBar(RED[0], [(0, text), (0.5, text), (1, text)], text),
                Histogram([0.1, 0.2, 0.2], text, {text: 0.15}),
                BarChart([text], [0.2], text, sublabels=[text], dots=[-0.1], dots_label=text),
            ),
        ),
        Section("Second", ()),
        Section("Third", ()),
    )


def test_the_page_is_well_formed_escaped_and_fetches_nothing():
    page = report_page(everything(EVIL), title=EVIL, subtitle=EVIL)
    outline = Outline(page)
    assert page.count("<script>") == 1  # our own
    assert "alert('x')" not in re.sub(r"&lt;script&gt;alert\(&#x27;x", "", page)
    assert "".join(outline.text).count(EVIL) >= 15
    assert outline.fetched
    assert all(value.startswith(("data:image/", "#")) for value in outline.fetched)
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"(?:https?:)?//\w", re.sub(r"base64,[^\"]*", "", page))
    assert "default-src 'none'" in page


def test_links_lead_to_sections():
    page = report_page(everything("First & foremost"), title="x")
    assert '<a href="#first-foremost">' in page
    assert '<section id="first-foremost">' in page
    assert "<nav>" not in report_page((Section("Only", ()),), title="x")


def test_numbers_are_written_and_sorted_by_their_values():
    html = Table([Column("a", 2), Column("n")], [[1.005, 1200], [None, 7]], sortable=True).html()
    assert '<td class="number" data-value="1.005">1.00</td>' in html
    assert '<td class="number" data-value="1200.0">1,200</td>' in html
    assert "<td>–</td>" in html
    assert html.count('<th scope="col" class="number"><button') == 2
    assert "data-sortable" not in Table([Column("a")], [["b"]]).html()


def test_numpy_numbers_are_numbers_too():
    html = Table([Column("a", 1)], [[np.float64(2.5)]]).html()
    assert 'data-value="2.5">2.5</td>' in html


def test_ragged_tables_are_refused():
    with pytest.raises(ValueError, match="expected 2 cells in every row of a table, got 1"):
        Table([Column("a"), Column("b")], [["x", "y"], ["x"]])


def picture_in(html):
    kind, data = re.search(r'src="data:image/(\w+);base64,([^"]+)"', html).groups()
    return kind, cv2.imdecode(np.frombuffer(b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def test_pictures_are_embedded_in_their_colours_and_made_smaller():
    kind, decoded = picture_in(Figure(RED, "red", most_width=15).html())
    assert kind == "jpeg"
    assert decoded.shape == (10, 15, 3)
    assert decoded[5, 5, 2] > 250 > 10 > decoded[5, 5, 0]
    kind, decoded = picture_in(Figure(RED, "red", lossless=True).html())
    assert kind == "png"
    assert (decoded[..., ::-1] == RED).all()
    assert 'width="30" height="20" alt="red"' in Figure(RED, "red").html()


def test_labels_at_the_ends_of_a_bar_stay_inside():
    html = ColourBar(RED[0], [(0, "a"), (0.5, "b"), (1, "c")], "bar").html()
    assert re.findall(r'class="(start|middle|end)" style="left:([\d.]+)%"', html) == [
        ("start", "0.00"),
        ("middle", "50.00"),
        ("end", "100.00"),
    ]


def test_pages_are_saved_whole(tmp_path):
    save_page("<p>é</p>", tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == "<p>é</p>"
    assert len(list((tmp_path / "new").iterdir())) == 1
