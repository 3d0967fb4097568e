"""Narrow terminals: nothing is wider than they are, and no figure is cut or lost."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from kallos.cli.console import SafeConsole
from reports.registry import PAGES
from reports.render.bars import bar
from reports.render.layout import plain_table
from tests.command import kallos
from tests.conftest import Workspace
from tests.crossed import crossed
from tests.synthetic_store import make_store, train_fold

WIDTHS = (40, 60, 80)
WIDE = 250
FIGURE = re.compile(r"(?<![a-z\d.])[-+]?\d[\d,]*(?:\.\d+)?")  # not that of a path such as python3.13
NO_FIGURES = re.compile(
    r"(from )?1 to 5|below 0 · above|-\d\.\d+ +0 +\+\d\.\d+"  # headings of columns that only draw
    r"|\b[0-9a-f]{40,}\b"  # hashes longer than a line
    r"|.*[┤┬│└█▁▂▃▄▅▆▇⠀-⣿].*"  # plots: ticks depend on the width
)


def figures(text: str) -> Counter[str]:
    return Counter(FIGURE.findall(NO_FIGURES.sub("", text)))


def check(wide: str, narrow: str, width: int) -> None:
    assert max(map(len, narrow.splitlines())) <= width
    assert figures(wide) - figures(narrow) == Counter()
    assert "…" not in NO_FIGURES.sub("", narrow) or "…" in wide


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("widths") / "s.duckdb"
    with make_store(path, 48) as store:
        train_fold(store, 2, np.random.default_rng(5))
    return path


AnswerOf = Callable[..., str]


@pytest.fixture(scope="module")
def answer_of(reports_once: None) -> AnswerOf:
    """What a command prints on a terminal of that width."""

    @cache
    def answered(width: int, *command: object) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("kallos.cli.console.out.width", width)
            answer = kallos(*command)
        assert answer.code in (0, 11), answer.err
        return answer.out

    return answered


@pytest.mark.parametrize(("name", "width"), crossed(PAGES, WIDTHS, every=4))
def test_a_report(name: str, width: int, store: Path, answer_of: AnswerOf):
    command = ("report", name, "--store", store)
    check(answer_of(WIDE, *command), answer_of(width, *command), width)


COMMANDS = (
    "score PHOTO",
    "explain PHOTO",
    "similar demo/P0001.jpg",
    "features",
    "features jaw_width",
    "plan",
    "check",
    "doctor",
    "tables",
    "tables scores",
    "verify RUN",
    "sql 'SELECT * EXCLUDE (sha256) FROM images JOIN scores USING (image_id) LIMIT 5'",
    "sql 'SELECT run_id, mae, rmse, pearson FROM evaluations'",
)


@pytest.mark.parametrize(("command", "width"), crossed(COMMANDS, WIDTHS, every=4))
def test_a_command(command: str, width: int, workspace: Workspace, answer_of: AnswerOf):
    runs = sorted(path.name for path in workspace.store.with_suffix(".runs").glob("*-baseline-*"))
    names = {"PHOTO": str(workspace.portrait), "RUN": runs[0]}
    words = [names.get(word, word).strip("'") for word in re.findall(r"'[^']*'|\S+", command)]
    line = (*words, "--store", workspace.store)
    check(answer_of(WIDE, *line), answer_of(width, *line), width)


# the table itself


def lines_of(renderable: RenderableType, width: int) -> list[str]:
    console = SafeConsole(file=io.StringIO(), width=width)
    console.print(renderable)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.fixture
def table():
    table = plain_table("model", "PC", "MAE", "")
    table.add_row("baseline", "2.994", "1,234.5", bar(0.5, 12))
    table.add_row(Text("ensemble"), "-0.123", "", bar(1, 12))
    return table


def test_where_there_is_room_it_is_a_table(table):
    assert lines_of(table, 40)[0].split() == ["model", "PC", "MAE"]
    assert lines_of(table, 40)[2] == "baseline   2.994  1,234.5  ━━━━━━──────"


def test_bars_go_before_the_rows_become_lists(table):
    assert lines_of(table, 30) == [
        "model         PC      MAE",
        "─────────────────────────",
        "baseline   2.994  1,234.5",
        "ensemble  -0.123",
    ]


def test_rows_become_lists_before_a_figure_is_cut(table):
    assert lines_of(table, 20) == [
        "model  baseline",
        "PC     2.994",
        "MAE    1,234.5",
        "",
        "model  ensemble",
        "PC     -0.123",
        "",
    ]


def test_a_value_that_is_too_long_beside_its_label_stands_below_it():
    sheet = plain_table("run", "PC")
    sheet.add_row("demo-5fold-1-b-1f2e3d4c", "2.994")
    assert lines_of(sheet, 26) == ["run", "  demo-5fold-1-b-1f2e3d4c", "PC   2.994", ""]


def test_names_are_folded_and_numbers_are_not():
    for name, is_table in (
        ("a_name_of_a_feature_without_a_figure", True),
        ("sha256_1f2e3d4c5b6a79880123456789", False),
    ):
        sheet = plain_table("feature", "PC")
        sheet.add_row(name, "2.994")
        lines = lines_of(sheet, 30)
        assert (lines[0].split() == ["feature", "PC"]) == is_table
        assert "2.994" in "".join(lines)


def test_a_plain_console_shows_it_too(table):
    console = Console(file=io.StringIO(), width=20)
    console.print(table)
    assert "1,234.5" in console.file.getvalue()
