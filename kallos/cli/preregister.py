"""`kallos preregister`: a plan of analysis, fixed before the data are looked at."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def preregister(
    file: Annotated[Path, typer.Argument(help="The plan, a TOML file.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Fix a plan of analysis: hash and date go into the store; `kallos report study` lists what departs from it."""
    from kallos.cli.console import show
    from kallos.workflows.study import preregister as fix
    from reports.pages import plan_of_analysis

    show(plan_of_analysis.NAME, fix(store, file), plan_of_analysis.render, json)
