"""`kallos evaluate`: trained models on a data set of other photos, other raters and perhaps another scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from featurestore.external_evaluation import ExternalRows
from featurestore.recalibration import cross_mapped
from featurestore.scale import MODEL_SCALE, Scale
from models.registry import ENSEMBLE
from reports.pages.groups import Groups, compare_groups, render_groups
from reports.render.json import for_pictures
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section
from reports.render.palette import WARM
from reports.render.plots import Scatter
from reports.render.scales import mapped, shown_on
from reports.stats.bootstrap import Estimate, Names, Reals, figures
from reports.stats.estimates import BRACKETS, BRACKETS_OF_COVERAGE, estimate_cell, estimate_text

NAME = "outside"
Columns = Mapping[str, Reals]


@dataclass(frozen=True)
class Coverage:
    """Of prediction intervals: the share that holds the raters' score and the mean width, as they are and mapped."""

    share: Estimate
    width: float
    mapped_share: Estimate
    mapped_width: float


@dataclass(frozen=True)
class Transfer:
    """How one model's predictions of n images agree with the scores of other raters, both on the scale of models.

    pearson, mae, rmse       of the predictions as they are
    mapped_mae, mapped_rmse  of the predictions after a monotone map to these raters' scores, see `cross_mapped`
    coverage                 None where the model gives no intervals
    """

    n: int
    pearson: Estimate
    spearman: Estimate
    mae: Estimate
    rmse: Estimate
    mapped_mae: Estimate
    mapped_rmse: Estimate
    coverage: Coverage | None


@dataclass(frozen=True)
class ExternalModel:
    """One model on all images, and on those of each subset where there are several."""

    name: str
    run_id: str
    overall: Transfer
    subsets: Mapping[str, Transfer]


@dataclass(frozen=True)
class ExternalReport:
    """Trained models on a data set, the ensemble first.

    trait         of the data set's own ratings
    scale         of the data set's own ratings
    trained_trait what the models were trained on
    trained_on    data sets, protocol and fold
    images, unscored, unmeasured   see ExternalRows; in_training: its `trained_on`
    evaluated     images that are left
    constant_mae  MAE of always predicting the mean of these scores
    groups        the ensemble by subset, after the map
    """

    data_set: str
    trait: str
    scale: Scale
    trained_trait: str
    trained_on: str
    images: int
    evaluated: int
    unscored: int
    in_training: int
    unmeasured: int
    constant_mae: Estimate
    models: tuple[ExternalModel, ...]
    groups: Groups
    truth: tuple[float, ...] = for_pictures()
    predicted: tuple[float, ...] = for_pictures()


def data(
    external: ExternalRows,
    trained_trait: str,
    trained_on: str,
    run_ids: Mapping[str, str],
    predicted: Mapping[str, Reals],
    low: Reals | None = None,
    high: Reals | None = None,
) -> ExternalReport:
    """Evaluate (n,) predictions of the rows by model; `low` and `high` are ends of the ensemble's intervals."""
    evaluated = {name: {"predicted": scores} for name, scores in predicted.items()}
    if low is not None and high is not None:
        evaluated[ENSEMBLE] |= {"low": low, "high": high}
    evaluated = {name: _with_truth(external, columns) for name, columns in evaluated.items()}
    best = evaluated[ENSEMBLE]
    return ExternalReport(
        data_set=external.data_set,
        trait=external.trait,
        scale=external.scale,
        trained_trait=trained_trait,
        trained_on=trained_on,
        images=external.images,
        evaluated=len(external.rows),
        unscored=external.unscored,
        in_training=external.trained_on,
        unmeasured=external.unmeasured,
        constant_mae=Estimate.of_mean(np.abs(best["truth"] - best["truth"].mean()), external.people),
        models=tuple(
            ExternalModel(name, run_ids[name], _transfer(columns, external.people), _by_subset(external, columns))
            for name, columns in evaluated.items()
        ),
        groups=compare_groups(
            *(best["truth"], best["mapped predicted"], external.subsets, external.people),
            *(best.get("mapped low"), best.get("mapped high")),
        ),
        truth=tuple(best["truth"].tolist()),
        predicted=tuple(best["predicted"].tolist()),
    )


def _with_truth(external: ExternalRows, columns: Columns) -> dict[str, Reals]:
    """The predictions, the same mapped, and the truth, by name."""
    mapped = cross_mapped(external.rows.image_ids, external.rows.scores, columns)
    return {"truth": external.rows.scores, **columns, **{f"mapped {name}": values for name, values in mapped.items()}}


def _by_subset(external: ExternalRows, columns: Columns) -> dict[str, Transfer]:
    labels = np.array([subset or "none" for subset in external.subsets])
    rows = {name: labels == name for name in np.unique(labels).tolist()}
    if len(rows) < 2:
        return {}
    return {
        name: _transfer({kind: values[chosen] for kind, values in columns.items()}, external.people[chosen])
        for name, chosen in rows.items()
    }


