"""Whether every photo has everything."""

from featurestore.checks.contract import EXTRACT, Finding, graded
from featurestore.checks.embeddings import encoders
from featurestore.sql_text import quote
from featurestore.store import Store

FAIL_MISSING = 0.05
"""A twentieth of the photos: more than that and what is left is another sample than the one that was rated."""


def coverage(store: Store, data_set: str) -> list[Finding]:
    """Every photo has all that extract makes."""
    images = store.value("SELECT count(*) FROM images WHERE data_set = $data_set", data_set=data_set)
    found = []
    for output, query in _outputs(store, data_set).items():
        statuses = _missing(store, query, data_set)
        if missing := sum(statuses.values()):
            severity, limit = graded(missing / images, 0, FAIL_MISSING)
            detail = ", ".join(f"{n:,} {status}" for status, n in statuses.items())
            remedy = EXTRACT if "untried" in statuses else "`kallos report dataset` says why; leave out these photos"
            done = 1 - missing / images
            found.append(Finding(severity, output, "share of photos done", done, 1 - limit, missing, remedy, detail))
    return sorted(found, key=lambda finding: finding.value)


def _outputs(store: Store, data_set: str) -> dict[str, str]:
    """What a photo should have -> the query for the photos that have it."""
    # an encoder that embedded no photo of this data set was meant for another one
    embedding_queries = {
        f"embeddings of {e}": f"SELECT image_id FROM embeddings WHERE encoder = {quote(e)}"
        for e in encoders(store, data_set)
    }
    views = ["landmarks", "geometric_features", "shapes"] + ([] if embedding_queries else ["embeddings"])
    nothing = "SELECT image_id FROM images WHERE false"
    return {view: f"SELECT image_id FROM {view}" if store.has(view) else nothing for view in views} | embedding_queries


def _missing(store: Store, query: str, data_set: str) -> dict[str, int]:
    """status -> photos that the query does not give; `untried` are those of which the ledger knows no failure."""
    return store.mapping(
        f"""
        WITH failed AS (SELECT image_id, max(status) AS status FROM extractions WHERE status <> 'ok' GROUP BY image_id)
        SELECT coalesce(status, 'untried'), count(*) FROM images ANTI JOIN ({query}) USING (image_id)
        LEFT JOIN failed USING (image_id) WHERE data_set = $data_set GROUP BY ALL ORDER BY 2 DESC, 1""",
        data_set=data_set,
    )
