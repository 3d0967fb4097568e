"""`kallos report study`: one data set as a paper tells of it: plan, exclusions, raters, models, choices, versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from rich.console import RenderableType

from featurestore import plans
from featurestore.errors import UsageError
from featurestore.plans import Plan
from featurestore.scale import MODEL_SCALE
from featurestore.selections import Seen, seen_by_choices
from featurestore.store import Store
from models.registry import ENSEMBLE
from reports.render.figures import Figure
from reports.render.json import for_pictures
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section
from reports.render.plots import Histogram, Scatter
from reports.stats.bootstrap import METRICS, Estimate
from reports.stats.deviations import Deviation, deviations
from reports.stats.estimates import BRACKETS, estimate_cell, estimate_text
from reports.stats.evaluated_runs import FEWEST_TESTED
from reports.stats.raters.agreement import COEFFICIENTS
from reports.stats.selection import Selection, chosen_data_sets
from reports.stats.study_tables import ROLES, runs_of, tidy_tables, versions

BINS = 20
NO_PLAN = "No plan of analysis was fixed: all of this is exploratory. `kallos preregister plan.toml` fixes one."


@dataclass(frozen=True)
class StudyReport:
    """A study of one data set.

    plans       of analysis, as they were fixed, the first first; the last counts
    figures     every figure: table (scores, agreement, variance, models), what it is of, value and 95 % interval
    exclusions  stage, reason, how many, and the first of them
    verdicts    on models of other data sets, see the table `validations`
    choices     behind the models, made by looking at scores of photos
    tables      the tidy tables behind it, see `reports.stats.study_tables`
    """

    data_set: str
    licence: str | None
    images: int
    subsets: Mapping[str, int]
    scales: Mapping[str, tuple[float, float]]
    plans: tuple[Plan, ...]
    deviations: tuple[Deviation, ...]
    figures: pl.DataFrame
    exclusions: pl.DataFrame
    verdicts: pl.DataFrame
    choices: tuple[Seen, ...]
    versions: pl.DataFrame
    tables: Mapping[str, pl.DataFrame] = for_pictures()


def data(store: Store, selection: Selection) -> StudyReport:
    """Raises PrerequisiteError when the store is empty, UsageError where a data set has to be named."""
    names = chosen_data_sets(store, selection)
    if len(names) > 1:
        raise UsageError(f"A study is of one data set: choose one with --data-set, of {', '.join(names)}.")
    (name,) = names
    runs = runs_of(store, name, selection)
    tables = tidy_tables(store, name, runs)
    photos = tables["photos"].unique("image_id")
    scales = store.frame(
        "SELECT trait, scale_low, scale_high FROM traits WHERE data_set = $name ORDER BY trait", name=name
    )
    fixed = plans.of_data_set(store, name)
    found = {"protocol": runs[0].protocol, "models": [run.model for run in runs]} if runs else {}
    return StudyReport(
        data_set=name,
        licence=store.value("SELECT licence FROM data_sets WHERE data_set = $name", name=name),
        images=len(photos),
        subsets=dict(photos.drop_nulls("subset").group_by("subset").len().sort("subset").iter_rows()),
        scales={trait: (low, high) for trait, low, high in scales.iter_rows()},
        plans=tuple(fixed),
        deviations=tuple(deviations(fixed, found | _found(tables, fixed[-1]))) if fixed else (),
        figures=tables["figures"],
        exclusions=tables["exclusions"]
        .group_by("stage", "reason", maintain_order=True)
        .agg(pl.len().alias("count"), pl.col("subject").first().alias("first")),
        verdicts=store.frame(
            "SELECT run_id, verdict, n, corrected, corrected_low, corrected_high, strftime(validated_at, '%Y-%m-%d') "
            "FROM validations WHERE data_set = $name ORDER BY validated_at",
            name=name,
        ),
        choices=seen_by_choices(store, [run.run_id for run in runs]),
        versions=versions(store, runs),
        tables=tables,
    )


def _found(tables: Mapping[str, pl.DataFrame], plan: Plan) -> dict[str, Any]:
    """What was done, by the keys of plans, on the plan's trait, else on the only one."""
    traits = tables["photos"]["trait"].drop_nulls().unique().sort().to_list()
    trait = plan.checked.get("trait", traits[0] if len(traits) == 1 else None)
    found: dict[str, Any] = {"data_set": plan.data_set, "trait": trait if trait in traits else ", ".join(traits)}
    of_trait = tables["figures"].filter(trait=trait)
    values = dict(of_trait.select("figure", "value").iter_rows())
    found |= {key: values.get(name) for key, name in COEFFICIENTS.items()}
    found |= {"photos": values.get("photos", 0), "raters": values.get("raters", 0)}
    return found | {"ratings_per_photo": tables["photos"].filter(trait=trait)["raters"].min() or 0}


