"""What must hold between the tables of every store, whatever was stopped or killed: `kallos doctor --deep`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from extractors.file_hash import sha256_of_file
from featurestore import normalized_values
from featurestore.opening import open_store
from featurestore.runs import RESULTS
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from featurestore.upkeep.health import State, Symptom

RESTORE = "restore the store from a copy"


@dataclass(frozen=True)
class Invariant:
    """What holds, the query that counts where it does not, and what to do then."""

    what: str
    violations: str
    remedy: str = RESTORE
    broken: State = "fail"


def _orphans(table: str, parent: str, key: str) -> str:
    return f"SELECT count(*) FROM {table} ANTI JOIN {parent} USING ({key})"


def _repeated(table: str, *key: str) -> str:
    return f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {', '.join(key)} HAVING count(*) > 1)"


INVARIANTS = (
    Invariant("an image has one row", _repeated("images", "image_id")),
    Invariant("an image is of a data set", _orphans("images", "data_sets", "data_set")),
    Invariant("a data set lies somewhere", _orphans("data_sets", "locations", "data_set")),
    Invariant("an image has one score at most on a trait", _repeated("scores", "image_id", "trait")),
    Invariant("a data set has one scale of a trait", _repeated("traits", "data_set", "trait")),
    Invariant("a trait is of a data set", _orphans("traits", "data_sets", "data_set")),
    Invariant("a score is of an image", _orphans("scores", "images", "image_id")),
    *(
        Invariant(
            f"{table} are on traits of their data set",
            f"SELECT count(*) FROM {table} JOIN images USING (image_id) ANTI JOIN traits USING (data_set, trait)",
        )
        for table in ("scores", "ratings", "splits")
    ),
    Invariant(
        "scores are on the scale",
        f"SELECT count(*) FROM scores WHERE NOT score BETWEEN {MODEL_SCALE.low} AND {MODEL_SCALE.high}",
    ),
    Invariant(
        "a rater rates an image on a trait once in a session",
        _repeated("ratings", "image_id", "rater_id", "trait", "session"),
    ),
    Invariant("a rating is of an image", _orphans("ratings", "images", "image_id")),
    Invariant(
        "ratings are on the scale of their trait",
        "SELECT count(*) FROM ratings JOIN images USING (image_id) JOIN traits USING (data_set, trait) "
        "WHERE NOT rating BETWEEN scale_low AND scale_high",
    ),
    Invariant("a person rates an image on a trait once", _repeated("personal_ratings", "image_id", "rater", "trait")),
    Invariant(
        "ratings of persons are on the scale of their trait",
        "SELECT count(*) FROM personal_ratings JOIN images USING (image_id) JOIN traits USING (data_set, trait) "
        "WHERE NOT rating BETWEEN scale_low AND scale_high",
    ),
    Invariant("an attribute is of an image", _orphans("image_attributes", "images", "image_id")),
    Invariant(
        "a rater has one value of an attribute", _repeated("rater_attributes", "data_set", "rater_id", "attribute")
    ),
    Invariant("an image has one role in a fold", _repeated("splits", "image_id", "protocol", "fold")),
    Invariant(
        "a protocol is about one trait",
        "SELECT count(*) FROM (SELECT protocol FROM splits GROUP BY protocol HAVING count(DISTINCT trait) <> 1)",
    ),
    Invariant("a role is of an image", _orphans("splits", "images", "image_id")),
    Invariant("the ledger has one line a try", _repeated("attempts", "sha256", "extractor", "version")),
    Invariant(
        "an extractor has one active version",
        "SELECT count(*) FROM (SELECT 1 FROM extractor_versions GROUP BY extractor HAVING count_if(active) <> 1)",
        "run `kallos extract`",
        "warn",
    ),
    Invariant("a run has one row", _repeated("runs", "run_id")),
    Invariant("a run names its training set", _orphans("runs", "manifests", "manifest_id")),
    Invariant("a training set names its statistics", _orphans("manifests", "statistics", "statistics_id")),
    Invariant(
        "a photo is normalised once by a fold's statistics", _repeated("normalized_values", "statistics_id", "sha256")
    ),
    Invariant(
        "photos are normalised by current statistics",
        _orphans("normalized_values", "(FROM statistics WHERE current)", "statistics_id"),
    ),
    *(
        Invariant(f"{table} are of a run", _orphans(table, "runs", "run_id"))
        for table in ("training_history", *RESULTS)
    ),
    Invariant("a run has one verdict for the raters of a data set", _repeated("validations", "run_id", "data_set")),
    Invariant("a run has one prediction of an image and role", _repeated("predictions", "run_id", "image_id", "role")),
    Invariant(
        "a finished run has its figures",
        "SELECT count(*) FROM runs ANTI JOIN evaluations USING (run_id) WHERE status = 'done'",
        "train it again",
    ),
    Invariant(
        "a finished run names its trait",
        "SELECT count(*) FROM runs WHERE status = 'done' AND trait IS NULL",
        "train it again",
    ),
    Invariant(
        "figures are those of the predictions",
        """
        SELECT count(*) FROM (
            SELECT run_id, role, count(*) AS n, avg(abs(p.score - s.score)) AS found
            FROM predictions p JOIN runs USING (run_id) JOIN scores s USING (image_id, trait) GROUP BY run_id, role)
        JOIN evaluations USING (run_id, role, n) WHERE abs(found - mae) > 1e-9""",
        "labels were changed after training, or a row was: `kallos verify RUN` shows what",
        "warn",
    ),
    Invariant(
        "weights sum to one",
        "SELECT count(*) FROM (SELECT sum(weight) AS total FROM sub_score_weights GROUP BY run_id, part) "
        "WHERE abs(total - 1) > 1e-5",
    ),
)


def examine_deeply(path: Path) -> tuple[Symptom, ...]:
    """Every invariant, every block of the file, and every photo's bytes. Nothing is written.

    Raises StoreError for a store that cannot be opened.
    """
    with open_store(path, read_only=True) as store:
        return (_blocks(store), *_invariants(store), _normalized(store), *_photos(store))


def _blocks(store: Store) -> Symptom:
    """Reading every value makes DuckDB compare every block with its checksum."""
    tables = store.frame("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL")["table_name"]
    for table in tables:
        try:
            store.frame(f'SELECT bit_xor(hash(t)) FROM "{table}" t')
        except duckdb.Error as error:
            return Symptom("blocks", "fail", f"{table} cannot be read ({str(error).splitlines()[0]}): {RESTORE}")
    return Symptom("blocks", "ok", f"every value of {len(tables)} tables can be read")


def _invariants(store: Store) -> list[Symptom]:
    """Those that do not hold, else one symptom for all."""
    broken = [
        Symptom(invariant.what, invariant.broken, f"violated {count:,} times: {invariant.remedy}")
        for invariant in INVARIANTS
        if (count := store.value(invariant.violations))
    ]
    return broken or [Symptom("invariants", "ok", f"all {len(INVARIANTS)} between the tables hold")]


def _normalized(store: Store) -> Symptom:
    """Every photo with features has its z-scores under every fold's statistics, as its raw features give them."""
    fitted = normalized_values.shown(store)
    if differing := sum(normalized_values.differing(store, statistics_id) for statistics_id in fitted):
        return Symptom("normalised features", "fail", f"{differing:,} rows are not what the raw ones give: {RESTORE}")
    if fitted and (missing := len(normalized_values.lacking(store, fitted))):
        return Symptom("normalised features", "warn", f"{missing:,} rows are missing: run `kallos extract`")
    return Symptom("normalised features", "ok", f"those of {len(fitted)} folds are what the raw ones give")


def _photos(store: Store) -> Iterator[Symptom]:
    """Photos may move and change; then values are of bytes that are not there any more."""
    rows = store.frame("SELECT root || '/' || path AS photo, sha256 FROM images JOIN locations USING (data_set)")
    missing = changed = 0
    for photo, sha256 in rows.iter_rows():
        try:
            changed += sha256_of_file(Path(photo)) != sha256
        except OSError:
            missing += 1
    if missing or changed:
        message = f"{missing:,} of {len(rows):,} are not where they were, {changed:,} have changed: ingest them again"
        yield Symptom("photos", "warn", message)
    else:
        yield Symptom("photos", "ok", f"all {len(rows):,} are where they were, with the same bytes")
