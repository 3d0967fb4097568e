"""`kallos tables`: what can be queried."""

import polars as pl
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from featurestore.errors import UsageError
from featurestore.store import Store
from reports.render.layout import dim, page, plain_table
from reports.render.palette import ACCENT


def data(store: Store, name: str | None) -> pl.DataFrame:
    """A row a column: table, table_comment, column, type, comment; of one table or of all.

    Raises UsageError for an unknown table.
    """
    described = store.describe()
    if name is None:
        return described
    known = described["table"].unique().sort().to_list()
    if name not in known:
        raise UsageError(f"There is no table {name!r}: choose from {', '.join(known)}.")
    return described.filter(pl.col("table") == name)


def render(described: pl.DataFrame) -> RenderableType:
    groups = {str(name): group for (name,), group in described.group_by("table", maintain_order=True)}
    if len(groups) == 1:
        ((name, group),) = groups.items()
        rows = (
            (Text(column, style=ACCENT), dim(kind), comment or "")
            for column, kind, comment in group.select("column", "type", "comment").iter_rows()
        )
        table = plain_table("column", "type", "meaning", rows=rows, text=(0, 1, 2))
        return page(name, group["table_comment"][0] or "", table)
    return page(
        "Tables and views",
        "`kallos tables NAME` lists the columns of one",
        _tables(groups),
        dim('Query them with `kallos sql "SELECT ..."`.'),
    )


def _tables(groups: dict[str, pl.DataFrame]) -> RenderableType:
    parts: list[RenderableType] = []
    for name, group in groups.items():
        columns = group["column"].to_list()
        shown = ", ".join(columns[:8]) + (f" … {len(columns)} columns" if len(columns) > 8 else "")
        heading = Text.assemble((name, f"bold {ACCENT}"), f"  {group['table_comment'][0] or ''}")
        parts += [heading, Padding(dim(shown), (0, 0, 0, 2))]
    return Group(*parts)
