"""`kallos features`: definitions of features, and their values in the store."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Csv, Json, Parquet, Sav, StorePath


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
    """Every feature with formula, unit, plausible range and source; for one, also its spread and correlation.

    With --csv, --parquet or --sav: the values and scores of every image, without averageness, which differs by fold.
    """
    from featurestore.errors import UsageError
    from kallos.cli.console import note, show
    from kallos.cli.table_files import TableOut
    from kallos.workflows.query import feature, feature_values
    from kallos.workflows.query import features as list_features
    from reports.pages import feature_catalogue, one_feature
    from reports.pages.feature_values import left_out

    if name is not None and region is not None:
        raise UsageError("A feature lies in one region: give either its name or --region.")
    if files := TableOut(csv, parquet, sav):
        files.write(*feature_values(store, name=name, region=region))
        if remark := left_out(name, region):
            note(remark)
        if not json:
            return
    if name is None:
        listed = list_features(region)
        show("catalogue", listed, feature_catalogue.render, json)
        return
    report = feature(name, store if store.is_file() else None, trait=trait)
    if not store.is_file():
        note(f"There is no store at {store}: only the definition is shown.")
    show("feature", report, one_feature.render, json)
