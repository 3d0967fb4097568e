"""`kallos ingest`: photos, ratings and splits into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath

if TYPE_CHECKING:
    from featurestore.ingest.table import TableReading
    from kallos.workflows.ingest import Ingested

ingest = typer.Typer(
    name="ingest", help="Put a data set's photos, ratings and splits into the store.", no_args_is_help=True
)

_COLUMNS, _CELLS, _RECIPE = "Columns, where they cannot be told", "Cells", "Before anything is stored"


def _list(help_text: str, panel: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=help_text, rich_help_panel=panel)
    return option


@ingest.command("scut")
def ingest_scut(
    folder: Annotated[Path, typer.Argument(help="The SCUT-FBP5500_v2 folder.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """SCUT-FBP5500 in its release's own layout; single ratings are read when they lie beside it."""
    from kallos.workflows import ingest as workflow

    _show(workflow.ingest_scut(folder, store), json)


@ingest.command("mebeauty")
def ingest_mebeauty(
    folder: Annotated[Path, typer.Argument(help="The MEBeauty folder.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """MEBeauty: scores 1-10, official train, val and test lists."""
    from kallos.workflows import ingest as workflow

    _show(workflow.ingest_mebeauty(folder, store), json)


@ingest.command("csv", hidden=True)
@ingest.command("table")
def ingest_table(
    file: Annotated[Path, typer.Argument(help="csv, tsv, txt, xlsx, xls, ods, sav, dta or parquet.")],
    images: Annotated[Path, typer.Option("--images", help="Folder with the photos.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set; by default the file's.")] = None,
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Lowest and highest rating that raters could give."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make the data set equal to this table, instead of adding to it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how the table is read, and stop.", rich_help_panel=_RECIPE)
    ] = False,
    save_recipe: Annotated[
        Path | None, typer.Option(help="Write how the table is read into a small JSON file.", rich_help_panel=_RECIPE)
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Read it as a recipe says, instead of finding out.", rich_help_panel=_RECIPE)
    ] = None,
    image_column: Annotated[str | None, _list("Column that names the photo.", _COLUMNS)] = None,
    score_column: Annotated[
        list[str] | None, _list("Column of ratings or scores; once for each trait.", _COLUMNS)
    ] = None,
    rater_column: Annotated[str | None, _list("Column that names the rater.", _COLUMNS)] = None,
    rater_columns: Annotated[
        str | None, _list("Columns of one rater's ratings each: 'R*' or 'Anna,Ben,Cleo'.", _COLUMNS)
    ] = None,
    trait: Annotated[str | None, _list("What was rated, where the table does not say.", _COLUMNS)] = None,
    trait_column: Annotated[str | None, _list("Column that names the trait.", _COLUMNS)] = None,
    session_column: Annotated[str | None, _list("Column that names the session.", _COLUMNS)] = None,
    photo_attribute: Annotated[
        list[str] | None, _list("Column to keep that describes the photo; once for each.", _COLUMNS)
    ] = None,
    rater_attribute: Annotated[
        list[str] | None, _list("Column to keep that describes the rater; once for each.", _COLUMNS)
    ] = None,
    missing: Annotated[list[str] | None, _list("Code or word for no answer, as -99; once for each.", _CELLS)] = None,
    levels: Annotated[str | None, _list("Answers in words from the lowest: 'not at all,a bit,very'.", _CELLS)] = None,
    decimal: Annotated[str | None, _list("The decimal mark, . or , where both are possible.", _CELLS)] = None,
    encoding: Annotated[str | None, _list("Of a text file that is not UTF-8, such as cp1252.", _CELLS)] = None,
    sheet: Annotated[str | None, _list("Sheet of a workbook that has several.", _CELLS)] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Ratings or mean scores from any table: long, or a column a rater, a photo or a trait.

    It says how it reads the table, then stores it. A second table of the same data set adds to it.
    """
    from featurestore.ingest.columns import Stated
    from featurestore.ingest.raw import Origin
    from kallos.workflows import ingest as workflow

    stated = Stated(
        image_column=image_column,
        score_columns=tuple(score_column or ()),
        rater_column=rater_column,
        rater_columns=tuple(rater_columns.split(",")) if rater_columns else (),
        trait_column=trait_column,
        trait=trait,
        session_column=session_column,
        photo_attributes=tuple(photo_attribute or ()),
        rater_attributes=tuple(rater_attribute or ()),
        scale=scale,
        missing=tuple(missing or ()),
        levels=tuple(level.strip() for level in levels.split(",")) if levels else (),
        decimal=decimal,
    )
    origin = Origin(encoding=encoding, sheet=sheet)
    reading = workflow.read_table(
        file,
        images,
        store,
        name=name,
        stated=None if stated == Stated() else stated,
        origin=None if origin == Origin() else origin,
        recipe=recipe,
    )
    if save_recipe is not None:
        reading.recipe.save(save_recipe)
    _show_reading(reading, json, dry_run)
    if not dry_run:
        _show(workflow.store_data_set(reading.data_set, store, replace=replace), json)


@ingest.command("photos")
def ingest_photos(
    folder: Annotated[Path, typer.Argument(help="Folder with the photos.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set; by default the folder's.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Photos without any rating, for their features; ratings can be added later with `kallos ingest table`."""
    from kallos.workflows import ingest as workflow

    _show(workflow.ingest_photos(folder, store, name=name), json)


@ingest.command("demo")
def ingest_demo(
    folder: Annotated[Path, typer.Argument(help="Where the portraits are drawn.")] = Path("portraits"),
    count: Annotated[int, typer.Option(help="How many portraits.", min=20)] = 500,
    seed: Annotated[int, typer.Option(help="Another seed draws other people.")] = 0,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Portraits that kallos draws itself, rated by 60 simulated raters whose preference is known."""
    from kallos.cli.console import progress
    from kallos.workflows import ingest as workflow

    with progress() as advance:
        ingested = workflow.ingest_demo(folder, store, count=count, seed=seed, on_progress=advance)
    _show(ingested, json)


def _show_reading(reading: TableReading, json: bool, dry_run: bool) -> None:
    """How the table is read; with --json the page goes to stderr, unless it is all that was asked for."""
    from kallos.cli.console import err, out
    from reports.pages.ingest import render_reading
    from reports.render.json import to_json

    facts = {"facts": dict(reading.facts), "recipe": reading.recipe, "first_rows": reading.first_rows}
    if json and dry_run:
        out.print_json(to_json("table", facts))
    else:
        (err if json else out).print(render_reading(reading, stored=not dry_run))


def _show(ingested: Ingested, json: bool) -> None:
    from kallos.cli.console import out
    from reports.pages.ingest import render
    from reports.render.json import to_json

    summary = ingested.summary
    out.print_json(to_json("ingest", summary)) if json else out.print(render(summary, ingested.following))
