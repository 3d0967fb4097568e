"""`kallos report`, `kallos sql` and `kallos tables`: what the store knows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Csv, Fold, Json, Parquet, Protocol, Sav, StorePath


class ReportName(StrEnum):
    """The reports."""

    OVERVIEW = "overview"
    DATASET = "dataset"
    FEATURES = "features"
    TRAINING = "training"
    EVALUATION = "evaluation"
    BENCHMARK = "benchmark"
    SUBSCORES = "subscores"
    COMPARE = "compare"
    LINEAGE = "lineage"


class PictureFormat(StrEnum):
    """Formats of figures."""

    PNG = "png"
    SVG = "svg"


def report(
    name: Annotated[ReportName, typer.Argument(help="Which report.")] = ReportName.OVERVIEW,
    data_set: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    trait: Annotated[
        str | None, typer.Option(help="Trait that features are correlated with, where there are several.")
    ] = None,
    run: Annotated[list[str] | None, typer.Option(help="Only these runs; give it once a run.")] = None,
    image: Annotated[str | None, typer.Option(help="The image whose lineage is told.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Also write the figures into this folder.")] = None,
    picture: Annotated[PictureFormat, typer.Option("--format", help="Format of the figures.")] = PictureFormat.PNG,
    photos: Annotated[bool, typer.Option("--photos", help="Let the page of a data set show a sample of it.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the report into this HTML file instead.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL behind the report instead.")] = False,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Tables and plots in the terminal, one HTML file to keep or to send, JSON for programs, pictures for papers."""
    from kallos.cli.console import note, out, plain
    from kallos.workflows.stores import open_for_reading
    from reports.registry import REPORTS
    from reports.render.html import write_html
    from reports.render.json import to_json
    from reports.stats.selection import Selection

    chosen = REPORTS[name.value]
    selection = Selection(
        data_set=data_set, protocol=protocol, fold=fold, runs=tuple(run or ()), image=image, trait=trait, photos=photos
    )
    with open_for_reading(store) as opened, opened.overheard() as queries:
        report = chosen.data(opened, selection)
    if html:
        write_html(html, f"report {name.value}", chosen.render(report), queries)
        note(f"wrote {html}")
    elif sql:
        plain("\n\n".join(f"{query};" for query in queries) + "\n")
    else:
        out.print_json(to_json(name.value, report)) if json else out.print(chosen.render(report))
    if figures:
        for path in chosen.figures(report, figures, picture.value):
            note(f"wrote {path}")


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
    csv: Csv = None,
    parquet: Parquet = None,
    sav: Sav = None,
) -> None:
    """Run one SELECT, read-only. `kallos tables` lists what there is; docs/sql.md has a cookbook."""
    from featurestore.guard import select
    from kallos.cli.console import out, plain
    from kallos.cli.table_files import TableOut
    from kallos.workflows.stores import open_for_reading
    from reports.pages.query_rows import render
    from reports.render.table_files import bytes_as_hex

    files = TableOut(csv, parquet, sav)
    # the query runs in a process of its own, which finds the same store or snapshot
    open_for_reading(store).close()
    rows = select(store, query)
    files.write(rows)
    if json:
        plain(bytes_as_hex(rows).write_json() + "\n")
    elif not files:
        out.print(render(rows))


def tables(
    table: Annotated[str | None, typer.Argument(help="Only this table, with its columns.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Every table and column of the store, and what one row is."""
    from kallos.cli.console import out, plain
    from kallos.workflows.stores import open_for_reading
    from reports.pages import tables as listing

    with open_for_reading(store) as opened:
        described = listing.data(opened, table)
    plain(described.write_json() + "\n") if json else out.print(listing.render(described))
