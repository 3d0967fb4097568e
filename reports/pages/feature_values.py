"""The values of features, one row an image: what `kallos features` writes into a file."""

import polars as pl

from extractors.averageness import AVERAGENESS, DEFINITION
from featurestore.errors import PrerequisiteError
from featurestore.next_step import before_extract
from featurestore.store import Store
from reports.pages import feature_catalogue
from reports.pages.one_feature import AVERAGENESS_RAW
from reports.render.table_files import Labels

IMAGES = "SELECT image_id, data_set, subset, sex, ethnicity FROM images ORDER BY image_id"
MEASURED = """
SELECT image_id, status, detail, f.* EXCLUDE (image_id)
FROM images LEFT JOIN ({values}) f USING (image_id) LEFT JOIN (
    FROM extractions SEMI JOIN (FROM extractor_versions WHERE active) USING (extractor, version)
    WHERE extractor = 'landmarks') USING (image_id)"""
LEFT_OUT = (
    "averageness is left out: it is measured against the mean face of a fold's training photos. "
    "`kallos features averageness --csv FILE` writes it for the first fold; docs/sql.md has the query for any other."
)
DESCRIBED = ("images", "scores", "extractions")


def data(store: Store, name: str | None = None, region: str | None = None) -> tuple[pl.DataFrame, Labels]:
    """Every image with its scores and the raw values of one feature, of a region's, or of all; a label a column.

    `status` and `detail` say why an image has no values. Averageness depends on a normalization, here the first, so it
    comes only when it is named, see `left_out`.

    Raises UsageError for an unknown feature or region, PrerequisiteError before `kallos extract`.
    """
    if name:
        feature_catalogue.definition_of(name)
    else:
        feature_catalogue.data(region)
    if not store.has("normalized_features"):
        raise before_extract(store, "The store has no features yet")
    if name == AVERAGENESS:
        values = f"SELECT image_id, value AS {name} FROM ({AVERAGENESS_RAW})"
    else:
        values = f"SELECT image_id, {', '.join(_measured(store, name, region))} FROM geometric_features"
    scores = _scores(store)
    rows = store.frame(IMAGES)
    for columns in (scores, store.frame(MEASURED.format(values=values))):
        rows = rows.join(columns, on="image_id", how="left", maintain_order="left")
    described = store.describe().filter(pl.col("table").is_in(DESCRIBED)).select("column", "comment")
    features = store.frame("SELECT feature, concat(summary, ' [', unit, ']') FROM feature_catalog")
    labels = dict([*described.iter_rows(), *features.iter_rows()])
    for column in set(scores.columns) - set(labels):
        statistic, _, trait = column.partition("_")
        labels[column] = f"{trait}: {labels[statistic]}"
    return rows.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None)), labels


def left_out(name: str | None, region: str | None) -> str | None:
    """The remark for a table that lacks averageness where people expect it."""
    return LEFT_OUT if name is None and region in (None, DEFINITION.region) else None


def _scores(store: Store) -> pl.DataFrame:
    """mean, sd, raters and score of each image; of several traits a column each, such as `mean_attractive`."""
    rows = store.frame("SELECT image_id, trait, mean, sd, raters, score FROM scores ORDER BY image_id, trait")
    if rows["trait"].n_unique() < 2:
        return rows.drop("trait")
    return rows.pivot("trait", index="image_id", values=["mean", "sd", "raters", "score"])


def _measured(store: Store, name: str | None, region: str | None) -> list[str]:
    """The requested columns of geometric_features."""
    known = store.frame(
        "SELECT feature FROM feature_catalog WHERE extractor <> 'normalization' "
        "AND feature = coalesce($name, feature) AND region = coalesce($region, region)",
        name=name,
        region=region,
    )["feature"]
    columns = store.frame("FROM geometric_features LIMIT 0").columns
    names = [column for column in columns if column in set(known)]
    if not names:
        raise PrerequisiteError(f"The store has no values of {name or region} yet: run `kallos extract` first.")
    return names
