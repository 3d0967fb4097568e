"""The tables of the store, each with the comment that `kallos tables` and DuckDB's own catalogue show.

What extractors write is not here: those tables are made per version by `outputs`, beneath stable views.
Values belong to a photo's bytes, so their tables are keyed by sha256; people ask by image_id, through views.
No table has a primary key or an index: hot tables with both are where broken write-ahead logs were
reported, and every writer here replaces rows by key inside a transaction instead.
"""

from featurestore.rater_agreement import rater_agreement
from featurestore.scale import MODEL_SCALE
from featurestore.table_description import CONTENT, FOLD, IMAGE, TRAIT, View, table
from featurestore.training_schema import TRAINING_TABLES

SCHEMA_VERSION = 14

TABLES = (
    table(
        "store_info",
        "one row: what made this store",
        ("schema_version", "INTEGER", "version of the tables"),
        ("created_at", "TIMESTAMP", "when, in UTC"),
    ),
    table(
        "migrations",
        "one row is one change of the tables that this store has been through",
        ("schema_version", "INTEGER", "version of the tables after it"),
        ("change", "VARCHAR", "what it changed"),
        ("applied_at", "TIMESTAMP", "when, in UTC"),
    ),
    table(
        "data_sets",
        "one row a data set",
        ("data_set", "VARCHAR", "name, first part of every image_id"),
        ("licence", "VARCHAR", "terms of use"),
    ),
    table(
        "traits",
        "one row is one trait that photos of a data set were rated on: a target of its own",
        ("data_set", "VARCHAR", "see data_sets"),
        ("trait", "VARCHAR", "such as attractive; score where the data set does not say"),
        ("scale_low", "DOUBLE", "lowest rating a rater can give"),
        ("scale_high", "DOUBLE", "highest rating a rater can give"),
    ),
    table(
        "locations",
        "one row a data set: where its files lie on this machine; `kallos sql` does not show it",
        ("data_set", "VARCHAR", "see data_sets"),
        ("root", "VARCHAR", "folder that images.path is relative to"),
        ("files", "VARCHAR[]", "files that its ratings, splits and landmarks were read from; NULL where unknown"),
    ),
    table(
        "images",
        "one row an image",
        IMAGE,
        ("data_set", "VARCHAR", "see data_sets"),
        ("path", "VARCHAR", "path of the photo relative to locations.root"),
        ("sha256", "VARCHAR", "hash of the file's bytes"),
        ("width", "INTEGER", "pixels, as stored in the file"),
        ("height", "INTEGER", "pixels, as stored in the file"),
        ("subset", "VARCHAR", "group given by the data set, such as AF"),
        ("sex", "VARCHAR", "as given by the data set: female or male"),
        ("ethnicity", "VARCHAR", "as given by the data set"),
    ),
    table(
        "ratings",
        "one row is one rater's rating of one image on one trait, in one session",
        IMAGE,
        ("rater_id", "VARCHAR", "the rater"),
        ("rating", "DOUBLE", "on the data set's own scale"),
        ("first_rating", "DOUBLE", "the first answer where the rater was asked again, else NULL"),
        TRAIT,
        ("session", "VARCHAR", "when, where raters rated in several sessions, else NULL"),
    ),
    table(
        "scores",
        "one row an image and trait: the raters' answers together",
        IMAGE,
        ("mean", "DOUBLE", "mean rating on the data set's own scale, each rater counted once, or as published"),
        (
            "sd",
            "DOUBLE",
            "standard deviation over raters (divided by their number), NULL where single ratings are unknown",
        ),
        ("raters", "INTEGER", "number of raters, NULL where unknown"),
        ("histogram", "INTEGER[]", "how many raters gave each whole rating from scale_low up, or NULL"),
        ("score", "DOUBLE", f"mean mapped linearly to {MODEL_SCALE}: what models learn"),
        TRAIT,
    ),
    table(
        "splits",
        "one row is the role of one image in one fold of a protocol",
        IMAGE,
        ("protocol", "VARCHAR", "such as scut-5fold"),
        FOLD,
        ("role", "VARCHAR", "train, val or test"),
        ("trait", "VARCHAR", "the one trait that the protocol is about, see traits"),
    ),
    table(
        "rater_attributes",
        "one row is what a table says of one rater",
        ("data_set", "VARCHAR", "see data_sets"),
        ("rater_id", "VARCHAR", "see ratings"),
        ("attribute", "VARCHAR", "such as sex or age"),
        ("value", "VARCHAR", "as given"),
    ),
    table(
        "image_attributes",
        "one row is what a table says of one image besides subset, sex and ethnicity",
        IMAGE,
        ("attribute", "VARCHAR", "such as age"),
        ("value", "VARCHAR", "as given"),
    ),
    table(
        "personal_ratings",
        "one row is a rating that a person gave one image by `kallos rate`: no part of any score",
        IMAGE,
        ("rater", "VARCHAR", "the name that the person goes by; `kallos erase --rater NAME` erases what is theirs"),
        TRAIT,
        ("rating", "DOUBLE", "on the data set's own scale"),
        ("rated_at", "TIMESTAMP", "in UTC, and later than that of every rating before"),
    ),
    table(
        "published_landmarks",
        "one row an image: landmarks that came with the data set",
        IMAGE,
        ("x", "FLOAT[]", "pixels"),
        ("y", "FLOAT[]", "pixels"),
    ),
    table(
        "drawn_parameters",
        "one row is one parameter that a drawn portrait was made with: the truth behind the demo",
        IMAGE,
        ("parameter", "VARCHAR", "such as eye_width, or true_score: what the simulated raters prefer, 1-5"),
        ("value", "DOUBLE", "as drawn"),
    ),
    table(
        "findings",
        "one row is one thing found wrong with a data set at ingest",
        ("data_set", "VARCHAR", "see data_sets"),
        ("kind", "VARCHAR", "missing_image, duplicate, unreadable, unlabelled, bad_landmarks, colour_profile"),
        ("subject", "VARCHAR", "the file concerned"),
        ("detail", "VARCHAR", "what is wrong with it"),
    ),
    table(
        "extractor_versions",
        "one row is one version of one extractor's output",
        ("extractor", "VARCHAR", "such as landmarks or geometry, or embedding:<id of the encoder>"),
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
    table(
        "attempts",
        "the ledger: one row is one photo's bytes tried by one version of one extractor",
        CONTENT,
        ("extractor", "VARCHAR", "see extractor_versions"),
        ("version", "VARCHAR", "see extractor_versions"),
        ("status", "VARCHAR", "ok, no_face, decode_error, needs_extra, missing, changed, timeout or crash"),
        ("detail", "VARCHAR", "the reason, or a remark such as several faces; NULL when there is none"),
        ("milliseconds", "DOUBLE", "time spent on this photo by this extractor"),
    ),
    table(
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
        ("extractor", "VARCHAR", "that measures it; normalization for averageness"),
        ("extractor_version", "VARCHAR", "see extractor_versions; NULL for averageness"),
    ),
    table(
        "near_duplicates",
        "one row is a pair of photos that look like one photo or one person, see docs/design.md",
        IMAGE,
        ("other_id", "VARCHAR", "the other image; image_id < other_id"),
        ("hamming", "INTEGER", "bits in which their perceptual hashes differ, of 64"),
        ("cosine_distance", "DOUBLE", "between their embeddings"),
        ("group_id", "VARCHAR", "the least image_id of all that hang together"),
    ),
    table(
        "plans",
        "one row is a plan of analysis as it was fixed; of one study there may be several, the newest counts",
        ("fixed_at", "TIMESTAMP", "when, in UTC"),
        ("sha256_of_text", "VARCHAR", "hash of the file's bytes"),
        ("data_set", "VARCHAR", "the data set that it is about, which may come later"),
        ("text", "VARCHAR", "the file"),
        ("ratings", "INTEGER", "single ratings of that data set that the store had then"),
        ("scored", "INTEGER", "images of it that had a score then"),
        ("runs", "INTEGER", "runs that the store had then"),
    ),
    table(
        "erasures",
        "one row is one erasure of photos, and nothing of whose",
        ("erased_at", "TIMESTAMP", "when, in UTC"),
        ("photos", "INTEGER", "how many photos were erased"),
        ("finished", "BOOLEAN", "whether their bytes are gone from the file too"),
    ),
    *TRAINING_TABLES,
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
        "rater_agreement",
        "one row is one rater beside the others, on one trait and subset, or on all images of the data set",
        rater_agreement(),
        ("ratings", "images"),
        {
            "subset": "see images; none where an image has none, NULL over all images",
            "images": "that another rater rated too",
            "bias": "mean of the rating minus the mean of the others, on the data set's own scale",
            "to_the_rest": "correlation with the mean of the others; NULL where either does not vary",
        },
    ),
    View(
        "normalizations",
        "one row is one feature's statistics over the training rows of a fold",
        "SELECT normalization, unnest(features) AS feature, unnest(mean) AS mean, unnest(sd) AS sd, statistics_id "
        "FROM statistics WHERE current",
        ("statistics", "feature_definitions"),
    ),
)
