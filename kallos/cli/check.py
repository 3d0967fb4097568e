"""`kallos check`: data-quality checks of a store."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def check(
    data_set: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Data-quality checks of the store, for people and for CI: exit code 11 when one fails, 0 with warnings."""
    from featurestore.errors import CheckError
    from kallos.cli.console import show
    from kallos.workflows.data_quality import check as check_store
    from reports.pages.checks import NAME, render

    report = check_store(store, data_set=data_set)
    show(NAME, report, render, json)
    if report.failed:
        raise CheckError(f"{', '.join(report.failed)} failed: repair the data as the report says, then check again.")
