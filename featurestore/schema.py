"""The tables of the store, each with the comment that `kallos tables` and DuckDB's own catalogue show.

What extractors write is not here: those tables are made per version by `outputs`, beneath stable views.
Values belong to a photo's bytes, so their tables are keyed by sha256; people ask by image_id, through views.
No table has a primary key or an index: hot tables with both are where broken write-ahead logs were
reported, and every writer here replaces rows by key inside a transaction instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA_VERSION = 7


@dataclass(frozen=True)
class Column:
    """One column: its name, its DuckDB type and what it means."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """One table, what one of its rows is, and its columns."""

    name: str
    comment: str
    columns: tuple[Column, ...]

    def statements(self) -> list[str]:
        """The DDL that makes the table and its comments."""
        body = ", ".join(f'"{c.name}" {c.type}' for c in self.columns)
        return [f'CREATE TABLE "{self.name}" ({body})', *self.comments()]

    def comments(self) -> list[str]:
        """The DDL that documents the table and its columns."""
        columns = [f'COMMENT ON COLUMN "{self.name}"."{c.name}" IS {quote(c.comment)}' for c in self.columns]
        return [f'COMMENT ON TABLE "{self.name}" IS {quote(self.comment)}', *columns]


@dataclass(frozen=True)
class View:
    """A stable view: its query, what one of its rows is, and where its columns' comments come from.

    tables   columns take the comments of the columns of the same name there
    columns  what those tables do not say
    """

    name: str
    comment: str
    query: str
    tables: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _table(name: str, comment: str, *columns: tuple[str, str, str]) -> Table:
    return Table(name, comment, tuple(Column(*c) for c in columns))


_IMAGE = ("image_id", "VARCHAR", "data set / path of the photo inside it")
_CONTENT = ("sha256", "VARCHAR", "hash of the photo's bytes, see images")
_TRAIT = ("trait", "VARCHAR", "what was rated, see traits")
_RUN = ("run_id", "VARCHAR", "the run, see runs")
_FOLD = ("fold", "INTEGER", "fold of the protocol, from 1")

TABLES = (
    _table(
        "store_info",
        "one row: what made this store",
        ("schema_version", "INTEGER", "version of the tables"),
        ("created_at", "TIMESTAMP", "when, in UTC"),
    ),
    _table(
        "migrations",
        "one row is one change of the tables that this store has been through",
        ("schema_version", "INTEGER", "version of the tables after it"),
        ("change", "VARCHAR", "what it changed"),
        ("applied_at", "TIMESTAMP", "when, in UTC"),
    ),
    _table(
        "data_sets",
        "one row a data set",
        ("data_set", "VARCHAR", "name, first part of every image_id"),
        ("licence", "VARCHAR", "terms of use"),
    ),
    _table(
        "traits",
        "one row is one trait that photos of a data set were rated on: a target of its own",
        ("data_set", "VARCHAR", "see data_sets"),
        ("trait", "VARCHAR", "such as attractive; score where the data set does not say"),
        ("scale_low", "DOUBLE", "lowest rating a rater can give"),
        ("scale_high", "DOUBLE", "highest rating a rater can give"),
    ),
    _table(
        "locations",
        "one row a data set: where its photos lie on this machine; `kallos sql` does not show it",
        ("data_set", "VARCHAR", "see data_sets"),
        ("root", "VARCHAR", "folder that images.path is relative to"),
    ),
    _table(
        "images",
        "one row an image",
        _IMAGE,
        ("data_set", "VARCHAR", "see data_sets"),
        ("path", "VARCHAR", "path of the photo relative to locations.root"),
        ("sha256", "VARCHAR", "hash of the file's bytes"),
        ("width", "INTEGER", "pixels, as stored in the file"),
        ("height", "INTEGER", "pixels, as stored in the file"),
        ("subset", "VARCHAR", "group given by the data set, such as AF"),
        ("sex", "VARCHAR", "as given by the data set: female or male"),
        ("ethnicity", "VARCHAR", "as given by the data set"),
    ),
    _table(
        "ratings",
        "one row is one rater's rating of one image on one trait, in one session",
        _IMAGE,
        ("rater_id", "VARCHAR", "the rater"),
        ("rating", "DOUBLE", "on the data set's own scale"),
        ("first_rating", "DOUBLE", "the first answer where the rater was asked again, else NULL"),
        _TRAIT,
        ("session", "VARCHAR", "when, where raters rated in several sessions, else NULL"),
    ),
    _table(
        "scores",
        "one row an image and trait: the raters' answers together",
        _IMAGE,
        ("mean", "DOUBLE", "mean rating on the data set's own scale, each rater counted once, or as published"),
        (
            "sd",
            "DOUBLE",
            "standard deviation over raters (divided by their number), NULL where single ratings are unknown",
        ),
        ("raters", "INTEGER", "number of raters, NULL where unknown"),
        ("histogram", "INTEGER[]", "how many raters gave each whole rating from scale_low up, or NULL"),
        ("score", "DOUBLE", "mean mapped linearly to 1-5: what models learn"),
        _TRAIT,
    ),
    _table(
        "splits",
        "one row is the role of one image in one fold of a protocol",
        _IMAGE,
        ("protocol", "VARCHAR", "such as scut-5fold"),
        _FOLD,
        ("role", "VARCHAR", "train, val or test"),
        ("trait", "VARCHAR", "the one trait that the protocol is about, see traits"),
    ),
    _table(
        "rater_attributes",
        "one row is what a table says of one rater",
        ("data_set", "VARCHAR", "see data_sets"),
        ("rater_id", "VARCHAR", "see ratings"),
        ("attribute", "VARCHAR", "such as sex or age"),
        ("value", "VARCHAR", "as given"),
    ),
    _table(
        "image_attributes",
        "one row is what a table says of one image besides subset, sex and ethnicity",
        _IMAGE,
        ("attribute", "VARCHAR", "such as age"),
        ("value", "VARCHAR", "as given"),
    ),
    _table(
        "published_landmarks",
        "one row an image: landmarks that came with the data set",
        _IMAGE,
        ("x", "FLOAT[]", "pixels"),
        ("y", "FLOAT[]", "pixels"),
    ),
    _table(
        "drawn_parameters",
        "one row is one parameter that a drawn portrait was made with: the truth behind the demo",
        _IMAGE,
        ("parameter", "VARCHAR", "such as eye_width, or true_score: what the simulated raters prefer, 1-5"),
        ("value", "DOUBLE", "as drawn"),
    ),
    _table(
        "findings",
        "one row is one thing found wrong with a data set at ingest",
        ("data_set", "VARCHAR", "see data_sets"),
        ("kind", "VARCHAR", "missing_image, duplicate, unreadable, unlabelled, bad_landmarks, colour_profile"),
        ("subject", "VARCHAR", "the file concerned"),
        ("detail", "VARCHAR", "what is wrong with it"),
    ),
    _table(
        "extractor_versions",
        "one row is one version of one extractor's output",
        ("extractor", "VARCHAR", "landmarks, geometry, skin, shape, fingerprint or embedding:<id of the encoder>"),
        ("version", "VARCHAR", "hash of the code version, parameters, weights and inputs"),
        ("output", "VARCHAR", "the view that shows the active version"),
        ("table_name", "VARCHAR", "the table that holds this version"),
        ("recipe", "JSON", "what the hash is taken of"),
        ("active", "BOOLEAN", "whether the view shows this version"),
        (
            "activated_at",
            "TIMESTAMP",
            "in UTC, when its view last began to show it, later than all before; NULL if never",
        ),
    ),
    _table(
        "attempts",
        "the ledger: one row is one photo's bytes tried by one version of one extractor",
        _CONTENT,
        ("extractor", "VARCHAR", "see extractor_versions"),
        ("version", "VARCHAR", "see extractor_versions"),
        ("status", "VARCHAR", "ok, no_face, decode_error, needs_extra, missing, changed, timeout or crash"),
        ("detail", "VARCHAR", "the reason, or a remark such as several faces; NULL when there is none"),
        ("milliseconds", "DOUBLE", "time spent on this photo by this extractor"),
    ),
    _table(
        "feature_definitions",
        "one row is one feature in one version of its extractor, and how it is computed",
        ("feature", "VARCHAR", "column of geometric_features"),
        ("summary", "VARCHAR", "what it is, in a sentence"),
        ("region", "VARCHAR", "region of the face that it describes"),
        ("unit", "VARCHAR", "unit of the value"),
        ("formula", "VARCHAR", "how it is computed"),
        ("points", "VARCHAR", "named landmarks or regions used"),
        ("source", "VARCHAR", "where the formula comes from"),
        ("low", "DOUBLE", "lower end of the plausible range, in the unit"),
        ("high", "DOUBLE", "upper end of the plausible range, in the unit"),
        ("version", "INTEGER", "version of the formula, from 1"),
        ("extractor", "VARCHAR", "geometry or skin; normalization for averageness"),
        ("extractor_version", "VARCHAR", "see extractor_versions; NULL for averageness"),
    ),
    _table(
        "manifests",
        "one row is one pinned training set",
        ("manifest_id", "VARCHAR", "hash of everything below"),
        ("protocol", "VARCHAR", "see splits"),
        _FOLD,
        ("sql", "VARCHAR", "the query that gives its rows and values"),
        ("versions", "JSON", "extractor -> version that the values came from"),
        ("row_count", "INTEGER", "number of training rows"),
        ("row_hash", "VARCHAR", "sha256 over the sorted image ids, photo hashes and scores"),
        ("value_hash", "VARCHAR", "sha256 over the features, shapes and embeddings; NULL before schema version 2"),
        ("statistics_id", "VARCHAR", "the statistics that normalise it, see statistics"),
        ("features", "VARCHAR[]", "the features that it uses"),
    ),
    _table(
        "statistics",
        "one row is what normalises the features of a fold: statistics of its training rows, never of others",
        ("statistics_id", "VARCHAR", "hash of the normalization, rows and versions"),
        ("normalization", "VARCHAR", "protocol/fold"),
        ("current", "BOOLEAN", "whether normalized_features uses it"),
        ("versions", "VARCHAR", "versions of geometry, skin and shape that it was fitted on"),
        ("sql", "VARCHAR", "the query that gives the photos and values it was fitted on"),
        ("row_count", "INTEGER", "how many they are"),
        ("row_hash", "VARCHAR", "sha256 over their sorted hashes"),
        ("features", "VARCHAR[]", "names, in the order of the next two: geometry, skin, averageness"),
        ("mean", "DOUBLE[]", "mean of each feature, in its unit"),
        ("sd", "DOUBLE[]", "standard deviation of each feature; 1 for a constant one"),
        ("mean_shape", "FLOAT[]", "mean aligned face: x of all its landmarks, then y"),
    ),
    _table(
        "near_duplicates",
        "one row is a pair of photos that look like one photo or one person, see docs/design.md",
        _IMAGE,
        ("other_id", "VARCHAR", "the other image; image_id < other_id"),
        ("hamming", "INTEGER", "bits in which their perceptual hashes differ, of 64"),
        ("cosine_distance", "DOUBLE", "between their embeddings"),
        ("group_id", "VARCHAR", "the least image_id of all that hang together"),
    ),
    _table(
        "erasures",
        "one row is one erasure of photos, and nothing of whose",
        ("erased_at", "TIMESTAMP", "when, in UTC"),
        ("photos", "INTEGER", "how many photos were erased"),
        ("finished", "BOOLEAN", "whether their bytes are gone from the file too"),
    ),
    _table(
        "runs",
        "one row is one training of one model",
        _RUN,
        ("model", "VARCHAR", "a, b, b-features, baseline, ridge or ensemble"),
        ("protocol", "VARCHAR", "see splits"),
        _FOLD,
        ("status", "VARCHAR", "running or done; pooled: an earlier kallos trained it on several traits at once"),
        ("weights", "VARCHAR", "what the network started from: imagenet, a file's name, none"),
        ("encoder", "VARCHAR", "the embedding's extractor, NULL where none is used"),
        ("manifest_id", "VARCHAR", "the training rows, see manifests"),
        ("config", "JSON", "every setting"),
        ("folder", "VARCHAR", "where the trained model lies, beside the store"),
        ("started_at", "TIMESTAMP", "in UTC, and later than that of every run begun before"),
        ("seconds", "DOUBLE", "training time"),
        _TRAIT,
        ("scale_low", "DOUBLE", "lower end of the data set's own scale; NULL where several data sets differ"),
        ("scale_high", "DOUBLE", "upper end of the data set's own scale; NULL where several data sets differ"),
        ("uses", "JSON", "extractor -> recipe of the values, with the features that it sees; NULL where it is lost"),
    ),
    _table(
        "training_history",
        "one row is one epoch of one cross-fitted model of a run; metrics are on training rows held out from it",
        _RUN,
        ("epoch", "INTEGER", "from 1; for LightGBM the number of trees"),
        ("train_loss", "DOUBLE", "loss that is minimised, on the rows that are fitted"),
        ("mae", "DOUBLE", "mean absolute error on held-out training rows"),
        ("rmse", "DOUBLE", "root mean squared error on held-out training rows"),
        ("pearson", "DOUBLE", "Pearson correlation on held-out training rows"),
        ("seconds", "DOUBLE", "time of the epoch"),
        ("part", "INTEGER", "which of the cross-fitted models, from 1: the one that held out that part of the rows"),
    ),
    _table(
        "predictions",
        "one row is what one run says of one image",
        _RUN,
        _IMAGE,
        (
            "role",
            "VARCHAR",
            "out_of_fold (a training row, by the model that had not seen it), test, or outside (by `kallos evaluate`)",
        ),
        ("score", "DOUBLE", "predicted score, 1-5"),
        ("low", "DOUBLE", "lower end of the 90 % interval, NULL where the run gives none"),
        ("high", "DOUBLE", "upper end of the 90 % interval, NULL where the run gives none"),
    ),
    _table(
        "evaluations",
        "one row is one run's agreement with the raters on one role",
        _RUN,
        ("role", "VARCHAR", "out_of_fold or test"),
        ("n", "INTEGER", "images"),
        ("mae", "DOUBLE", "mean absolute error"),
        ("rmse", "DOUBLE", "root mean squared error"),
        ("pearson", "DOUBLE", "Pearson correlation (PC)"),
        ("spearman", "DOUBLE", "rank correlation"),
    ),
    _table(
        "sub_scores",
        "one row is one region's sub-score of one image: an attribution of Model B, not a label",
        _RUN,
        _IMAGE,
        ("region", "VARCHAR", "region of the face"),
        ("sub_score", "DOUBLE", "1-5"),
    ),
    _table(
        "sub_score_weights",
        "one row is the weight of one region in one cross-fitted Model B; a model's weights sum to one",
        _RUN,
        ("region", "VARCHAR", "region of the face"),
        ("weight", "DOUBLE", "softmax weight"),
        ("part", "INTEGER", "which of the cross-fitted models, from 1"),
    ),
    _table(
        "combiners",
        "one row is what a combiner learnt from out-of-fold predictions, and what it gains on them",
        _RUN,
        ("correction", "DOUBLE", "root mean square of what the shallow correction adds to the weighted mean"),
        ("pearson", "DOUBLE", "Pearson correlation of the combined score, out of fold"),
    ),
    _table(
        "combined_members",
        "one row is a model that a combiner combines",
        _RUN,
        ("model", "VARCHAR", "the member, such as a or b"),
        ("weight", "DOUBLE", "its weight; those of a run sum to one"),
        ("pearson", "DOUBLE", "Pearson correlation of the member alone, out of fold"),
    ),
    _table(
        "intervals",
        "one row is a run's conformal calibration, for everyone or for one group, fitted on out-of-fold errors",
        _RUN,
        ("subset", "VARCHAR", "group, see images; NULL for everyone"),
        ("n", "INTEGER", "training rows that it was fitted on"),
        ("bias", "DOUBLE", "mean of predicted - true in the group; 0 for everyone"),
        ("half_width", "DOUBLE", "the interval reaches so far to both sides of the score less the bias"),
        ("level", "DOUBLE", "share of new photos that it is made to cover"),
    ),
)

VIEWS = (
    View(
        "extractions",
        "the ledger by image: one row is one image tried by one version of one extractor",
        "SELECT image_id, extractor, version, status, detail, milliseconds FROM attempts JOIN images USING (sha256)",
        ("attempts", "images"),
    ),
    View(
        "feature_catalog",
        "one row is one feature that the views show, and how it is computed",
        "SELECT d.* EXCLUDE (extractor_version) FROM feature_definitions d LEFT JOIN extractor_versions v "
        "ON v.extractor = d.extractor AND v.version = d.extractor_version "
        "WHERE v.active OR d.extractor_version IS NULL",
        ("feature_definitions",),
    ),
    View(
        "evaluated_traits",
        "one row is a run and a data set: the trait that it is evaluated by, of the same name or the only one",
        "SELECT run_id, t.data_set, coalesce(max(t.trait) FILTER (t.trait = r.trait), "
        "if(count(*) = 1, max(t.trait), NULL)) AS trait FROM runs r, traits t GROUP BY run_id, t.data_set",
        ("runs", "traits"),
    ),
    View(
        "normalizations",
        "one row is one feature's statistics over the training rows of a fold",
        "SELECT normalization, unnest(features) AS feature, unnest(mean) AS mean, unnest(sd) AS sd, statistics_id "
        "FROM statistics WHERE current",
        ("statistics", "feature_definitions"),
    ),
)
