"""`kallos report subscores`: the weights of Model B, and the distribution of its sub-scores."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.text import Text

from extractors.regions import REGIONS
from featurestore.errors import PrerequisiteError
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.records import Evaluation
from featurestore.runs import Run
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.store import Store
from featurestore.traits import target_of_run
from models.registry import MODELS
from reports.pages.features import correlations
from reports.render.bars import Spark, bar
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section, share
from reports.render.palette import REGION_COLOURS, WARM
from reports.render.plots import Dots, Histogram, Panel
from reports.render.scales import shown_on
from reports.stats.bootstrap import Estimate, Reals, resamples
from reports.stats.bootstrap import correlations as resampled_correlations
from reports.stats.estimates import BRACKETS, estimate_cell, estimate_text
from reports.stats.selection import Selection, chosen_runs, run_names

ENDS = 0.05
"""A sub-score of a model this near to an end of its scale counts as saturated: its network can no longer move it."""
BINS = 20
Resampled = tuple[float, Reals]
"""A figure, and what it is in each resample."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ATTRIBUTION = (
    "Sub-scores have no labels of their own: they are attributions of Model B, which learns them "
    "only from the raters' overall score."
)


@dataclass(frozen=True)
class RegionLine:
    """One region's sub-scores over the test images, on the scale of models.

    weight       softmax weight in Model B, the mean over the run's cross-fitted models
    weight_sd    standard deviation of the weight over all cross-fitted models of all folds and seeds of the protocol
    fits         how many models those are
    without      PC with the raters when the score is made without this region, the other weights in proportion
    change       that minus the PC of the whole score, paired
    quantiles    5, 25, 50, 75 and 95 %
    histogram    20 equal bins of the whole scale
    saturated    images within .05 of an end of it
    correlation  Pearson with the raters' overall score
    """

    region: str
    weight: float
    weight_sd: float
    fits: int
    without: Estimate
    change: Estimate
    n: int
    mean: float
    sd: float
    quantiles: tuple[float, ...]
    histogram: tuple[int, ...]
    saturated: int
    correlation: Estimate


@dataclass(frozen=True)
class SubScoreRun:
    """One run of Model B, its regions by falling weight; `pearson` is its PC with the raters.

    scale    that of the raters; None where the data sets have several
    between  (8, 8) Pearson correlations of the sub-scores, in the order of `regions`
    """

    name: str
    run_id: str
    protocol: str
    fold: int
    scale: Scale | None
    pearson: Estimate
    regions: tuple[RegionLine, ...]
    between: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SubScoreReport:
    """The chosen runs, or the newest of both forms of Model B."""

    runs: tuple[SubScoreRun, ...]


def data(store: Store, selection: Selection) -> SubScoreReport:
    """Raises PrerequisiteError when Model B was not trained."""
    runs = [run for run in chosen_runs(store, selection) if run.model in MODELS and MODELS[run.model].regions]
    if not runs:
        raise PrerequisiteError("There is no trained run of Model B: run `kallos train b` to get sub-scores.")
    names = run_names([run.model for run in runs], [run.run_id for run in runs])
    return SubScoreReport(tuple(_run(store, name, run) for name, run in zip(names, runs, strict=True)))


def _run(store: Store, name: str, run: Run) -> SubScoreRun:
    rows = store.frame(
        "SELECT image_id, person, region, sub_score, s.score FROM sub_scores JOIN runs USING (run_id) "
        f"JOIN {GROUPED_IMAGES} USING (image_id) "
        "JOIN scores s USING (image_id, trait) JOIN predictions p USING (run_id, image_id) "
        "WHERE run_id = $run_id AND role = 'test'",
        run_id=run.run_id,
    ).pivot("region", index=["image_id", "person", "score"], values="sub_score")
    weights = store.frame(
        """
        WITH every AS (SELECT region, stddev(weight) AS sd, count(*) AS fits
                       FROM sub_score_weights JOIN runs USING (run_id)
                       WHERE model = $model AND protocol = $protocol AND status = 'done' GROUP BY region)
        SELECT region, avg(weight) AS weight, any_value(sd) AS sd, any_value(fits) AS fits
        FROM sub_score_weights JOIN every USING (region) WHERE run_id = $run_id GROUP BY region ORDER BY region""",
        run_id=run.run_id,
        model=run.model,
        protocol=run.protocol,
    )
    values, scores = rows.select(weights["region"].to_list()).to_numpy(), rows["score"].to_numpy()
    counts, combined = resamples(rows["person"].to_numpy().astype(np.str_)), values @ weights["weight"].to_numpy()
    whole = _pearson(counts, scores, combined)
    lines = [_region(region, weights, values, scores, counts, whole) for region in weights["region"]]
    lines.sort(key=lambda line: (-line.weight, REGIONS.index(line.region)))
    ordered = rows.select(line.region for line in lines).to_numpy().astype(np.float64)
    between = tuple(map(tuple, correlations(ordered).tolist()))
    scale = target_of_run(store, run.run_id).scale
    pearson = Estimate.from_resamples(*whole)
    return SubScoreRun(name, run.run_id, run.protocol, run.fold, scale, pearson, tuple(lines), between)


