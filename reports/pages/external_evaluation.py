"""`kallos evaluate`: trained models on a data set of other photos, other raters and perhaps another scale."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from sklearn.isotonic import IsotonicRegression

from featurestore.external import ExternalRows
from featurestore.records import SCALE, Evaluation
from models.registry import ENSEMBLE
from reports.pages.groups import Groups, compare_groups, estimate_cell, render_groups
from reports.render.json import for_pictures
from reports.render.layout import dim, number, page, plural, section, table
from reports.render.palette import WARM
from reports.render.plots import Scatter
from reports.stats.bootstrap import RESAMPLES, Estimate, rank_correlations, resamples

NAME = "outside"
PARTS = 5
Columns = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Coverage:
    """Of prediction intervals: the share that holds the raters' score and the mean width, as they are and mapped."""

    share: float
    width: float
    mapped_share: float
    mapped_width: float


@dataclass(frozen=True)
class Transfer:
    """How one model's predictions of n images agree with the scores of other raters, both on 1-5.

    mae, rmse                of the predictions as they are
    mapped_mae, mapped_rmse  of the predictions after a monotone map to these raters' scores, see `cross_mapped`
    coverage                 None where the model gives no intervals
    """

    n: int
    pearson: float
    spearman: Estimate
    mae: float
    rmse: float
    mapped_mae: float
    mapped_rmse: float
    coverage: Coverage | None


@dataclass(frozen=True)
class OutsideModel:
    """One model on all images, and on those of each subset where there are several."""

    name: str
    run_id: str
    overall: Transfer
    subsets: Mapping[str, Transfer]


@dataclass(frozen=True)
class OutsideReport:
    """Trained models on a data set, the ensemble first.

    trait         of the data set's own ratings
    scale         of the data set's own ratings
    learnt_trait  what the models learnt
    trained_on    data sets, protocol and fold
    images, unscored, learnt, unmeasured   see ExternalRows
    judged        images that are left
    constant_mae  what always saying the mean of these scores would give
    groups        the ensemble by subset, after the map
    """

    data_set: str
    trait: str
    scale: tuple[float, float]
    learnt_trait: str
    trained_on: str
    images: int
    judged: int
    unscored: int
    learnt: int
    unmeasured: int
    constant_mae: float
    models: tuple[OutsideModel, ...]
    groups: Groups
    truth: tuple[float, ...] = for_pictures()
    predicted: tuple[float, ...] = for_pictures()


def data(
    of: ExternalRows,
    learnt_trait: str,
    trained_on: str,
    run_ids: Mapping[str, str],
    predicted: Mapping[str, NDArray[np.float64]],
    low: NDArray[np.float64] | None = None,
    high: NDArray[np.float64] | None = None,
) -> OutsideReport:
    """Judge (n,) predictions of the rows by model; `low` and `high` are ends of the ensemble's intervals."""
    ends = {} if low is None or high is None else {"low": low, "high": high}
    judged = {
        name: _judged(of, {"predicted": scores} | (ends if name == ENSEMBLE else {}))
        for name, scores in predicted.items()
    }
    best = judged[ENSEMBLE]
    return OutsideReport(
        data_set=of.data_set,
        trait=of.trait,
        scale=of.scale,
        learnt_trait=learnt_trait,
        trained_on=trained_on,
        images=of.images,
        judged=len(of.rows),
        unscored=of.unscored,
        learnt=of.trained_on,
        unmeasured=of.unmeasured,
        constant_mae=float(np.abs(best["truth"] - best["truth"].mean()).mean()),
        models=tuple(
            OutsideModel(name, run_ids[name], _transfer(columns), _by_subset(of.subsets, columns))
            for name, columns in judged.items()
        ),
        groups=compare_groups(
            best["truth"], best["mapped predicted"], of.subsets, best.get("mapped low"), best.get("mapped high")
        ),
        truth=tuple(best["truth"].tolist()),
        predicted=tuple(best["predicted"].tolist()),
    )


def cross_mapped(image_ids: Sequence[str], truth: NDArray[np.float64], said: Columns) -> dict[str, NDArray[np.float64]]:
    """What was said of n images, `predicted` and other arrays beside it, on the scale of the raters' scores `truth`.

    The map is isotonic regression of the scores on the predictions (Barlow et al. 1972). There are five, each fitted
    without a fifth of the images, drawn by a hash of the id, which it then maps: no image is judged by a map that saw
    it.
    """
    digests = [hashlib.sha256(f"map {image_id}".encode()).digest() for image_id in image_ids]
    part = np.array([int.from_bytes(digest[:8], "big") % PARTS for digest in digests])
    mapped = {name: np.empty(len(part)) for name in said}
    for own in np.unique(part):
        held_out = part == own
        fitted = IsotonicRegression(out_of_bounds="clip").fit(said["predicted"][~held_out], truth[~held_out])
        for name, values in said.items():
            mapped[name][held_out] = fitted.predict(values[held_out])
    return mapped


