"""`kallos report`: reports on the store."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, PictureFormat, Protocol, StorePath
from kallos.cli.outputs import output_option, wrote
from reports.registry import PAGES

ReportName = StrEnum("ReportName", {name.upper(): name for name in PAGES})  # type: ignore[misc]
FIRST = ReportName(PAGES[0])


def report(
    name: Annotated[
        ReportName, typer.Argument(help="Which report; dataset, raters, features and shape need no trained model.")
    ] = FIRST,
    data_set: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    trait: Annotated[
        str | None, typer.Option(help="Only this trait; reports on features need it where there are several.")
    ] = None,
    run: Annotated[list[str] | None, typer.Option(help="Only these runs; repeat it for each run.")] = None,
    image: Annotated[str | None, typer.Option(help="The image whose lineage is shown.")] = None,
    figures: Annotated[Path | None, output_option("Also write the figures into this folder.")] = None,
    tables: Annotated[
        Path | None, output_option("Also write the rows behind the report on shape into this folder.")
    ] = None,
    picture: Annotated[PictureFormat, typer.Option("--format", help="Format of the figures.")] = PictureFormat.PNG,
    photos: Annotated[bool, typer.Option("--photos", help="Let the page of a data set show a sample of it.")] = False,
    html: Annotated[Path | None, output_option("Write the report into this HTML file instead.")] = None,
    folder: Annotated[
        Path | None, output_option("Write the study into this folder instead: HTML, Quarto, data and R.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL behind the report instead.")] = False,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Tables and plots in the terminal, one HTML file to keep or to send, JSON for programs, pictures for papers."""
    from kallos.cli.console import out, plain
    from kallos.workflows.report import report as query

    report = query(
        name.value,
        store,
        data_set=data_set,
        protocol=protocol,
        fold=fold,
        runs=tuple(run or ()),
        image=image,
        trait=trait,
        photos=photos,
    )
    if tables:
        for path in report.write_tables(tables):
            wrote(path)
    if folder:
        from kallos.workflows.study import write_study

        for path in write_study(report, folder):
            wrote(path)
    elif html:
        report.write_html(html)
        wrote(html)
    elif sql:
        plain("\n\n".join(f"{query};" for query in report.queries) + "\n")
    else:
        out.print_json(report.json()) if json else out.print(report.render())
    if figures:
        for path in report.write_figures(figures, picture.value):
            wrote(path)
