"""`kallos ingest`: photos, ratings and splits into the store; one command per importer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath, with_parameters
from kallos.cli.outputs import output
from kallos.importers.registry import IMPORTERS
from kallos.importers.spec import OUTPUT, Importer

if TYPE_CHECKING:
    from featurestore.ingest.table import TableReading

ingest = typer.Typer(
    name="ingest", help="Put a data set's photos, ratings and splits into the store.", no_args_is_help=True
)


def run(importer: str, source: Path, store: Path, json: bool, **options: Any) -> None:
    """Ingest, and print what was read and stored."""
    from kallos.cli.console import out, progress
    from kallos.workflows.ingest import ingest as ingest_data_set
    from reports.pages.ingest import render
    from reports.render.json import to_json

    with progress() as advance:
        ingested = ingest_data_set(
            importer,
            source,
            store,
            on_progress=advance,
            on_reading=lambda reading: _show_reading(reading, json),
            **options,
        )
    if summary := ingested.summary:
        out.print_json(to_json("ingest", summary)) if json else out.print(render(summary, ingested.next_command))


def _show_reading(reading: TableReading, json: bool) -> None:
    """Print how the table is read; with --json the page goes to stderr, unless it is a dry run."""
    from kallos.cli.console import err, out
    from reports.pages.ingest import render_reading
    from reports.render.json import to_json

    facts = {"facts": dict(reading.facts), "recipe": reading.recipe, "first_rows": reading.first_rows}
    if json and reading.dry_run:
        out.print_json(to_json("table", facts))
    else:
        (err if json else out).print(render_reading(reading))


def _command(importer: Importer) -> Callable[..., None]:
    """The command of an importer: an argument or option for each of its parameters, --store and --json."""
    source, *options = importer.arguments.values()

    def command(**arguments: Any) -> None:
        run(importer.name, arguments.pop(source.name), arguments.pop("store"), arguments.pop("json"), **arguments)

    declared = [
        _with_help(source, typer.Argument),
        *(_with_help(option, typer.Option, f"--{option.name.replace('_', '-')}") for option in options),
        inspect.Parameter("store", inspect.Parameter.KEYWORD_ONLY, default=DEFAULT_STORE, annotation=StorePath),
        inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json),
    ]
    command.__doc__ = importer.read.__doc__
    return with_parameters(command, declared)


def _with_help(parameter: inspect.Parameter, declare: Callable[..., Any], *names: str) -> inspect.Parameter:
    kind, text, *more = get_args(parameter.annotation)
    panel = next((heading for heading in more if heading is not OUTPUT), None)
    declared = declare(*names, help=text, rich_help_panel=panel, callback=output if OUTPUT in more else None)
    return parameter.replace(annotation=Annotated[kind, declared])


for _importer in IMPORTERS.values():
    ingest.command(_importer.name)(_command(_importer))
