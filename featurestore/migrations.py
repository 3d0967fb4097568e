"""Bringing an older store up to date: ordered steps, each in the transaction that records it, after a backup.

A step changes tables in SQL of its own, as they were then, and never uses what the schema has become; comments, views
and normalised features are those of today and are made last. A new step is SQL, or a function, and one line in `STEPS`.
"""

import json
from collections.abc import Callable
from pathlib import Path

from featurestore import normalized_values
from featurestore.outputs import NORMALIZED, active_versions
from featurestore.schema import SCHEMA_VERSION, TABLES, VIEWS
from featurestore.snapshots import copy_held_file
from featurestore.sql_text import quote
from featurestore.store import Store
from featurestore.views import create_views


def migrate(store: Store, found: int) -> None:
    """Apply every step after schema version `found`. Killed at any time, the store is that of a whole step.

    What is made last belongs to the last step: a store of today's version is never without it.
    """
    back_up(store, found)
    for version, (change, step) in enumerate(STEPS[found - 1 :], start=found + 1):
        with store.transaction():
            store.execute(step) if isinstance(step, str) else step(store)
            store.execute("UPDATE store_info SET schema_version = $version", version=version)
            store.execute(
                "INSERT INTO migrations VALUES ($version, $change, now()::TIMESTAMP)", version=version, change=change
            )
            if version == SCHEMA_VERSION:
                _complete(store)
        store.execute("CHECKPOINT")


def _complete(store: Store) -> None:
    """What today's code makes of the tables: comments, views, and normalised features."""
    for table in TABLES:
        store.execute("; ".join(table.comments()))
    for view in VIEWS:
        store.create_view(view)
    create_views(store)
    if active_versions(store).keys() >= set(NORMALIZED):
        normalized_values.write(store, normalized_values.lacking(store, normalized_values.shown(store)))


def backups(path: Path) -> list[Path]:
    """Copies of the store from before it was brought up to date."""
    return sorted(path.parent.glob(f"{path.stem}.schema-*{path.suffix}"))


def back_up(store: Store, found: int) -> Path:
    """A copy of the store beside it, under its schema version; an earlier copy is kept as it is."""
    copy = store.path.with_name(f"{store.path.stem}.schema-{found}{store.path.suffix}")
    if not copy.exists():
        store.execute("CHECKPOINT")
        partial = copy.with_name(f".{copy.name}.partial")
        copy_held_file(store.path, partial)
        partial.rename(copy)
    return copy


def _key_values_by_content(store: Store) -> None:
    """What was computed belongs to a photo's bytes; folders have a table of their own; z-scores are a view."""
    for view in store.frame("SELECT view_name FROM duckdb_views() WHERE NOT internal")["view_name"]:
        store.execute(f'DROP VIEW "{view}"')
    for table, output in store.frame("SELECT table_name, output FROM extractor_versions").iter_rows():
        _rekey(store, table, is_packed=output == "geometric_features")
    store.execute(_KEY_VALUES_BY_CONTENT)
    for table in store.frame("SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'normalized__')")[
        "table_name"
    ]:
        store.execute(f'DROP TABLE "{table}"')


def _rekey(store: Store, table: str, is_packed: bool) -> None:
    """Replace image_id by sha256 in what one version of an extractor wrote, and its features by one array."""
    about = store.value("SELECT comment FROM duckdb_tables() WHERE table_name = $table", table=table)
    columns = store.frame("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = $t", t=table).rows()
    values = f'"{table}".* EXCLUDE (image_id)'
    if is_packed:
        names = ", ".join(f'"{column}"' for column, _ in columns[1:])
        values = f"[{names}]::DOUBLE[{len(columns) - 1}] AS features"
        columns = [columns[0], ("features", "in the order of the recipe; NaN where not measurable")]
    store.execute(
        f"""CREATE TABLE rekeyed AS SELECT sha256, {values}
            FROM "{table}" JOIN images USING (image_id) WHERE sha256 IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY sha256 ORDER BY "{table}".rowid) = 1 ORDER BY "{table}".rowid"""
    )
    store.execute(f'DROP TABLE "{table}"')
    store.execute(f'ALTER TABLE rekeyed RENAME TO "{table}"')
    store.execute(f'COMMENT ON TABLE "{table}" IS {quote(about)}')
    for column, comment in [("sha256", "hash of the photo's bytes, see images"), *columns[1:]]:
        store.execute(f'COMMENT ON COLUMN "{table}"."{column}" IS {quote(comment)}')


