"""`kallos report lineage`: from a score back to the photo's bytes, a step a table."""

import json
import math
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from featurestore.errors import PrerequisiteError, UsageError
from featurestore.machine import elsewhere
from featurestore.runs import Run
from featurestore.scale import Scale
from featurestore.similarity import stored_image
from featurestore.store import Store
from models.registry import rank
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section
from reports.render.plots import Dots
from reports.render.scales import interval_on, on_both, shown_on
from reports.stats.selection import Selection, chosen_runs


@dataclass(frozen=True)
class ModelScore:
    """The score that a run gave the image. `role` is out_of_fold where the image is one of its training rows.

    `elsewhere` are other machines than this one that fits of the run were made on.
    """

    run_id: str
    model: str
    role: str
    score: float
    low: float | None
    high: float | None
    weights: str
    encoder: str | None
    started_at: str
    manifest_id: str
    elsewhere: tuple[str, ...]


@dataclass(frozen=True)
class PinnedTrainingSet:
    """The pinned training set behind the runs: its rows, their hash, and the versions of what it is made of."""

    manifest_id: str
    protocol: str
    fold: int
    rows: int
    row_hash: str
    value_hash: str | None
    query: str


@dataclass(frozen=True)
class ExtractorOutput:
    """One version of an extractor's output that the training set is made of, and how it went for this image."""

    extractor: str
    version: str
    recipe: str
    status: str
    milliseconds: float | None


@dataclass(frozen=True)
class LineageReport:
    """One image. `score` is the raters' mean on the trait of the runs, of `raters` of them, who used `scale`.

    All scores are on the scale of models.
    """

    image_id: str
    sha256: str
    width: int
    height: int
    data_set: str
    subset: str | None
    trait: str | None
    scale: Scale | None
    score: float | None
    raters: int
    scores: tuple[ModelScore, ...]
    training_set: PinnedTrainingSet
    outputs: tuple[ExtractorOutput, ...]


def data(store: Store, selection: Selection) -> LineageReport:
    """Of the chosen image, else of the first test image.

    Raises PrerequisiteError when nothing is trained, UsageError as `stored_image` and when the runs have no prediction
    for that image.
    """
    runs = chosen_runs(store, selection)
    image_id = str(stored_image(store, selection.image).image_id) if selection.image else _first_tested(store, runs)
    predictions = _scores(store, image_id, runs)
    training_set = PinnedTrainingSet(
        *store.frame(
            "SELECT manifest_id, protocol, fold, row_count, row_hash, value_hash, sql FROM manifests "
            "WHERE manifest_id = $manifest_id",
            manifest_id=predictions[-1].manifest_id,
        ).row(0)
    )
    about = store.frame(
        """
        SELECT image_id, sha256, width, height, data_set, subset, trait, score, coalesce(raters, 0)::INT AS raters,
               scale_low, scale_high
        FROM images LEFT JOIN (FROM evaluated_traits WHERE run_id = $run) USING (data_set)
        LEFT JOIN traits USING (data_set, trait) LEFT JOIN scores USING (image_id, trait) WHERE image_id = $image_id""",
        image_id=image_id,
        run=predictions[0].run_id,
    ).row(0, named=True)
    low, high = about.pop("scale_low"), about.pop("scale_high")
    return LineageReport(
        **about,
        scale=None if low is None else Scale(low, high),
        scores=predictions,
        training_set=training_set,
        outputs=_outputs(store, image_id, training_set.manifest_id),
    )


def _first_tested(store: Store, runs: list[Run]) -> str:
    image_id = store.value(
        "SELECT min(image_id) FROM predictions WHERE list_contains($runs, run_id) AND role = 'test'",
        runs=[run.run_id for run in runs],
    )
    if image_id is None:
        raise PrerequisiteError("These runs have no test predictions: train on a fold with test images.")
    return str(image_id)


def _scores(store: Store, image_id: str, runs: list[Run]) -> tuple[ModelScore, ...]:
    """The combiner's score first, then its members', then the others'."""
    rows = store.frame(
        "SELECT run_id, model, role, score, low, high, weights, encoder, strftime(started_at, '%Y-%m-%d %H:%M'), "
        "manifest_id, config FROM predictions JOIN runs USING (run_id) "
        "WHERE image_id = $image_id AND list_contains($runs, run_id) ORDER BY model, role DESC",
        image_id=image_id,
        runs=[run.run_id for run in runs],
    ).rows()
    if not rows:
        known = _first_tested(store, runs)
        raise UsageError(
            f"These runs have no prediction for {image_id!r}: name an image of their fold, such as {known}."
        )
    scores = (ModelScore(*(*row, elsewhere(json.loads(config).get("fits", {}).values()))) for *row, config in rows)
    return tuple(sorted(scores, key=lambda score: rank(score.model)))


