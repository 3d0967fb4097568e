"""Reports as HTML files, and the SQL behind them."""

from __future__ import annotations

import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.user_sql import HIDDEN_TABLES, rows
from reports.registry import PAGES, report_page
from reports.render.bars import Spark, bar, interval_bar, signed_bar
from reports.render.figures import Figure, write
from reports.render.html import part, to_html
from reports.render.layout import page, plain_table, section
from reports.render.palette import ACCENT, SERIES, WARM
from reports.render.plots import Dots, Faces, Histogram, Lines, Matrix, Plot, Scatter
from reports.render.plots.plot import GRID, INK
from reports.stats.selection import Selection
from tests.command import kallos, kallos_ok
from tests.synthetic_store import make_store, train_fold

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Fails on a tag that is not closed where it should be, and keeps what was seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes = dict(attrs)
        assert not {name for name, _ in attrs if name in ("src", "href", "onload", "onclick")}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    with make_store(tmp_path_factory.mktemp("html") / "s.duckdb") as opened:
        train_fold(opened, 2, np.random.default_rng(5))
        yield opened


@pytest.mark.parametrize("name", PAGES)
def test_every_report_is_one_file_that_asks_for_nothing(store: Store, name: str):
    report = report_page(name)
    html = to_html(name, report.render(report.data(store, Selection())), "made by a test", ["SELECT 1 < 2"])
    tags = Checker(html).tags
    assert {"h1", "table", "details"} <= set(tags)
    assert "script" not in tags
    assert "://" not in html
    assert "not a person's worth" in unescape(html)
    assert "SELECT 1 &lt; 2" in html


@pytest.mark.parametrize("name", PAGES)
def test_the_sql_behind_every_report_can_be_run_by_anyone(store: Store, name: str):
    with store.record_queries() as queries:
        report_page(name).data(store, Selection())
    assert len(queries) == len(set(queries)) > 0
    store.execute("CHECKPOINT")
    for query in queries:
        assert "$" not in query.replace("'$.", "")
        if not any(hidden in query for hidden in HIDDEN_TABLES):
            store.connection.sql(query)


def test_what_is_asked_outside_is_not_overheard(store: Store):
    with store.record_queries() as queries:
        store.frame("SELECT $n AS n, $names AS names", n="it's", names=["a", None])
        store.frame("SELECT $n AS n, $names AS names", n="it's", names=["a", None])
        store.value("SELECT $x", x=1.5)
    store.value("SELECT 2")
    assert queries == ["SELECT 'it''s' AS n, ['a', NULL] AS names", "SELECT 1.5"]
    assert store.connection.sql(queries[0]).fetchall() == [("it's", ["a", None])]


def test_words_from_outside_stay_words():
    table = Table("<script>", "n")
    table.columns[1].justify = "right"
    table.add_row(Text("<img src=x>\n& more", style="bold #ff0000"), "<b>")
    html = to_html("<title>", page("<h1>", "<i>", section("<h2>", table, remark="<u>"), "<p>"), "<made>")
    tags = Checker(html).tags
    assert not {"img", "script", "i", "u", "b", "made"} & set(tags)
    assert "&lt;img src=x&gt;<br>&amp; more" in html
    assert 'style="--colour:#ff0000"' in html


def test_plots_are_drawn_with_the_same_numbers():
    columns = part(Histogram([1, 4, 2], 0.0, 3.0, "x"))
    assert columns.count("<title>") == 3
    assert "<title>1 to 2: 4</title>" in columns
    dots = part(Scatter([1.0, 2.0, 9.0], [1.0, 2.0, 3.0], "x", "y", (1, 5)))
    assert dots.count(f"fill: {SERIES[0]}; fill-opacity: 0.45") == 3
    curves = part(Lines({"one": ([0, 1], [0, 1]), "two": ([0, 1], [1, 1])}, "x", "y"))
    assert all(f"stroke: {colour}; stroke-width: 1.5" in curves for colour in SERIES[:2])
    assert ">two</text>" in curves