_KEY_VALUES_BY_CONTENT = """
    CREATE TABLE migrations (schema_version INTEGER, change VARCHAR, applied_at TIMESTAMP);
    CREATE TABLE locations AS SELECT data_set, root FROM data_sets;
    CREATE TABLE attempts AS
        SELECT sha256, extractor, version, status,
               replace(detail, root || '/' || path, 'the photo') AS detail, milliseconds
        FROM extractions JOIN images USING (image_id) JOIN locations USING (data_set)
        WHERE sha256 IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY sha256, extractor, version ORDER BY extractions.rowid) = 1
        ORDER BY extractions.rowid;
    DROP TABLE extractions;
    ALTER TABLE data_sets DROP COLUMN root;
    ALTER TABLE extractor_versions ADD COLUMN activated_at TIMESTAMP;
    UPDATE extractor_versions SET activated_at = now()::TIMESTAMP WHERE active;
    CREATE TABLE feature_definitions AS
        SELECT feature, NULL::VARCHAR AS summary, region, unit, formula, points, source,
               NULL::DOUBLE AS low, NULL::DOUBLE AS high, 1 AS version, c.extractor, v.version AS extractor_version
        FROM feature_catalog c LEFT JOIN extractor_versions v ON v.active AND v.extractor = c.extractor
        ORDER BY c.rowid;
    DROP TABLE feature_catalog;
    CREATE TABLE statistics AS
        SELECT manifest_id AS statistics_id, normalization, true AS current,
               (SELECT string_agg(version, '+' ORDER BY extractor = 'shape', extractor) FROM extractor_versions
                WHERE active AND extractor IN ('geometry', 'skin', 'shape')) AS versions,
               NULL::VARCHAR AS sql, NULL::INTEGER AS row_count, NULL::VARCHAR AS row_hash,
               list(feature ORDER BY n.rowid) AS features, list(mean ORDER BY n.rowid) AS mean,
               list(sd ORDER BY n.rowid) AS sd, any_value(shape) AS mean_shape
        FROM normalizations n JOIN mean_shapes USING (normalization, manifest_id)
        GROUP BY manifest_id, normalization ORDER BY min(n.rowid);
    DROP TABLE normalizations;
    DROP TABLE mean_shapes;
    ALTER TABLE manifests ADD COLUMN value_hash VARCHAR;
    ALTER TABLE manifests ADD COLUMN statistics_id VARCHAR;
    UPDATE manifests SET statistics_id = manifest_id;
    ALTER TABLE manifests ADD COLUMN features VARCHAR[];
    CREATE TABLE near_duplicates (
        image_id VARCHAR, other_id VARCHAR, hamming INTEGER, cosine_distance DOUBLE, group_id VARCHAR);
    CREATE TABLE erasures (erased_at TIMESTAMP, photos INTEGER, finished BOOLEAN)
"""


_CROSS_FIT = """
    ALTER TABLE training_history ADD COLUMN part INTEGER;
    UPDATE training_history SET part = 1;
    ALTER TABLE sub_score_weights ADD COLUMN part INTEGER;
    UPDATE sub_score_weights SET part = 1;
    ALTER TABLE predictions ADD COLUMN low DOUBLE;
    ALTER TABLE predictions ADD COLUMN high DOUBLE;
    CREATE TABLE combiners (
        run_id VARCHAR, weight_a DOUBLE, correction DOUBLE, pearson_a DOUBLE, pearson_b DOUBLE, pearson DOUBLE);
    CREATE TABLE intervals (
        run_id VARCHAR, subset VARCHAR, n INTEGER, bias DOUBLE, half_width DOUBLE, level DOUBLE)
"""
"""Runs hold several cross-fitted models, and intervals; what was trained before is the first and only one."""

