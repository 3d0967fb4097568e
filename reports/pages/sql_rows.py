"""The rows of a query as a table for people."""

import polars as pl
from rich import box
from rich.console import Group, RenderableType
from rich.text import Text

from reports.render.layout import PlainTable, dim, plural

SHOWN = 100
"""Rows; programs take all of them with --json or --csv FILE."""
LONGEST = 60
"""Characters of one value."""


def render(rows: pl.DataFrame) -> RenderableType:
    table = PlainTable(box=box.SIMPLE_HEAD, header_style="bold", border_style="dim", pad_edge=False, show_edge=False)
    for name, kind in rows.schema.items():
        table.add_column(name, justify="right" if kind.is_numeric() else "left", overflow="fold")
    for row in rows.head(SHOWN).iter_rows():
        table.add_row(*(_cell(value) for value in row))
    more = f", the first {SHOWN} are shown: --csv FILE or --json gives all" if len(rows) > SHOWN else ""
    return Group(table, dim(f"{plural(len(rows), 'row')}{more}"))


def _cell(value: object) -> Text:
    if value is None:
        return dim("NULL")
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return Text(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