def _judged(of: ExternalRows, said: Columns) -> dict[str, NDArray[np.float64]]:
    """What was said, the same mapped, and the truth, by name."""
    mapped = cross_mapped(of.rows.image_ids, of.rows.scores, said)
    return {"truth": of.rows.scores, **said, **{f"mapped {name}": values for name, values in mapped.items()}}


def _by_subset(subsets: Sequence[str | None], columns: Columns) -> dict[str, Transfer]:
    of = np.array([subset or "none" for subset in subsets])
    names = np.unique(of).tolist()
    if len(names) < 2:
        return {}
    return {name: _transfer({column: values[of == name] for column, values in columns.items()}) for name in names}


def _transfer(of: Columns) -> Transfer:
    truth, predicted = of["truth"], of["predicted"]
    as_is, mapped = Evaluation.from_scores(truth, predicted), Evaluation.from_scores(truth, of["mapped predicted"])
    ranked = rank_correlations(resamples(len(truth)), truth, predicted)
    return Transfer(
        n=len(truth),
        pearson=as_is.pearson,
        spearman=Estimate.of(as_is.spearman, ranked),
        mae=as_is.mae,
        rmse=as_is.rmse,
        mapped_mae=mapped.mae,
        mapped_rmse=mapped.rmse,
        coverage=_coverage(of) if "low" in of else None,
    )


def _coverage(of: Columns) -> Coverage:
    found = []
    for low, high in (("low", "high"), ("mapped low", "mapped high")):
        inside = (of[low] <= of["truth"]) & (of["truth"] <= of[high])
        found += [float(inside.mean()), float((of[high] - of[low]).mean())]
    return Coverage(*found)


def render(report: OutsideReport) -> RenderableType:
    """All models, then the ensemble by subset; the members' subsets are in the JSON."""
    ensemble, groups = report.models[0], report.groups
    rows = {"all": ensemble.overall, **ensemble.subsets}
    scatter = Scatter(report.truth, report.predicted, "raters' score, on 1-5", "predicted score", SCALE)
    return page(
        "Evaluation outside",
        f"{plural(report.judged, 'image')} of {report.data_set}, models trained on {report.trained_on}",
        _traits(report),
        _left_out(report),
        _transfer_table("model", {model.name: model.overall for model in report.models}),
        section("By subset", _transfer_table("subset", rows), remark=ensemble.name) if ensemble.subsets else None,
        section("90 % intervals", _coverage_table(rows), remark=ensemble.name) if ensemble.overall.coverage else None,
        dim(_reading(report)),
        section("Fairness, after the map", render_groups(groups), remark=ensemble.name) if groups.gaps else None,
        section("Predicted against the raters' score", scatter, remark=ensemble.name),
    )


def _traits(report: OutsideReport) -> Text | None:
    if report.trait == report.learnt_trait:
        return None
    return Text(
        f"The models learnt {report.learnt_trait}. {report.data_set} was rated on {report.trait} only, which they are "
        "compared with here.",
        style=WARM,
    )


def _left_out(report: OutsideReport) -> str | None:
    reasons = {
        "that the models learnt from": report.learnt,
        "without landmarks, features or embedding": report.unmeasured,
        "without a score": report.unscored,
    }
    said = [f"{count:,} {why}" for why, count in reasons.items() if count]
    return f"Of {plural(report.images, 'image')} these were left out: {', '.join(said)}." if said else None


def _transfer_table(first: str, rows: Mapping[str, Transfer]) -> Table:
    made = table(first, "n", "Spearman", "PC", "MAE", "RMSE", "mapped\nMAE", "mapped\nRMSE")
    for name, of in rows.items():
        figures = (number(v) for v in (of.pearson, of.mae, of.rmse, of.mapped_mae, of.mapped_rmse))
        made.add_row(name, f"{of.n:,}", estimate_cell(of.spearman), *figures)
    return made


def _coverage_table(rows: Mapping[str, Transfer]) -> Table:
    made = table("subset", "covered", "width", "mapped\ncovered", "mapped\nwidth")
    for name, transfer in rows.items():
        if of := transfer.coverage:
            as_is, mapped = f"{100 * of.share:.1f} %", f"{100 * of.mapped_share:.1f} %"
            made.add_row(name, as_is, number(of.width), mapped, number(of.mapped_width))
    return made


def _reading(report: OutsideReport) -> str:
    low, high = report.scale
    stretched = "" if report.scale == SCALE else f", which is stretched to {SCALE[0]:g}-{SCALE[1]:g}"
    return (
        f"These raters scored from {low:g} to {high:g}{stretched}. A rank correlation with the scores of other raters "
        "measures transfer: whether the order that the models learnt holds for other photos and raters. Scores of two "
        "scales are comparable only after a map: MAE and RMSE as they are also count how the scales differ; the mapped "
        "ones come after a monotone map of the predictions (isotonic regression, fitted on four fifths of the images "
        "and judged on the rest). Always saying the mean of these scores would give MAE "
        f"{number(report.constant_mae)}. Beneath Spearman's correlation stands its interval, which holds 95 % of "
        f"{RESAMPLES:,} resamples of the images."
    )
