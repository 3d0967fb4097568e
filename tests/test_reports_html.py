"""Reports as HTML files, and the SQL behind them."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table
from rich.text import Text

from featurestore.guard import HIDDEN_TABLES, select
from featurestore.store import Store
from reports.registry import PAGES, report_page
from reports.render.html import part, to_html
from reports.render.layout import page, section
from reports.render.terminal_plots import Histogram, Lines, Scatter
from reports.stats.selection import Selection
from tests.command import done, kallos
from tests.synthetic_store import make_store, train_fold

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Fails on a tag that is not closed where it should be, and keeps what was seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
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
    seen = Checker(html).seen
    assert {"h1", "table", "details"} <= set(seen)
    assert "script" not in seen
    assert "://" not in html
    assert "not a person's worth" in unescape(html)
    assert "SELECT 1 &lt; 2" in html


@pytest.mark.parametrize("name", PAGES)
def test_the_sql_behind_every_report_can_be_run_by_anyone(store: Store, name: str):
    with store.overheard() as queries:
        report_page(name).data(store, Selection())
    assert len(queries) == len(set(queries)) > 0
    store.execute("CHECKPOINT")
    for query in queries:
        assert "$" not in query.replace("'$.", "")
        if not any(hidden in query for hidden in HIDDEN_TABLES):
            store.connection.sql(query)


def test_what_is_asked_outside_is_not_overheard(store: Store):
    with store.overheard() as queries:
        store.frame("SELECT $n AS n, $names AS names", n="it's", names=["a", None])
        store.frame("SELECT $n AS n, $names AS names", n="it's", names=["a", None])
        store.value("SELECT $x", x=1.5)
    store.value("SELECT 2")
    assert queries == ["SELECT 'it''s' AS n, ['a', NULL] AS names", "SELECT 1.5"]
    assert store.connection.sql(queries[0]).fetchall() == [("it's", ["a", None])]


def test_words_from_outside_stay_words():
    made = Table("<script>", "n")
    made.columns[1].justify = "right"
    made.add_row(Text("<img src=x>\n& more", style="bold #ff0000"), "<b>")
    html = to_html("<title>", page("<h1>", "<i>", section("<h2>", made, remark="<u>"), "<p>"), "<made>")
    seen = Checker(html).seen
    assert not {"img", "script", "i", "u", "b", "made"} & set(seen)
    assert "&lt;img src=x&gt;<br>&amp; more" in html
    assert 'style="color:#ff0000"' in html


def test_plots_are_drawn_with_the_same_numbers():
    columns = part(Histogram([1, 4, 2], 0.0, 3.0, "x"))
    assert columns.count("<rect") == 3
    assert "1 to 2: 4" in columns
    dots = part(Scatter([1.0, 2.0, 9.0], [1.0, 2.0, 3.0], 1, 5, "x", "y"))
    assert dots.count("h0") == 3
    curves = part(Lines({"one": ([0, 1], [0, 1]), "two": ([0, 1], [1, 1])}, "x", "y"))
    assert curves.count("<polyline") == 2
    assert ">two</text>" in curves
    for drawn in (columns, dots, curves):
        Checker(drawn)


def test_a_bar_is_no_text_for_a_screen_reader():
    assert part(Text("━━━╸───")).startswith('<p><span class="bar" aria-hidden="true">')
    assert "bar" not in part(Text("a━b"))


def test_what_has_no_html_is_named():
    with pytest.raises(TypeError, match="int"):
        part(3)


def test_the_command_writes_html_and_prints_sql(tmp_path: Path):
    path = tmp_path / "s.duckdb"
    make_store(path).close()
    file = tmp_path / "report.html"
    assert "wrote" in done("report", "--html", file, "--store", path).err
    assert "<h1>Overview" in file.read_text(encoding="utf-8")
    printed = done("report", "evaluation", "--sql", "--store", path).out
    for query in printed.strip().removesuffix(";").split(";\n\n"):
        assert select(path, query).columns
    missing = kallos("report", "--html", tmp_path / "no" / "report.html", "--store", path)
    assert missing.code == 2
    assert "cannot be written" in missing.err


def test_photos_are_shown_only_where_asked_for(workspace, tmp_path: Path):
    written = tmp_path / "report.html"
    for options, pictures in (((), 0), (("--photos",), 1)):
        done("report", "dataset", "--html", written, *options, "--store", workspace.store)
        assert written.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == pictures
