"""`kallos report lineage`: from a score back to the photo's bytes, a step a table."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from featurestore.errors import PrerequisiteError, UsageError
from featurestore.records import SCALE
from featurestore.runs import Run
from featurestore.store import Store
from models.registry import rank
from reports.render.figures import Figure
from reports.render.layout import dim, number, page, plural, section, table
from reports.render.plots import Dots
from reports.stats.selection import Selection, chosen_runs


@dataclass(frozen=True)
class Said:
    """What a run said of the image. `role` is out_of_fold where the image is one of its training rows."""

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


@dataclass(frozen=True)
class Learnt:
    """The pinned training set behind the runs: its rows, their hash, and the versions of what it is made of."""

    manifest_id: str
    protocol: str
    fold: int
    rows: int
    row_hash: str
    value_hash: str | None
    query: str


@dataclass(frozen=True)
class Made:
    """One version of an extractor's output that the training set is made of, and how it went for this image."""

    extractor: str
    version: str
    made_of: str
    status: str
    milliseconds: float | None


@dataclass(frozen=True)
class LineageReport:
    """One image. `score` is the raters' mean on the trait of the runs, of `raters` of them."""

    image_id: str
    sha256: str
    width: int
    height: int
    data_set: str
    subset: str | None
    trait: str | None
    score: float | None
    raters: int
    said: tuple[Said, ...]
    learnt: Learnt
    made: tuple[Made, ...]


def data(store: Store, selection: Selection) -> LineageReport:
    """Of the image asked for, else of the first one that was tested.

    Raises PrerequisiteError when nothing is trained, UsageError when the runs said nothing of that image.
    """
    runs = chosen_runs(store, selection)
    image_id = selection.image or _first_tested(store, runs)
    said = _said(store, image_id, runs)
    learnt = _learnt(store, said[-1].manifest_id)
    about = store.frame(
        """
        SELECT image_id, sha256, width, height, data_set, subset, trait, score, coalesce(raters, 0)::INT AS raters
        FROM images LEFT JOIN (FROM evaluated_traits WHERE run_id = $run) USING (data_set)
        LEFT JOIN scores USING (image_id, trait) WHERE image_id = $image_id""",
        image_id=image_id,
        run=said[0].run_id,
    ).row(0, named=True)
    return LineageReport(**about, said=said, learnt=learnt, made=_made(store, image_id, learnt.manifest_id))


def _first_tested(store: Store, runs: list[Run]) -> str:
    found = store.value(
        "SELECT min(image_id) FROM predictions WHERE list_contains($runs, run_id) AND role = 'test'",
        runs=[run.run_id for run in runs],
    )
    if found is None:
        raise PrerequisiteError("These runs have no test predictions: train on a fold with test images.")
    return str(found)


def _said(store: Store, image_id: str, runs: list[Run]) -> tuple[Said, ...]:
    """The combiner's word first, then its members', then the others'."""
    rows = store.frame(
        "SELECT run_id, model, role, score, low, high, weights, encoder, strftime(started_at, '%Y-%m-%d %H:%M'), "
        "manifest_id FROM predictions JOIN runs USING (run_id) "
        "WHERE image_id = $image_id AND list_contains($runs, run_id) ORDER BY model",
        image_id=image_id,
        runs=[run.run_id for run in runs],
    ).rows()
    if not rows:
        known = _first_tested(store, runs)
        raise UsageError(f"These runs said nothing of {image_id!r}: name an image of their fold, such as {known}.")
    said = (Said(*row) for row in rows)
    return tuple(sorted(said, key=lambda s: rank(s.model)))


def _learnt(store: Store, manifest_id: str) -> Learnt:
    row = store.frame(
        "SELECT manifest_id, protocol, fold, row_count, row_hash, value_hash, sql FROM manifests "
        "WHERE manifest_id = $manifest_id",
        manifest_id=manifest_id,
    ).row(0)
    return Learnt(*row)


