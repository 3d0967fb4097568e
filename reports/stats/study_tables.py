"""The tidy tables of a study of one data set: photos, ratings, predictions, exclusions, and its figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version

import polars as pl

from featurestore.runs import EXTERNAL, Run, load
from featurestore.store import Store
from reports.stats.bootstrap import METRICS
from reports.stats.evaluated_runs import EvaluatedRun, evaluated_rows
from reports.stats.raters.agreement import agreement
from reports.stats.raters.ratings import is_enough
from reports.stats.raters.variance import rating_variance
from reports.stats.selection import Selection, chosen_runs

ROLES = {
    "test": "test photos",
    "out_of_fold": "training photos, out of fold",
    EXTERNAL: "photos of other models' data set",
}
PACKAGES = ("kallos", "duckdb", "lightgbm", "mediapipe", "numpy", "polars", "scikit-learn", "scipy", "timm", "torch")
FEWEST = 5
"""Photos: figures of fewer mean nothing."""

PREDICTIONS = {
    **dict.fromkeys(("run_id", "model", "role", "image_id"), pl.String),
    **dict.fromkeys(("predicted", "low", "high", "score"), pl.Float64),
}
FIGURES = {
    **dict.fromkeys(("table", "trait", "run_id", "model", "role", "figure"), pl.String),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
}
QUERIES = {
    "photos": """
        SELECT image_id, subset, sex, ethnicity, trait, mean, sd, raters, score
        FROM images LEFT JOIN scores USING (image_id) WHERE data_set = $data_set ORDER BY image_id, trait""",
    "ratings": """
        SELECT image_id, trait, rater_id, session, rating, first_rating
        FROM ratings JOIN images USING (image_id) WHERE data_set = $data_set
        ORDER BY image_id, trait, rater_id, session""",
    "exclusions": """
        SELECT 'ingest' AS stage, kind AS reason, subject, detail FROM findings WHERE data_set = $data_set
        UNION ALL
        SELECT 'extraction', status, image_id, concat_ws(': ', extractor, detail)
        FROM extractions JOIN images USING (image_id) JOIN extractor_versions USING (extractor, version)
        WHERE active AND status <> 'ok' AND data_set = $data_set
        UNION ALL
        SELECT 'scores', 'no score', image_id, NULL FROM images ANTI JOIN scores USING (image_id)
        WHERE data_set = $data_set ORDER BY ALL""",
}
LABELS: Mapping[str, Mapping[str, str]] = {
    "photos": {
        "mean": "mean rating on the raters' scale",
        "sd": "standard deviation over raters, divided by their number",
        "score": "mean mapped linearly to 1-5, which models learn",
    },
    "ratings": {"first_rating": "the first answer where the rater was asked again"},
    "predictions": {
        "role": "test, out_of_fold or outside",
        "predicted": "predicted score, 1-5",
        "low": "lower end of the 90 % interval",
        "high": "upper end of the 90 % interval",
        "score": "raters' score, 1-5",
    },
    "exclusions": {"stage": "ingest, extraction or scores", "reason": "kind of finding, or status of an attempt"},
    "figures": {"low": "lower end of the 95 % interval", "high": "upper end of the 95 % interval"},
}
"""Table -> column -> what it is, where its name does not say it."""


def runs_of(store: Store, data_set: str, selection: Selection) -> list[Run]:
    """The runs that are chosen, else the newest of each model on the fold of this data set that was trained last."""
    if selection.protocol is None and not selection.runs:
        newest = store.frame(
            "SELECT protocol, fold FROM runs SEMI JOIN (SELECT * FROM splits WHERE starts_with(image_id, $prefix)) "
            "USING (protocol, fold) WHERE status = 'done' ORDER BY started_at DESC LIMIT 1",
            prefix=f"{data_set}/",
        ).rows()
        if not newest:
            return []
        selection = replace(selection, protocol=newest[0][0], fold=selection.fold or newest[0][1])
    return chosen_runs(store, selection)


def tidy_tables(store: Store, data_set: str, runs: Sequence[Run]) -> dict[str, pl.DataFrame]:
    """Name -> table: photos, ratings, predictions, exclusions and, under `figures`, what comes of them."""
    found = {name: store.frame(query, data_set=data_set) for name, query in QUERIES.items()}
    evaluated = [*_evaluated(store, data_set, runs)]
    found["predictions"] = pl.concat([pl.DataFrame(schema=PREDICTIONS), *(_predictions(*each) for each in evaluated)])
    rows = [
        *_of_scores(found),
        *_of_ratings("agreement", agreement, found["ratings"]),
        *_of_ratings("variance", rating_variance, found["ratings"]),
    ]
    rows += [row for role, run in evaluated for row in _of_model(role, run)]
    found["figures"] = pl.DataFrame(rows, schema=FIGURES).with_columns(pl.col("value", "low", "high").fill_nan(None))
    return found


def _evaluated(store: Store, data_set: str, runs: Sequence[Run]) -> Iterator[tuple[str, EvaluatedRun]]:
    """Each run on its test and training photos, and what `kallos evaluate` stored of models of other data sets."""
    others = store.frame(
        "SELECT DISTINCT run_id FROM predictions JOIN runs USING (run_id) "
        "WHERE role = $role AND status = 'done' AND starts_with(image_id, $prefix) ORDER BY run_id",
        role=EXTERNAL,
        prefix=f"{data_set}/",
    )["run_id"]
    external = [load(store, run_id) for run_id in others if run_id not in {run.run_id for run in runs}]
    for role, those in (("test", runs), ("out_of_fold", runs), (EXTERNAL, external)):
        for run in those:
            found = evaluated_rows(store, run.model, run, role, data_set)
            if found and len(found.truth) >= FEWEST:
                yield role, found


def _predictions(role: str, found: EvaluatedRun) -> pl.DataFrame:
    rows = {
        "run_id": found.run.run_id,
        "model": found.run.model,
        "role": role,
        "image_id": found.image_ids,
        "predicted": found.predicted,
        "low": found.low,
        "high": found.high,
        "score": found.truth,
    }
    return pl.DataFrame(rows, schema=PREDICTIONS)


def _of_scores(found: Mapping[str, pl.DataFrame]) -> Iterator[dict[str, object]]:
    for (trait,), photos in found["photos"].drop_nulls("mean").group_by("trait", maintain_order=True):
        ratings = found["ratings"].filter(trait=trait)
        mean = photos["mean"].to_numpy()
        numbers = {"photos": len(photos), "ratings": len(ratings), "raters": ratings["rater_id"].n_unique()}
        numbers |= {"mean": mean.mean(), "sd": mean.std(ddof=1)}
        yield from ({"table": "scores", "trait": trait, "figure": name, "value": n} for name, n in numbers.items())


def _of_ratings(
    table: str, measured: Callable[[pl.DataFrame], pl.DataFrame], ratings: pl.DataFrame
) -> Iterator[dict[str, object]]:
    """The figures of each trait that has ratings enough for them."""
    for (trait,), part in ratings.group_by("trait", maintain_order=True):
        if is_enough(part):
            found = measured(part).rename({"coefficient": "figure"}, strict=False)
            for row in found.select("figure", "value", "low", "high").iter_rows(named=True):
                yield {"table": table, "trait": trait} | row


def _of_model(role: str, found: EvaluatedRun) -> Iterator[dict[str, object]]:
    run = {"table": "models", "run_id": found.run.run_id, "model": found.run.model, "role": role}
    yield run | {"figure": "n", "value": len(found.truth)}
    for metric, estimate in found.figures().items():
        yield run | {"figure": METRICS[metric]} | asdict(estimate)


def versions(store: Store, runs: Sequence[Run]) -> pl.DataFrame:
    """kind, name, version of what the figures depend on: packages, the store, extractors, runs."""
    rows = [("package", name, version(name)) for name in PACKAGES if _is_installed(name)]
    rows.append(("store", "schema", str(store.value("SELECT schema_version FROM store_info"))))
    rows += store.frame(
        "SELECT 'extractor', extractor, version FROM extractor_versions WHERE active ORDER BY extractor"
    ).rows()
    rows += [("run", run.model, f"{run.run_id}, manifest {run.manifest_id}, weights {run.weights}") for run in runs]
    return pl.DataFrame(rows, schema=["kind", "name", "version"], orient="row")


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