ODD = "a $1$ <b> & 'c'"
PLOTS = (
    Histogram([1, 4, 2], 0.0, 3.0, ODD, groups={ODD: [1, 4, 0], "b": [0, 0, 2]}),
    Scatter([1.0, 2.0], [3.0, 1.0], ODD, "y", groups=[ODD, "b"]),
    Lines({ODD: ([0, 1], [0, 1])}, "x", "y"),
    Dots({ODD: -0.5, "b": 1}, "x", {ODD: (-1, 0)}),
    Matrix([[1, 0.5], [0.5, 1]], [ODD, "b"]),
    Faces({ODD: np.eye(3)[:, :2], "b": np.eye(3)[:, 1:]}, [[0, 1]], np.array([[0, 2]]), "x"),
)


def test_every_kind_of_plot_is_here():
    assert {type(plot) for plot in PLOTS} == set(Plot.__subclasses__())


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: type(plot).__name__)
def test_a_plot_is_the_same_every_time_asks_for_nothing_and_takes_the_colours_of_its_page(plot: Plot):
    svg = part(plot)
    assert hashlib.sha256(svg.encode()).digest() == hashlib.sha256(part(plot).encode()).digest()
    tags = Checker(svg).tags
    assert {"svg", "text"} <= set(tags)
    assert "style" not in tags
    for absent in ("://", "#000000", "#ffffff", INK, GRID):
        assert absent not in svg
    for present in ("var(--faint)", "a $1$ &lt;b&gt; &amp; "):
        assert present in svg
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: type(plot).__name__)
def test_a_plot_becomes_files(plot: Plot, tmp_path: Path):
    figure = Figure("name", "title $1$", [(ODD, plot), ("", plot)])
    for suffix in ("png", "svg"):
        content, again = (write(figure, tmp_path / "new" / f"{n}.{suffix}").read_bytes() for n in (1, 2))
        assert hashlib.sha256(content).digest() == hashlib.sha256(again).digest()
    assert (tmp_path / "new" / "1.png").read_bytes().startswith(b"\x89PNG")


def test_a_bar_is_drawn_from_its_number_and_is_no_text_for_a_screen_reader():
    table = plain_table("model", "")
    drawings = (bar(0.25, 12, WARM), signed_bar(-1, 2), interval_bar(0, 0.5, 1, -1, 1), Spark([0, 1, 4]))
    for drawing in drawings:
        table.add_row("━━━╸───", drawing)
    html = part(table)
    Checker(html)
    assert html.count('<svg class="cell" aria-hidden="true"') == 4
    assert html.count("<td>━━━╸───</td>") == 4
    for mark in (
        f'<rect x="0" y="0.3" width="0.25" height="0.4" fill="{WARM}"/>',
        f'<rect x="0.25" y="0.3" width="0.25" height="0.4" fill="{WARM}"/>',
        f'<rect x="0.5" y="0.3" width="0.5" height="0.4" fill="{ACCENT}"/>',
        f'<rect x="0.333" y="0.75" width="0.3" height="0.25" fill="{ACCENT}"/>',
    ):
        assert mark in html


@given(*[st.floats()] * 4, *[st.floats(allow_nan=False, allow_infinity=False)] * 2)
def test_every_bar_has_html_and_lies_within_its_cell(low, value, high, reference, start, end):
    for drawing in (bar(value), signed_bar(value, abs(end)), interval_bar(low, value, high, start, end, reference)):
        assert "nan" not in part(drawing)
        assert all(0 <= end <= 1 for span in drawing.spans for end in (span.start, span.end))


def test_what_has_no_html_is_named():
    with pytest.raises(TypeError, match="int"):
        part(3)


def test_the_command_writes_html_and_prints_sql(tmp_path: Path):
    path = tmp_path / "s.duckdb"
    make_store(path).close()
    file = tmp_path / "report.html"
    assert "wrote" in kallos_ok("report", "--html", file, "--store", path).err
    assert "<h1>Overview" in file.read_text(encoding="utf-8")
    printed = kallos_ok("report", "evaluation", "--sql", "--store", path).out
    with open_store(path, read_only=True) as store:
        for query in printed.strip().removesuffix(";").split(";\n\n"):
            assert rows(store, query).columns
    missing = kallos("report", "--html", tmp_path / "no" / "report.html", "--store", path)
    assert missing.code == 2
    assert "cannot be written" in missing.err


def test_photos_are_shown_only_where_asked_for(workspace, tmp_path: Path):
    written = tmp_path / "report.html"
    for options, pictures in (((), 0), (("--photos",), 1)):
        kallos_ok("report", "dataset", "--html", written, *options, "--store", workspace.store)
        assert written.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == pictures