def render(report: StudyReport) -> RenderableType:
    subsets = ", ".join(f"{count:,} {name}" for name, count in report.subsets.items())
    about = f"{plural(report.images, 'photo')} of {report.data_set}{f' ({subsets})' if subsets else ''}"
    exclusions = _frame_table(report.exclusions, 2) if len(report.exclusions) else None
    return page(
        "Study",
        about,
        f"Terms of use: {report.licence}." if report.licence else None,
        section("Plan", *_plan(report)),
        _of_traits(report, "scores", "Scores", "on the raters' own scales"),
        section("Exclusions and findings", exclusions or "Nothing was found, and no photo was left out."),
        _of_traits(report, "agreement", "Agreement of the raters", "ICCs as Shrout & Fleiss (1979) name them"),
        _of_traits(report, "variance", "Variance of the ratings", "crossed random effects, REML"),
        *_models(report),
        section("Verdicts on models of other data", _verdicts(report.verdicts)) if len(report.verdicts) else None,
        section("Choices made by looking at scores", _choices(report.choices)) if report.choices else None,
        section("Versions", _frame_table(report.versions, 3)),
        *(section(title, plot) for title, plot in _plots(report)),
    )


def _plan(report: StudyReport) -> list[RenderableType]:
    if not report.plans:
        return [NO_PLAN]
    plan = report.plans[-1]
    held = f"{plural(plan.ratings, 'rating')}, {plural(plan.scored, 'scored photo')} and {plural(plan.runs, 'run')}"
    fixed = f"Fixed {plan.fixed_at} UTC, when the store held {held}; sha256 {plan.sha256}."
    rows = ((each.point, each.planned, each.found) for each in report.deviations)
    table = plain_table("deviation", "planned", "found", rows=rows, text=(0, 1, 2))
    checked = f"{plural(len(plan.checked), 'point')} were compared"
    return [fixed, table if report.deviations else f"{checked}: there is no deviation.", dim(plan.text)]


def _of_traits(report: StudyReport, table: str, heading: str, remark: str) -> RenderableType | None:
    rows = report.figures.filter(table=table)
    if rows.is_empty():
        return None
    traits = rows["trait"].unique(maintain_order=True).to_list()
    shown = plain_table("", *traits)
    for figure in rows["figure"].unique(maintain_order=True):
        by_trait = _estimates(rows.filter(figure=figure), "trait")
        shown.add_row(figure, *(_value(by_trait[trait]) if trait in by_trait else "–" for trait in traits))
    return section(heading, shown, remark=remark)


def _estimates(rows: pl.DataFrame, key: str) -> dict[str, Estimate]:
    figures = rows.with_columns(pl.col("value", "low", "high").fill_null(np.nan))
    return {name: Estimate(*ends) for name, *ends in figures.select(key, "value", "low", "high").iter_rows()}


def _value(estimate: Estimate) -> str:
    if np.isnan(estimate.low):
        return number(estimate.value, 0 if float(estimate.value).is_integer() else 3)
    return estimate_text(estimate)


