"""Tables of ratings."""

from __future__ import annotations

from dataclasses import replace as with_changes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kallos.importers.spec import OUTPUT, Importer

if TYPE_CHECKING:
    from featurestore.ingest.table import TableReading

_COLUMNS, _CELLS, _RECIPE = "Columns, if they are not detected", "Cells", "Before anything is stored"


def read(
    file: Annotated[Path, "csv, tsv, txt, xlsx, xls, ods, sav, dta or parquet."],
    *,
    images: Annotated[Path, "Folder with the photos."],
    name: Annotated[str | None, "Name of the data set; by default the file's."] = None,
    scale: Annotated[tuple[float, float] | None, "Lowest and highest rating that raters could give."] = None,
    replace: Annotated[bool, "Make the data set equal to this table, instead of adding to it."] = False,
    dry_run: Annotated[bool, "Show how the table is read, and stop.", _RECIPE] = False,
    save_recipe: Annotated[Path | None, "Write how the table is read into a small JSON file.", _RECIPE, OUTPUT] = None,
    recipe: Annotated[Path | None, "Read it as a recipe says, instead of detecting columns.", _RECIPE] = None,
    image_column: Annotated[str | None, "Column that names the photo.", _COLUMNS] = None,
    score_column: Annotated[
        list[str] | None, "Column of ratings or scores; repeat it for each trait.", _COLUMNS
    ] = None,
    rater_column: Annotated[str | None, "Column that names the rater.", _COLUMNS] = None,
    rater_columns: Annotated[str, "Columns of one rater's ratings each: 'R*' or 'Anna,Ben,Cleo'.", _COLUMNS] = "",
    trait: Annotated[str | None, "What was rated, where the table does not say.", _COLUMNS] = None,
    trait_column: Annotated[str | None, "Column that names the trait.", _COLUMNS] = None,
    session_column: Annotated[str | None, "Column that names the session.", _COLUMNS] = None,
    photo_attribute: Annotated[
        list[str] | None, "Column to keep that describes the photo; repeatable.", _COLUMNS
    ] = None,
    rater_attribute: Annotated[
        list[str] | None, "Column to keep that describes the rater; repeatable.", _COLUMNS
    ] = None,
    missing: Annotated[list[str] | None, "Code or word for a missing answer, such as -99; repeatable.", _CELLS] = None,
    levels: Annotated[str, "Answers in words from the lowest: 'not at all,a bit,very'.", _CELLS] = "",
    decimal: Annotated[str | None, "The decimal mark, . or , where both are possible.", _CELLS] = None,
    encoding: Annotated[str | None, "Of a text file that is not UTF-8, such as cp1252.", _CELLS] = None,
    sheet: Annotated[str | None, "Sheet of a workbook that has several.", _CELLS] = None,
    store: Path,
) -> TableReading:
    """Ratings or mean scores from any table: long, or a column a rater, a photo or a trait.

    It shows how it reads the table, then stores it. A second table of the same data set adds to it.
    """
    from featurestore.errors import UsageError
    from featurestore.ingest.columns import TableOptions
    from featurestore.ingest.reading import Origin
    from featurestore.ingest.recipe import Recipe
    from featurestore.ingest.table import data_set_name, read_table, stored_scale

    options = TableOptions(
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
    if recipe is not None and (options, origin) != (TableOptions(), Origin()):
        raise UsageError("A recipe already says how the table is read: leave out the other options, or the recipe.")
    if decimal not in (None, ".", ","):
        raise UsageError(f"{decimal!r} is not a decimal mark: give --decimal . or --decimal ,")
    name = data_set_name(file, name)
    reading = read_table(
        file,
        images,
        name=name,
        options=options,
        origin=origin,
        recipe=Recipe.load(recipe) if recipe else None,
        known_scale=stored_scale(store, name),
    )
    if save_recipe is not None:
        reading.recipe.save(save_recipe)
    files = (*reading.data_set.files, *([recipe] if recipe else []))
    data_set = with_changes(reading.data_set, adds=not replace, files=files)
    return with_changes(reading, data_set=data_set, dry_run=dry_run)


TABLE = Importer("table", read)