def _made(store: Store, image_id: str, manifest_id: str) -> tuple[Made, ...]:
    versions = json.loads(store.value("SELECT versions FROM manifests WHERE manifest_id = $id", id=manifest_id))
    rows = store.frame(
        """
        SELECT extractor, version, recipe, status, milliseconds
        FROM extractor_versions LEFT JOIN (FROM extractions WHERE image_id = $image_id) USING (extractor, version)
        WHERE list_contains($versions, version) ORDER BY extractor""",
        image_id=image_id,
        versions=list(versions.values()),
    ).rows()
    return tuple(Made(e, v, _recipe(recipe), status or "untried", ms) for e, v, recipe, status, ms in rows)


def _recipe(recipe: str) -> str:
    """What a version is a hash of, in short: its code, its parameters; hashes by their beginning."""
    told = json.loads(recipe)
    parts = {"code": told.get("code_version")} | told.get("parameters", {})
    short = {name: str(value)[:12] if "sha256" in name else value for name, value in parts.items()}
    return ", ".join(f"{name} {value}" for name, value in short.items() if not isinstance(value, dict | list))


def render(report: LineageReport) -> RenderableType:
    """Score, model, training set, versions, image."""
    truth = (
        f"{plural(report.raters, 'rater')} gave {number(report.score)} in the mean"
        if report.score is not None
        else "no score"
    )
    learnt = report.learnt
    rows = f"{learnt.rows:,} rows of {learnt.protocol}, fold {learnt.fold}"
    asked = f"kallos sql \"SELECT sql FROM manifests WHERE manifest_id = '{learnt.manifest_id}'\""
    values = learnt.value_hash[:16] if learnt.value_hash else "not recorded"
    pinned = f"hash of the rows {learnt.row_hash[:16]}, of the values {values}"
    return page(
        f"Lineage of {report.image_id}",
        truth,
        section("What was said of it", _said_table(report.said)),
        section(f"Learnt from manifest {learnt.manifest_id}", dim(f"{rows}; {pinned}.\nIts query: {asked}")),
        section("Made by", _made_table(report.made), remark="the extractors' versions in that manifest"),
        section("Of the photo", dim(f"sha256 {report.sha256}\n{report.width} x {report.height} pixels, {_of(report)}")),
        dim("`kallos verify RUN` derives the training set again; `--sql` prints the queries of this page."),
    )


def _of(report: LineageReport) -> str:
    return f"{report.data_set}, subset {report.subset}" if report.subset else report.data_set


def _said_table(said: tuple[Said, ...]) -> Table:
    made = table("run", "role", "score", "90 % interval")
    for of in said:
        interval = f"{number(of.low, 2)} to {number(of.high, 2)}" if of.low is not None else "·"
        encoder = f", {of.encoder}" if of.encoder else ""
        about = (f"\n{of.started_at}, weights: {of.weights}{encoder}", "dim")
        made.add_row(Text.assemble(of.run_id, about), of.role, number(of.score), interval)
    return made


def _made_table(versions: tuple[Made, ...]) -> Table:
    made = table("extractor", "version", "photo", "ms", "made of")
    last = made.columns[-1]
    last.justify, last.no_wrap, last.style = "left", False, "dim"
    for of in versions:
        made.add_row(of.extractor, of.version, of.status, number(of.milliseconds, 1), of.made_of)
    return made


def figures(report: LineageReport) -> list[Figure]:
    """What every run said of the image, with intervals, beside the raters' mean."""
    values = {of.run_id: of.score for of in report.said}
    ends = {of.run_id: (of.low, of.high) for of in report.said if of.low is not None and of.high is not None}
    about = "score" if report.score is None else "score; the line is the raters' mean"
    reference = math.nan if report.score is None else report.score
    plot = Dots(values, about, ends, reference, SCALE)
    return [Figure("lineage", f"What was said of {report.image_id}", [("", plot)])]