def _models(report: StudyReport) -> list[RenderableType]:
    rows = report.figures.filter(table="models")
    tables: list[RenderableType] = []
    for (role,), of_role in rows.group_by("role", maintain_order=True):
        table = plain_table("model", "n", *METRICS.values())
        for (model, _), run in of_role.group_by("model", "run_id", maintain_order=True):
            found = _estimates(run, "figure")
            table.add_row(model, number(found["n"].value, 0), *(estimate_cell(found[m]) for m in METRICS.values()))
        few = of_role.filter(figure="n")["value"].to_numpy().min() < FEWEST_TESTED
        remark = f"Fewer than {FEWEST_TESTED} photos are too few to go by. " if few else ""
        reading = dim(f"{remark}Errors are on {MODEL_SCALE}. {BRACKETS}")
        tables.append(section(f"Models, {ROLES[str(role)]}", table, reading))
    return tables


def _verdicts(verdicts: pl.DataFrame) -> PlainTable:
    table = plain_table("model", "verdict", "photos", "corrected correlation", "on", text=(0, 1, 4))
    for run_id, verdict, n, *corrected, when in verdicts.iter_rows():
        table.add_row(run_id, verdict, f"{n:,}", estimate_text(Estimate(*corrected)), when)
    return table


def _choices(choices: tuple[Seen, ...]) -> PlainTable:
    rows = (
        (each.choice, ", ".join(each.models), f"{each.row_count:,} of {each.protocol}, {each.role}", each.basis)
        for each in choices
    )
    return plain_table("choice", "models", "photos looked at", "these", rows=rows, text=(0, 1, 2, 3))


def _frame_table(frame: pl.DataFrame, text: int) -> PlainTable:
    rows = ([f"{cell:,}" if isinstance(cell, int) else str(cell or "–") for cell in row] for row in frame.iter_rows())
    places = [*range(text), *(i for i, kind in enumerate(frame.dtypes) if kind == pl.String)]
    return plain_table(*frame.columns, rows=rows, text=places)


def _plots(report: StudyReport) -> list[tuple[str, Histogram | Scatter]]:
    """The distribution of each trait's scores, and one model's predictions beside the raters' scores."""
    photos, predictions = report.tables["photos"], report.tables["predictions"]
    plots: list[tuple[str, Histogram | Scatter]] = []
    for trait, (low, high) in report.scales.items():
        means = photos.filter(trait=trait)["mean"].drop_nulls().to_numpy()
        counts = np.histogram(means, BINS, (low, high))[0].tolist()
        plots.append((f"Scores, {trait}", Histogram(counts, low, high, f"mean rating, {low:g} to {high:g}")))
    if run := _drawn(report):
        shown = predictions.filter(run_id=run[0], role=run[1])
        scatter = Scatter(
            shown["score"].to_numpy(),
            shown["predicted"].to_numpy(),
            f"raters' score, {MODEL_SCALE}",
            f"predicted score, {MODEL_SCALE}",
            MODEL_SCALE,
        )
        plots.append((f"Predicted by {run[2]}, {ROLES[run[1]]}", scatter))
    return plots


def _drawn(report: StudyReport) -> tuple[str, str, str] | None:
    """Run, role and model of the scatter: the ensemble, else the first by name; never what has the best figures."""
    models = report.figures.filter(table="models", figure="n").sort(pl.col("model") != ENSEMBLE, "model")
    enough = pl.col("value") >= FEWEST_TESTED
    roles = models.sort((pl.col("role") != "test") | ~enough, pl.col("role") != "out_of_fold", maintain_order=True)
    rows = roles.select("run_id", "role", "model").rows()
    return rows[0] if rows else None


def figures(report: StudyReport) -> list[Figure]:
    return [Figure(f"study_{i}", title, [("", plot)]) for i, (title, plot) in enumerate(_plots(report), start=1)]
