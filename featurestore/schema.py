"""The tables of the store, each with the comment that `kallos tables` and DuckDB's own catalogue show.

What extractors write is not here: those tables are made per version by `outputs`, beneath stable views.
No table has a primary key or an index: hot tables with both are where broken write-ahead logs were
reported, and every writer here replaces rows by key inside a transaction instead.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 1


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
        comments = [f'COMMENT ON COLUMN "{self.name}"."{c.name}" IS {quote(c.comment)}' for c in self.columns]
        return [
            f'CREATE TABLE "{self.name}" ({body})',
            f'COMMENT ON TABLE "{self.name}" IS {quote(self.comment)}',
            *comments,
        ]


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _table(name: str, comment: str, *columns: tuple[str, str, str]) -> Table:
    return Table(name, comment, tuple(Column(*c) for c in columns))


_IMAGE = ("image_id", "VARCHAR", "data set / path of the photo inside it")
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
        "data_sets",
        "one row a data set",
        ("data_set", "VARCHAR", "name, first part of every image_id"),
        ("root", "VARCHAR", "folder that images.path is relative to"),
        ("scale_low", "DOUBLE", "lowest rating a rater can give"),
        ("scale_high", "DOUBLE", "highest rating a rater can give"),
        ("licence", "VARCHAR", "terms of use"),
    ),
    _table(
        "images",
        "one row an image",
        _IMAGE,
        ("data_set", "VARCHAR", "see data_sets"),
        ("path", "VARCHAR", "path of the photo relative to data_sets.root"),
        ("sha256", "VARCHAR", "hash of the file's bytes"),
        ("width", "INTEGER", "pixels, as stored in the file"),
        ("height", "INTEGER", "pixels, as stored in the file"),
        ("subset", "VARCHAR", "group given by the data set, such as AF"),
        ("sex", "VARCHAR", "as given by the data set: female or male"),
        ("ethnicity", "VARCHAR", "as given by the data set"),
    ),
    _table(
        "ratings",
        "one row is one rater's rating of one image",
        _IMAGE,
        ("rater_id", "VARCHAR", "the rater"),
        ("rating", "DOUBLE", "on the data set's own scale"),
        ("first_rating", "DOUBLE", "the first answer where the rater was asked again, else NULL"),
    ),
    _table(
        "scores",
        "one row an image: what the raters said together",
        _IMAGE,
        ("mean", "DOUBLE", "mean rating on the data set's own scale, as published"),
        ("sd", "DOUBLE", "standard deviation over raters, NULL where single ratings are unknown"),
        ("raters", "INTEGER", "number of raters, NULL where unknown"),
        ("histogram", "INTEGER[]", "how many raters gave each whole rating from scale_low up, or NULL"),
        ("score", "DOUBLE", "mean mapped linearly to 1-5: what models learn"),
    ),
    _table(
        "splits",
        "one row is the role of one image in one fold of a protocol",
        _IMAGE,
        ("protocol", "VARCHAR", "such as scut-5fold"),
        _FOLD,
        ("role", "VARCHAR", "train, val or test"),
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
        ("kind", "VARCHAR", "missing_image, duplicate, unreadable, unlabelled, bad_landmarks"),
        ("subject", "VARCHAR", "the file concerned"),
        ("detail", "VARCHAR", "what is wrong with it"),
    ),
    _table(
        "extractor_versions",
        "one row is one version of one extractor's output",
        ("extractor", "VARCHAR", "landmarks, geometry, skin, shape or embedding:<encoder>"),
        ("version", "VARCHAR", "hash of the code version, parameters, weights and inputs"),
        ("output", "VARCHAR", "the view that shows the active version"),
        ("table_name", "VARCHAR", "the table that holds this version"),
        ("recipe", "JSON", "what the hash is taken of"),
        ("active", "BOOLEAN", "whether the view shows this version"),
    ),
    _table(
        "extractions",
        "the ledger: one row is one image tried by one version of one extractor",
        _IMAGE,
        ("extractor", "VARCHAR", "see extractor_versions"),
        ("version", "VARCHAR", "see extractor_versions"),
        ("status", "VARCHAR", "ok, no_face, decode_error or missing"),
        ("detail", "VARCHAR", "the reason, or a remark such as several faces; NULL when there is none"),
        ("milliseconds", "DOUBLE", "time spent on this image by this extractor"),
    ),
    _table(
        "feature_catalog",
        "one row is one feature and how it is computed",
        ("feature", "VARCHAR", "column of geometric_features"),
        ("region", "VARCHAR", "region of the face that it describes"),
        ("unit", "VARCHAR", "unit of the value"),
        ("formula", "VARCHAR", "how it is computed"),
        ("points", "VARCHAR", "named landmarks or regions used"),
        ("source", "VARCHAR", "where the formula comes from"),
        ("low", "DOUBLE", "lower end of the plausible range, in the unit"),
        ("high", "DOUBLE", "upper end of the plausible range, in the unit"),
        ("version", "INTEGER", "version of the formula, from 1"),
        ("extractor", "VARCHAR", "geometry or skin; normalization for averageness"),
    ),
    _table(
        "manifests",
        "one row is one pinned set of training rows",
        ("manifest_id", "VARCHAR", "hash of everything below"),
        ("protocol", "VARCHAR", "see splits"),
        _FOLD,
        ("sql", "VARCHAR", "the query that gives the rows"),
        ("versions", "JSON", "extractor -> version that the features came from"),
        ("row_count", "INTEGER", "number of training rows"),
        ("row_hash", "VARCHAR", "sha256 over the sorted image ids, photo hashes and scores"),
    ),
    _table(
        "normalizations",
        "one row is one feature's statistics over the training rows of a fold",
        ("normalization", "VARCHAR", "protocol/fold"),
        ("feature", "VARCHAR", "see feature_catalog"),
        ("mean", "DOUBLE", "mean over the training rows, in the feature's unit"),
        ("sd", "DOUBLE", "standard deviation over the training rows; 1 for a constant feature"),
        ("manifest_id", "VARCHAR", "the training rows it was fitted on"),
    ),
    _table(
        "mean_shapes",
        "one row is the mean aligned face over the training rows of a fold",
        ("normalization", "VARCHAR", "protocol/fold"),
        ("shape", "FLOAT[936]", "468 x then 468 y, unit size"),
        ("manifest_id", "VARCHAR", "the training rows it was fitted on"),
    ),
    _table(
        "runs",
        "one row is one training of one model",
        _RUN,
        ("model", "VARCHAR", "a, b, b-features, baseline, ridge or ensemble"),
        ("protocol", "VARCHAR", "see splits"),
        _FOLD,
        ("status", "VARCHAR", "running or done"),
        ("weights", "VARCHAR", "what the network started from: imagenet, a file's name, none"),
        ("encoder", "VARCHAR", "the embedding's extractor, NULL where none is used"),
        ("manifest_id", "VARCHAR", "the training rows, see manifests"),
        ("config", "JSON", "every setting"),
        ("folder", "VARCHAR", "where the trained model lies, beside the store"),
        ("started_at", "TIMESTAMP", "in UTC"),
        ("seconds", "DOUBLE", "training time"),
    ),
    _table(
        "training_history",
        "one row is one epoch of a run; metrics are on a slice of the training rows, never on test rows",
        _RUN,
        ("epoch", "INTEGER", "from 1; for LightGBM the number of trees"),
        ("train_loss", "DOUBLE", "loss that is minimised, on the rows that are fitted"),
        ("mae", "DOUBLE", "mean absolute error on the validation slice"),
        ("rmse", "DOUBLE", "root mean squared error on the validation slice"),
        ("pearson", "DOUBLE", "Pearson correlation on the validation slice"),
        ("seconds", "DOUBLE", "time of the epoch"),
    ),
    _table(
        "predictions",
        "one row is what one run says of one image",
        _RUN,
        _IMAGE,
        ("role", "VARCHAR", "train, validation (slice of the training rows) or test"),
        ("score", "DOUBLE", "predicted score, 1-5"),
    ),
    _table(
        "evaluations",
        "one row is one run's agreement with the raters on one role",
        _RUN,
        ("role", "VARCHAR", "validation or test"),
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
        "one row is the weight of one region in Model B; a run's weights sum to one",
        _RUN,
        ("region", "VARCHAR", "region of the face"),
        ("weight", "DOUBLE", "softmax weight"),
    ),
)
