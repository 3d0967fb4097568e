"""Whether rows mean one photo each, and photos that are there."""

from featurestore.checks.contract import Finding, Severity
from featurestore.store import Store

_INGEST, _TRAIN = "ingest it again (`kallos ingest --help`)", "train or evaluate these runs again"
REFERRING: dict[str, tuple[Severity, str]] = {
    "scores": ("fail", _INGEST),
    "ratings": ("fail", _INGEST),
    "splits": ("fail", _INGEST),
    "image_attributes": ("warn", _INGEST),
    "predictions": ("warn", _TRAIN),
    "sub_scores": ("warn", _TRAIN),
}
"""Tables that name images. What models are trained on must be sound; what a run once predicted is history."""


def duplicate_photos(store: Store, data_set: str) -> list[Finding]:
    """No photo stands twice in the data set."""
    query = """
        SELECT min(image_id), count(*), max(image_id) FROM images
        WHERE data_set = $data_set AND sha256 IS NOT NULL GROUP BY sha256 HAVING count(*) > 1 ORDER BY 2 DESC, 1"""
    rows = store.frame(query, data_set=data_set)
    remedy = "keep one of the files and ingest again (`kallos ingest --help`)"
    return [
        Finding("warn", first, "files with the same bytes", n, 1, n, remedy, f"also {last}")
        for first, n, last in rows.rows()
    ]


def split_overlap(store: Store, data_set: str) -> list[Finding]:
    """No photo has two roles in one fold."""
    query = """
        SELECT protocol || '/' || fold, count(*), sum(n)::INT, any_value(pair) FROM (
            SELECT protocol, fold, count(*) AS n,
                   format('{} in {}, {} in {}', arg_min(image_id, role), min(role), arg_max(image_id, role), max(role))
                   AS pair
            FROM splits JOIN images USING (image_id)
            WHERE sha256 IS NOT NULL
            GROUP BY protocol, fold, sha256
            HAVING count(DISTINCT role) > 1 AND bool_or(data_set = $data_set))
        GROUP BY protocol, fold ORDER BY 2 DESC, 1"""
    rows = store.frame(query, data_set=data_set)
    remedy = "figures on this fold are too good: put all copies of a photo into one role and train again"
    return [
        Finding("fail", fold, "photos in several roles", photos, 0, images, remedy, pair)
        for fold, photos, images, pair in rows.rows()
    ]


def stale_references(store: Store, data_set: str) -> list[Finding]:
    """No row speaks of a photo that is gone."""
    found = []
    for table, (severity, remedy) in REFERRING.items():
        # rows of a data set that is wholly gone are nobody's own, so every data set reports them
        query = f"""
            SELECT count(*), count(DISTINCT image_id), min(image_id) FROM "{table}" ANTI JOIN images USING (image_id)
            WHERE starts_with(image_id, $data_set || '/')
               OR split_part(image_id, '/', 1) NOT IN (SELECT data_set FROM data_sets)"""
        rows, images, first = store.frame(query, data_set=data_set).row(0)
        if rows:
            found.append(Finding(severity, table, "rows of photos that are gone", rows, 0, images, remedy, first))
    return found
