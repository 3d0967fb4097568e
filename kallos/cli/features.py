"""`kallos features`: what every feature is, and what the store holds of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Csv, Json, Parquet, Sav, StorePath

if TYPE_CHECKING:
    from reports.pages.one_feature import FeatureReport


def features(
    name: Annotated[str | None, typer.Argument(help="Only this feature, with its values in the store.")] = None,
    region: Annotated[str | None, typer.Option("--region", "-r", help="Only this region of the face.")] = None,
    trait: Annotated[
        str | None, typer.Option(help="Trait that it is correlated with, where there are several.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
    csv: Csv = None,
    parquet: Parquet = None,
    sav: Sav = None,
) -> None:
    """Every feature with formula, unit, plausible range and source; of one also its spread and correlation.

    With --csv, --parquet or --sav: the values of every image, beside its scores.
    """
    from featurestore.errors import UsageError
    from kallos.cli.console import out
    from kallos.cli.table_files import TableOut
    from kallos.workflows.stores import open_for_reading
    from reports.pages import feature_catalogue, feature_values, one_feature
    from reports.render.json import to_json

    if name is not None and region is not None:
        raise UsageError("A feature lies in one region: give either its name or --region.")
    if files := TableOut(csv, parquet, sav):
        with open_for_reading(store) as opened:
            files.write(*feature_values.data(opened, name, region))
        if not json:
            return
    if name is None:
        listed = feature_catalogue.data(region)
        out.print_json(to_json("catalogue", listed)) if json else out.print(feature_catalogue.render(listed))
        return
    report = _with_values(store, name, trait)
    out.print_json(to_json("feature", report)) if json else out.print(one_feature.render(report))


def _with_values(path: Path, name: str, trait: str | None) -> FeatureReport:
    """The report on one feature; its definition alone where there is no store."""
    from kallos.cli.console import note
    from kallos.workflows.stores import open_for_reading
    from reports.pages.one_feature import data

    if not path.is_file():
        report = data(None, name)
        note(f"There is no store at {path}: the definition stands alone.")
        return report
    with open_for_reading(path) as opened:
        return data(opened, name, trait)