def _pearson(counts: Reals, scores: Reals, values: Reals) -> Resampled:
    return Evaluation.from_scores(scores, values).pearson, resampled_correlations(counts, scores, values)


def _region(
    region: str,
    weights: pl.DataFrame,
    values: Reals,
    scores: Reals,
    counts: Reals,
    whole: Resampled,
) -> RegionLine:
    """`values` is (n, 8) sub-scores of the regions of `weights`, in that order; `whole` is the PC of the score."""
    low, high = MODEL_SCALE
    place, share = weights["region"].to_list().index(region), weights["weight"].to_numpy()
    remaining, sub_scores = np.arange(len(share)) != place, values[:, place]
    rest = share[remaining].sum()
    others = values[:, remaining] @ share[remaining] / rest if rest else np.full(len(scores), scores.mean())
    without = _pearson(counts, scores, others)
    return RegionLine(
        region=region,
        weight=float(share[place]),
        weight_sd=weights["sd"][place],
        fits=weights["fits"][place],
        without=Estimate.from_resamples(*without),
        change=Estimate.from_resamples(without[0] - whole[0], without[1] - whole[1]),
        n=len(sub_scores),
        mean=float(sub_scores.mean()),
        sd=float(sub_scores.std()),
        quantiles=tuple(np.quantile(sub_scores, QUANTILES).tolist()),
        histogram=tuple(np.histogram(sub_scores, BINS, MODEL_SCALE)[0].tolist()),
        saturated=int(((sub_scores <= low + ENDS) | (sub_scores >= high - ENDS)).sum()),
        correlation=Estimate.from_resamples(*_pearson(counts, scores, sub_scores)),
    )


def render(report: SubScoreReport) -> RenderableType:
    first = report.runs[0]
    return page(
        "Sub-scores",
        f"{plural(first.regions[0].n, 'test image')} of {first.protocol}, fold {first.fold}",
        *(section(f"Model {run.name}", *_tables(run), remark=run.run_id) for run in report.runs),
        dim(ATTRIBUTION),
    )


def _tables(run: SubScoreRun) -> list[RenderableType]:
    return [_weights_table(run), "", _spread_table(run), "", _between_table(run)]


def _weights_table(run: SubScoreRun) -> RenderableType:
    """Weights with their spread, and the ablation: what the score loses without each region."""
    heaviest = max(line.weight for line in run.regions)
    table = plain_table("region", "weight", "± sd", "", "PC alone", "PC without", "change")
    for line in run.regions:
        colour = REGION_COLOURS[line.region]
        weight = (number(line.weight), dim(number(line.weight_sd)), bar(line.weight / heaviest, 16, colour))
        without = (estimate_cell(line.without), estimate_cell(line.change, sign=True))
        table.add_row(Text(line.region, style=colour), *weight, estimate_cell(line.correlation, sign=True), *without)
    remark = (
        f"The whole score has PC {estimate_text(run.pearson)}. {BRACKETS} The spread is over {run.regions[0].fits} "
        "cross-fitted models of this protocol. Without a region the other weights are scaled up in proportion; "
        "nothing is retrained."
    )
    return Group(table, dim(remark))


def _spread_table(run: SubScoreRun) -> PlainTable:
    own = shown_on(run.scale)
    table = plain_table(f"on {own}", "mean", "sd", "5 %", "median", "95 %", f"from {own.words}", "saturated")
    for line in run.regions:
        colour = REGION_COLOURS[line.region]
        mean, fifth, _, median, _, top = own.from_models(np.array([line.mean, *line.quantiles])).tolist()
        figures = (number(v, 2) for v in (mean, own.errors_from_models(line.sd), fifth, median, top))
        saturated = Text(share(line.saturated, line.n), style=WARM if line.saturated > 0.1 * line.n else "")
        table.add_row(Text(line.region, style=colour), *figures, Spark(line.histogram, colour), saturated)
    return table


def _between_table(run: SubScoreRun) -> PlainTable:
    names = [line.region for line in run.regions]
    table = plain_table("correlation with", *names)
    for i, (name, row) in enumerate(zip(names, run.between, strict=True)):
        cells = (number(r, 2) if j < i else "" for j, r in enumerate(row))
        table.add_row(Text(name, style=REGION_COLOURS[name]), *cells)
    return table


def figures(report: SubScoreReport) -> list[Figure]:
    return [
        Figure(f"sub_scores_{run.name}", f"Sub-scores of Model {run.name}: attributions, not labels", _panels(run))
        for run in report.runs
    ]


def _panels(run: SubScoreRun) -> list[tuple[str, Panel]]:
    weights = {line.region: line.weight for line in run.regions}
    several = (line for line in run.regions if line.fits > 1)
    spread = {line.region: (line.weight - line.weight_sd, line.weight + line.weight_sd) for line in several}
    colours = [REGION_COLOURS[region] for region in weights]
    panels: list[tuple[str, Panel]] = [("", Dots(weights, "softmax weight, ± sd", spread, colours=colours))]
    own = shown_on(run.scale)
    for line in run.regions:
        plot = Histogram(line.histogram, *own, f"sub-score, {own}", colour=REGION_COLOURS[line.region])
        panels.append((f"{line.region}, median {own.from_models(line.quantiles[2]):.2f}", plot))
    return panels