def _outputs(store: Store, image_id: str, manifest_id: str) -> tuple[ExtractorOutput, ...]:
    versions = json.loads(store.value("SELECT versions FROM manifests WHERE manifest_id = $id", id=manifest_id))
    rows = store.frame(
        """
        SELECT extractor, version, recipe, status, milliseconds
        FROM extractor_versions LEFT JOIN (FROM extractions WHERE image_id = $image_id) USING (extractor, version)
        WHERE list_contains($versions, version) ORDER BY extractor""",
        image_id=image_id,
        versions=list(versions.values()),
    ).rows()
    return tuple(ExtractorOutput(e, v, _recipe(recipe), status or "untried", ms) for e, v, recipe, status, ms in rows)


def _recipe(recipe: str) -> str:
    """What a version is a hash of, in short: its code, its parameters; hashes by their beginning."""
    values = json.loads(recipe)
    parts = {"code": values.get("code_version")} | values.get("parameters", {})
    short = {name: str(value)[:12] if "sha256" in name else value for name, value in parts.items()}
    return ", ".join(f"{name} {value}" for name, value in short.items() if not isinstance(value, dict | list))


def render(report: LineageReport) -> RenderableType:
    truth = "no score"
    if report.score is not None:
        truth = f"{plural(report.raters, 'rater')} gave {on_both(report.score, report.scale, 3)} on average"
    own, training_set = shown_on(report.scale), report.training_set
    rows = f"{training_set.rows:,} rows of {training_set.protocol}, fold {training_set.fold}"
    command = f"kallos sql \"SELECT sql FROM manifests WHERE manifest_id = '{training_set.manifest_id}'\""
    values = training_set.value_hash[:16] if training_set.value_hash else "not recorded"
    pinned = f"hash of the rows {training_set.row_hash[:16]}, of the values {values}"
    photos = f"{report.data_set}, subset {report.subset}" if report.subset else report.data_set
    return page(
        f"Lineage of {report.image_id}",
        truth,
        section("Scores of the models", _scores_table(report.scores, own), remark=f"on {own}"),
        section(f"Training set: manifest {training_set.manifest_id}", dim(f"{rows}; {pinned}.\nIts query: {command}")),
        section("Extractors", _outputs_table(report.outputs), remark="their versions in that manifest"),
        section("Photo", dim(f"sha256 {report.sha256}\n{report.width} x {report.height} pixels, {photos}")),
        dim("`kallos verify RUN` derives the training set again; `--sql` prints the queries of this page."),
    )


def _scores_table(predictions: tuple[ModelScore, ...], own: Scale) -> PlainTable:
    table = plain_table("run", "role", "score", "90 % interval")
    for prediction in predictions:
        interval = interval_on(own, prediction.low, prediction.high)
        encoder = f", {prediction.encoder}" if prediction.encoder else ""
        machines = "".join(f"\nfits from {machine}" for machine in prediction.elsewhere)
        about = (f"\n{prediction.started_at}, weights: {prediction.weights}{encoder}{machines}", "dim")
        score = number(own.from_models(prediction.score))
        table.add_row(Text.assemble(prediction.run_id, about), prediction.role, score, interval)
    return table


def _outputs_table(outputs: tuple[ExtractorOutput, ...]) -> PlainTable:
    table = plain_table("extractor", "version", "photo", "ms", "made of")
    last = table.columns[-1]
    last.justify, last.no_wrap, last.style = "left", False, "dim"
    for output in outputs:
        table.add_row(output.extractor, output.version, output.status, number(output.milliseconds, 1), output.recipe)
    return table


def figures(report: LineageReport) -> list[Figure]:
    own = shown_on(report.scale)
    values = {prediction.run_id: own.from_models(prediction.score) for prediction in report.scores}
    ends = {
        prediction.run_id: (own.from_models(prediction.low), own.from_models(prediction.high))
        for prediction in report.scores
        if prediction.low is not None and prediction.high is not None
    }
    about = f"score on {own}" + ("" if report.score is None else "; the line is the raters' mean")
    reference = math.nan if report.score is None else own.from_models(report.score)
    plot = Dots(values, about, ends, reference, own)
    return [Figure("lineage", f"Scores of {report.image_id}", [("", plot)])]
