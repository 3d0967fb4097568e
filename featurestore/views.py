"""The stable views that people query: what the active versions hold, by image_id, each column with its comment."""

from extractors.averageness import AVERAGENESS
from extractors.outputs import EMBEDDING, FEATURES
from featurestore.outputs import NORMALIZED, active_columns, active_features, active_versions, feature_versions
from featurestore.sql_text import quote
from featurestore.store import Store
from featurestore.table_description import View


def create_views(store: Store) -> None:
    """Create or replace the views of every output that has an active version; call it inside a transaction."""
    outputs = store.column("SELECT DISTINCT output FROM extractor_versions WHERE active ORDER BY output")
    makers = {"embeddings": _embeddings, FEATURES: _features}
    for view in outputs:
        store.create_view(makers.get(view, _values)(store, view))
    if active_versions(store).keys() >= set(NORMALIZED):
        store.create_view(_normalized_features(store))


def _values(store: Store, view: str) -> View:
    """One table as it is."""
    ((_, table),) = _tables(store, view)
    query = f'SELECT image_id, "{table}".* EXCLUDE (sha256) FROM images JOIN "{table}" USING (sha256)'
    return View(view, _comment(store, table), query, ("images", table))


def _embeddings(store: Store, view: str) -> View:
    """The tables of all encoders beneath each other; vectors of several lengths can only be lists together."""
    tables = _tables(store, view)
    columns = [active_columns(store, extractor) for extractor, _ in tables]
    names = [name for name in columns[0] if all(name in others for others in columns)]
    vectors = ", ".join(names if len(tables) == 1 else (f"{name}::FLOAT[] AS {name}" for name in names))
    parts = (
        f"SELECT image_id, {quote(extractor.removeprefix(EMBEDDING))} AS encoder, {vectors} "
        f'FROM images JOIN "{table}" USING (sha256)'
        for extractor, table in tables
    )
    comments = {"encoder": "the network that made the vector"}
    return View(view, _comment(store, tables[0][1]), " UNION ALL ".join(parts), ("images", tables[0][1]), comments)


def _features(store: Store, view: str) -> View:
    """The features of all tables beside each other, each under its name."""
    tables = _tables(store, view)
    columns = [
        f'"{table}".features[{place}] AS "{name}"'
        for extractor, table in tables
        for place, name in enumerate(active_columns(store, extractor), start=1)
    ]
    joins = "".join(f' JOIN "{table}" USING (sha256)' for _, table in tables)
    query = f"SELECT image_id, {', '.join(columns)} FROM images{joins}"
    return View(view, _comment(store, tables[0][1]), query, ("images",), _definitions(store))


def _normalized_features(store: Store) -> View:
    """z-scores, as they are stored, under the statistics of each fold's training rows."""
    names = [*active_features(store), AVERAGENESS]
    scores = [f'z_scores[{place}] AS "{name}"' for place, name in enumerate(names, start=1)]
    query = (
        f"SELECT normalization, image_id, {', '.join(scores)} "
        "FROM statistics JOIN normalized_values USING (statistics_id) JOIN images USING (sha256) "
        f"WHERE current AND versions = {quote(feature_versions(active_versions(store)))}"
    )
    comment = "one row is one image under one normalization: geometric_features and averageness as z-scores"
    comments = {name: f"z-score of: {text}" for name, text in _definitions(store).items()}
    comments["averageness"] = "z-score of the Procrustes distance to the mean face of the training rows"
    return View("normalized_features", comment, query, ("images", "statistics"), comments)


def _tables(store: Store, view: str) -> list[tuple[str, str]]:
    """(extractor, table) of the active versions behind a view."""
    query = "SELECT extractor, table_name FROM extractor_versions WHERE active AND output = $view ORDER BY extractor"
    rows = store.frame(query, view=view)
    return list(rows.iter_rows())


def _comment(store: Store, table: str) -> str:
    return str(store.value("SELECT comment FROM duckdb_tables() WHERE table_name = $table", table=table))


def _definitions(store: Store) -> dict[str, str]:
    """feature -> what it is, its formula, unit and source."""
    return store.mapping(
        "SELECT feature, concat_ws(' ', summary, formula, '[' || unit || ']', source) FROM feature_catalog "
        "WHERE extractor <> 'normalization' ORDER BY feature"
    )