_NAME_TRAITS = """
    CREATE TABLE traits AS
        SELECT data_set, if(data_set IN ('scut', 'mebeauty'), 'attractiveness', 'score') AS trait, scale_low, scale_high
        FROM data_sets;
    ALTER TABLE data_sets DROP COLUMN scale_low;
    ALTER TABLE data_sets DROP COLUMN scale_high;
    ALTER TABLE ratings ADD COLUMN trait VARCHAR;
    ALTER TABLE ratings ADD COLUMN session VARCHAR;
    UPDATE ratings SET trait = t.trait FROM traits t WHERE t.data_set = split_part(image_id, '/', 1);
    ALTER TABLE scores ADD COLUMN trait VARCHAR;
    UPDATE scores SET trait = t.trait FROM traits t WHERE t.data_set = split_part(image_id, '/', 1);
    ALTER TABLE splits ADD COLUMN trait VARCHAR;
    UPDATE splits SET trait = t.trait FROM traits t WHERE t.data_set = split_part(image_id, '/', 1);
    CREATE TABLE rater_attributes (data_set VARCHAR, rater_id VARCHAR, attribute VARCHAR, value VARCHAR);
    CREATE TABLE image_attributes (image_id VARCHAR, attribute VARCHAR, value VARCHAR);
    ALTER TABLE runs ADD COLUMN trait VARCHAR;
    ALTER TABLE runs ADD COLUMN scale_low DOUBLE;
    ALTER TABLE runs ADD COLUMN scale_high DOUBLE;
    UPDATE runs SET trait = if(traits = 1, learnt.trait, NULL), scale_low = low, scale_high = high,
                    status = if(traits = 1, status, 'pooled')
    FROM (
        SELECT run_id, count(DISTINCT trait) AS traits, min(trait) AS trait,
               if(count(DISTINCT (scale_low, scale_high)) = 1, min(scale_low), NULL) AS low,
               if(count(DISTINCT (scale_low, scale_high)) = 1, min(scale_high), NULL) AS high
        FROM predictions JOIN traits ON data_set = split_part(image_id, '/', 1) WHERE role <> 'outside'
        GROUP BY run_id) learnt
    WHERE learnt.run_id = runs.run_id;
    UPDATE splits SET protocol = protocol || '-' || trait WHERE protocol IN (
        SELECT protocol FROM splits GROUP BY protocol HAVING count(DISTINCT trait) > 1)
"""
"""Ratings, scores and roles are of a trait, which has the scale; what was there is one trait a data set.

A protocol over data sets of different traits becomes one for each, and runs that pooled them count no more.
"""

_COMBINE_ANY = """
    CREATE TABLE combined_members AS
        SELECT run_id, 'a' AS model, weight_a AS weight, pearson_a AS pearson FROM combiners
        UNION ALL SELECT run_id, 'b', 1 - weight_a, pearson_b FROM combiners ORDER BY ALL;
    ALTER TABLE combiners DROP COLUMN weight_a;
    ALTER TABLE combiners DROP COLUMN pearson_a;
    ALTER TABLE combiners DROP COLUMN pearson_b
"""
"""A combiner has any number of members, a row each."""

_FREE_SHAPES = "ALTER TABLE statistics ALTER COLUMN mean_shape TYPE FLOAT[]"
"""A mean shape is as long as its set of landmarks makes it."""


def _record_uses(store: Store) -> None:
    """A run records the recipes that it uses, of features with those columns alone; nothing where one is gone."""
    store.execute("ALTER TABLE runs ADD COLUMN uses JSON")
    recipes = {
        (extractor, version): (output, json.loads(recipe))
        for extractor, version, output, recipe in store.frame(
            "SELECT extractor, version, output, recipe FROM extractor_versions"
        ).iter_rows()
    }
    runs = store.frame(
        "SELECT run_id, encoder, versions, features FROM runs JOIN manifests USING (manifest_id) "
        "WHERE features IS NOT NULL"
    )
    for run_id, encoder, versions, features in runs.iter_rows():
        pinned = [
            output_version
            for output_version in json.loads(versions).items()
            if not output_version[0].startswith("embedding:") or output_version[0] == f"embedding:{encoder}"
        ]
        if any(output_version not in recipes for output_version in pinned):
            continue
        uses = {}
        for output_version in pinned:
            output, recipe = recipes[output_version]
            if output == "geometric_features":
                # a column is written `name`, or `name@2` when its formula has been changed
                used = [column for column in recipe["columns"] if column.split("@")[0] in features]
                recipe = {**recipe, "columns": used}
            uses[output_version[0]] = recipe
        store.execute("UPDATE runs SET uses = $uses WHERE run_id = $run_id", uses=json.dumps(uses), run_id=run_id)


