"""Erasing photos and persons who rated: from every table and version, from copies, and from the bytes that are left.

Rows are deleted in one transaction that also records, without saying whose, that bytes are still to go. Then the file
is rewritten, because DELETE leaves bytes in it, copies of older states are removed, and what is left is searched for
the ids, the hashes, the vectors and the names. Stopped in between, the same command goes on.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from featurestore import personal_ratings, snapshots
from featurestore.errors import UsageError
from featurestore.migrations import backups
from featurestore.opening import open_store
from featurestore.scale_maps import data_set_of
from featurestore.shards import folder_of
from featurestore.store import Store
from featurestore.upkeep.compacting import rewrite
from featurestore.upkeep.remains import Traces, find


@dataclass(frozen=True)
class Receipt:
    """What an erasure did. It names no photo and no person, so that it may be kept.

    erased_at     when, in UTC
    photos        different photos that were erased
    images        names under which they stood in the store
    rows          table -> rows removed
    copies        files and folders removed because they held older states: snapshots, backups, shards
    trained       finished or running runs that were trained on one of the photos: their models were not changed
    searched      files that were searched, and how many bytes they have
    found         where something was still found; empty when the erasure is complete
    """

    erased_at: str
    photos: int
    images: int
    rows: Mapping[str, int]
    copies: tuple[str, ...]
    trained: tuple[str, ...]
    searched: tuple[int, int]
    found: tuple[str, ...]


@dataclass(frozen=True)
class ErasureResult:
    """The receipt, and what only the person at the screen sees: ids and the photos that still lie in folders."""

    receipt: Receipt
    image_ids: tuple[str, ...]
    photos: tuple[str, ...]


def erase(
    path: Path, image_ids: Sequence[str], keep: Callable[[Receipt], object], raters: Sequence[str] = ()
) -> ErasureResult:
    """Erase images with every copy of the same photo, and what these persons rated by `kallos rate`.

    `keep` is given the receipt before the erasure counts as finished. Raises UsageError, with nothing erased, for an
    unknown id or person.
    """
    with open_store(path, must_exist=True) as store:
        unfinished = bool(store.value("SELECT count(*) FROM erasures WHERE NOT finished"))
        known = _known(store, image_ids)
        unknown = [image_id for image_id in image_ids if image_id not in set(known["image_id"])]
        if unknown and not unfinished:
            raise UsageError(
                f"There is no image {unknown[0]!r} in the store, nothing was erased: "
                '`kallos sql "SELECT image_id FROM images"` lists them.'
            )
        strangers = [rater for rater in raters if not personal_ratings.count(store, rater)]
        if strangers and not unfinished:
            raise UsageError(
                f"Nobody called {strangers[0]!r} has rated, nothing was erased: "
                '`kallos sql "SELECT DISTINCT rater FROM personal_ratings"` lists who has.'
            )
        hashes = known["sha256"].drop_nulls().unique().sort().to_list()
        traces = Traces.read(store, [*image_ids, *known["image_id"]], hashes, raters)
        trained = _trained(store, known)
        rows = _delete(store, known, raters)
        runs_folder = store.runs_folder
    rewrite(path)
    copies = _remove_copies(path)
    files = [path, *(file for file in sorted(runs_folder.rglob("*")) if file.is_file())]
    found = find(path, files, traces)
    receipt = Receipt(
        erased_at=datetime.now(UTC).isoformat(timespec="seconds"),
        photos=known["sha256"].n_unique(),
        images=len(known),
        rows=rows,
        copies=copies,
        trained=trained,
        searched=(len(files), sum(file.stat().st_size for file in files)),
        found=tuple(found),
    )
    keep(receipt)
    if not found:
        with open_store(path) as store:
            store.execute("UPDATE erasures SET finished = true WHERE NOT finished")
    still_there = tuple(photo for photo in known["photo"].drop_nulls() if Path(photo).exists())
    return ErasureResult(receipt, tuple(known["image_id"]), still_there)


def _known(store: Store, image_ids: Sequence[str]) -> pl.DataFrame:
    """image_id, sha256, path and photo (where it lies) of the requested images and of those with the same bytes.

    An image that has left its data set is known by the predictions of runs and by what persons rated.
    """
    return store.frame(
        """
        WITH asked AS (SELECT unnest($ids::VARCHAR[]) AS image_id),
        photos AS (FROM images SEMI JOIN asked USING (image_id)),
        gone AS (
            SELECT DISTINCT image_id
            FROM (SELECT image_id FROM predictions UNION ALL SELECT image_id FROM personal_ratings)
            SEMI JOIN asked USING (image_id) ANTI JOIN images USING (image_id))
        SELECT image_id, sha256, path, root || '/' || path AS photo FROM images JOIN locations USING (data_set)
        WHERE image_id IN (SELECT image_id FROM photos)
           OR sha256 IN (SELECT sha256 FROM photos WHERE sha256 IS NOT NULL)
        UNION ALL SELECT image_id, NULL, NULL, NULL FROM gone
        ORDER BY image_id""",
        ids=list(image_ids),
    )


def _trained(store: Store, known: pl.DataFrame) -> tuple[str, ...]:
    rows = store.frame(
        """
        SELECT DISTINCT run_id FROM (
            SELECT run_id, image_id FROM predictions WHERE role = 'out_of_fold'
            UNION ALL SELECT run_id, image_id FROM runs JOIN splits USING (protocol, fold) WHERE role = 'train')
        WHERE list_contains($ids, image_id) ORDER BY run_id""",
        ids=known["image_id"].to_list(),
    )
    return tuple(rows["run_id"])


def _delete(store: Store, known: pl.DataFrame, raters: Sequence[str]) -> dict[str, int]:
    """Delete every row that names one of the images or photos, or that one of the persons rated: table -> rows."""
    ids, hashes = known["image_id"].to_list(), known["sha256"].drop_nulls().unique().to_list()
    columns = store.frame(
        "SELECT table_name, column_name FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_name) "
        "WHERE column_name IN ('image_id', 'other_id', 'group_id', 'sha256') ORDER BY ALL"
    )
    removed: dict[str, int] = {}

    def delete(table: str, condition: str, **parameters: object) -> None:
        deleted = store.connection.execute(f'DELETE FROM "{table}" WHERE {condition}', parameters).fetchall()
        removed[table] = removed.get(table, 0) + int(deleted[0][0])

    with store.transaction():
        for path in known["path"].drop_nulls():
            delete("findings", "subject = $path OR contains(detail, $path)", path=path)
        for table, column in columns.iter_rows():
            delete(table, f'list_contains($values, "{column}")', values=hashes if column == "sha256" else ids)
        # the map of a verdict is of few photos: it is fitted again by `kallos validate`
        sets = sorted(set(map(data_set_of, ids)))
        delete("validations", "list_contains($sets::VARCHAR[], data_set)", sets=sets)
        if removed.get("ratings"):
            rating = "SELECT split_part(image_id, '/', 1), rater_id FROM ratings"
            delete("rater_attributes", f"(data_set, rater_id) NOT IN ({rating})")
        delete("personal_ratings", "list_contains($raters, rater)", raters=list(raters))
        if ids or raters:
            store.execute("INSERT INTO erasures VALUES (now()::TIMESTAMP, $photos, false)", photos=len(hashes))
    return {table: count for table, count in removed.items() if count}


def _remove_copies(path: Path) -> tuple[str, ...]:
    """Older states of the store, what a killed command left of one, and shards of extractions."""
    shards = sorted(folder_of(path).glob("*"))
    left = [*sorted(path.parent.glob(f".{path.stem}.*")), *path.parent.glob(f"{path.name}.tmp")]
    copies = [*backups(path), *snapshots.files(path), *left, *shards]
    for copy in copies:
        shutil.rmtree(copy) if copy.is_dir() else copy.unlink()
    snapshots.remove_all(path)
    return tuple(copy.name for copy in copies)