def _transfer(columns: Columns, people: Names) -> Transfer:
    truth, predicted = columns["truth"], columns["predicted"]
    as_is, mapped = (figures(truth, scores, people) for scores in (predicted, columns["mapped predicted"]))

    def coverage(low: Reals, high: Reals) -> tuple[Estimate, float]:
        return Estimate.of_share((low <= truth) & (truth <= high), people), float((high - low).mean())

    covered = None
    if "low" in columns:
        mapped_ends = columns["mapped low"], columns["mapped high"]
        covered = Coverage(*coverage(columns["low"], columns["high"]), *coverage(*mapped_ends))
    return Transfer(len(truth), **as_is, mapped_mae=mapped["mae"], mapped_rmse=mapped["rmse"], coverage=covered)


def render(report: ExternalReport) -> RenderableType:
    """The ensemble alone by subset; the members' subsets are in the JSON."""
    ensemble, groups = report.models[0], report.groups
    rows = {"all": ensemble.overall, **ensemble.subsets}
    return page(
        "External evaluation",
        f"{plural(report.evaluated, 'image')} of {report.data_set}, models trained on {report.trained_on}",
        other_trait(report),
        left_out(report),
        _transfer_table("model", {model.name: model.overall for model in report.models}),
        section("By subset", _transfer_table("subset", rows), remark=ensemble.name) if ensemble.subsets else None,
        section("90 % intervals", _coverage_table(rows), remark=ensemble.name) if ensemble.overall.coverage else None,
        dim(_reading(report)),
        section("Fairness, after the map", render_groups(groups), remark=ensemble.name) if groups.several else None,
        section("Predicted against the raters' score", scatter(report), remark=ensemble.name),
    )


def scatter(report: ExternalReport) -> Scatter:
    """The ensemble's predictions over the raters' scores."""
    own = shown_on(report.scale)
    truth, predicted = (own.from_models(np.array(scores)) for scores in (report.truth, report.predicted))
    return Scatter(truth, predicted, f"raters' score, on {own}", f"predicted score, on {own}", own)


def other_trait(report: ExternalReport) -> Text | None:
    """That the photos were rated on another trait, if so."""
    if report.trait == report.trained_trait:
        return None
    return Text(
        f"The models were trained on {report.trained_trait}. {report.data_set} was rated on {report.trait} only, "
        "which they are compared with here.",
        style=WARM,
    )


def left_out(report: ExternalReport) -> str | None:
    """How many images were left out, and why."""
    reasons = {
        "that the models were trained on": report.in_training,
        "without landmarks, features or embedding": report.unmeasured,
        "without a score": report.unscored,
    }
    phrases = [f"{count:,} {why}" for why, count in reasons.items() if count]
    return f"Of {plural(report.images, 'image')} these were left out: {', '.join(phrases)}." if phrases else None


def _transfer_table(first: str, rows: Mapping[str, Transfer]) -> PlainTable:
    table = plain_table(first, "n", "Spearman", "PC", "MAE", "RMSE", "mapped\nMAE", "mapped\nRMSE")
    for name, transfer in rows.items():
        shown = (transfer.spearman, transfer.pearson, transfer.mae, transfer.rmse)
        cells = map(estimate_cell, (*shown, transfer.mapped_mae, transfer.mapped_rmse))
        table.add_row(name, f"{transfer.n:,}", *cells)
    return table


def _coverage_table(rows: Mapping[str, Transfer]) -> PlainTable:
    table = plain_table("subset", "covered", "width", "mapped\ncovered", "mapped\nwidth")
    for name, transfer in rows.items():
        if coverage := transfer.coverage:
            as_is, mapped = estimate_cell(coverage.share), estimate_cell(coverage.mapped_share)
            table.add_row(name, as_is, number(coverage.width), mapped, number(coverage.mapped_width))
    return table


def _reading(report: ExternalReport) -> str:
    own = shown_on(report.scale)
    return (
        f"These raters scored from {own.words}{mapped(own, 'which is stretched')}. "
        f"Errors and widths are on {MODEL_SCALE}. "
        "A rank correlation with the scores of other raters measures transfer: whether the models' order holds for "
        "other photos and raters. Scores of two scales are comparable only after a map: MAE and RMSE as they are also "
        "count how the scales differ; the mapped ones come after a monotone map of the predictions (isotonic "
        "regression of groups of ten, fitted on four fifths of the images and evaluated on the rest). Always "
        f"predicting the mean of these scores would give MAE {estimate_text(report.constant_mae)}. {BRACKETS} "
        f"{BRACKETS_OF_COVERAGE}"
    )