_NAME_FILES = "ALTER TABLE locations ADD COLUMN files VARCHAR[]"
"""The files that a data set was read from; those of earlier ingests are not known."""

_RECORD_SELECTIONS = """
    CREATE TABLE selections (
        run_id VARCHAR, choice VARCHAR, made_by VARCHAR, basis VARCHAR, protocol VARCHAR, fold INTEGER, role VARCHAR,
        row_count INTEGER, metric VARCHAR, effect VARCHAR, made_on TIMESTAMP)
"""
"""Runs record the choices that went into them; those of runs before are not known."""

_WIDTHS_BY_SCORE = """
    CREATE TABLE widths AS
        SELECT run_id, subset, n, bias, [1.0::DOUBLE] AS scores, [half_width] AS half_widths, level
        FROM intervals ORDER BY rowid;
    DROP TABLE intervals;
    ALTER TABLE widths RENAME TO intervals
"""
"""An interval is as wide as scores there are uncertain; what was there has one width for all scores."""

_STORE_Z_SCORES = "CREATE TABLE normalized_values (statistics_id VARCHAR, sha256 VARCHAR, z_scores DOUBLE[])"
"""Normalised features are stored; `_complete` fills the table."""

_MAP_SCALES = """
    CREATE TABLE scale_maps (
        run_id VARCHAR, data_set VARCHAR, place INTEGER, scale_low DOUBLE, scale_high DOUBLE, shared DOUBLE[],
        scores DOUBLE[])
"""
"""Runs on several data sets have a map from the shared score to each; earlier ones stretched scales linearly."""

_VALIDATIONS_AND_PLANS = """
    CREATE TABLE validations (
        run_id VARCHAR, data_set VARCHAR, trait VARCHAR, validated_at TIMESTAMP, n INTEGER, verdict VARCHAR,
        spearman DOUBLE, reliability DOUBLE, corrected DOUBLE, corrected_low DOUBLE, corrected_high DOUBLE,
        "offset" DOUBLE, slope DOUBLE, coverage DOUBLE, scale_low DOUBLE, scale_high DOUBLE, shared DOUBLE[],
        scores DOUBLE[], widening DOUBLE);
    CREATE TABLE plans (
        fixed_at TIMESTAMP, sha256_of_text VARCHAR, data_set VARCHAR, text VARCHAR, ratings INTEGER, scored INTEGER,
        runs INTEGER)
"""
"""Verdicts on models for other raters, and plans of analysis."""

STEPS: list[tuple[str, str | Callable[[Store], None]]] = [
    ("values keyed by the photo's bytes, z-scores as a view", _key_values_by_content),
    ("cross-fitted models, intervals and combiners", _CROSS_FIT),
    ("traits with scales of their own, sessions, attributes of raters and images", _NAME_TRAITS),
    ("combiners of any number of members", _COMBINE_ANY),
    ("mean shapes of any set of landmarks", _FREE_SHAPES),
    ("runs record the recipes that they use", _record_uses),
    ("data sets name the files that they were read from", _NAME_FILES),
    ("runs record the choices that were made by looking at rows", _RECORD_SELECTIONS),
    ("intervals are as wide as scores there are uncertain", _WIDTHS_BY_SCORE),
    ("normalised features are stored", _STORE_Z_SCORES),
    ("runs on several data sets map a shared score to each", _MAP_SCALES),
    (
        "ratings of single persons, apart from those that make scores",
        "CREATE TABLE personal_ratings "
        "(image_id VARCHAR, rater VARCHAR, trait VARCHAR, rating DOUBLE, rated_at TIMESTAMP)",
    ),
    ("verdicts on models for other raters, and plans of analysis", _VALIDATIONS_AND_PLANS),
]
"""STEPS[i] brings a store from schema version i + 1 to i + 2."""
