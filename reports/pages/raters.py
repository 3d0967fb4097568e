"""`kallos report raters`: how well raters agree, how many are needed, whose taste ratings show, and who differs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType

from featurestore.errors import PrerequisiteError
from featurestore.scale import Scale
from featurestore.store import Store
from featurestore.traits import chosen_trait
from reports.render.bars import bar
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section
from reports.render.plots import Histogram, Lines
from reports.stats.estimates import estimate_cell, estimate_dots, estimate_text, split_estimate
from reports.stats.raters.agreement import COEFFICIENTS, RELIABILITIES, SINGLE, Agreement, agreement_of
from reports.stats.raters.coefficients import raters_needed, spearman_brown
from reports.stats.raters.ratings import is_enough
from reports.stats.raters.repeats import given_twice
from reports.stats.raters.stored import ALL, Rater, groups, raters_of, ratings_of
from reports.stats.raters.variance import Beholder, RatingVariance, variance_of
from reports.stats.selection import Selection, chosen_data_sets

MOST_LINES, SHOWN = 30, 5
"""Raters that have a line each; of more, so many at both ends."""

BINS = 20
MOST_RATERS = 100
"""Raters a mean is over, at most, in the plot."""

IN_GROUPS = ("icc_2", "icc_3", "icc_3k", "retest")
"""Coefficients that a table of groups has room for."""


@dataclass(frozen=True)
class RatedTrait:
    """One trait of a data set. `agreement` has the whole under "all", then each subset and each session.

    scale     lowest and highest rating that a rater could give
    variance  the same without sessions, which are repeats there
    raters    by name
    """

    data_set: str
    trait: str
    scale: Scale
    agreement: Mapping[str, Agreement]
    variance: Mapping[str, RatingVariance]
    raters: tuple[Rater, ...]


@dataclass(frozen=True)
class RatersReport:
    """The chosen data sets and traits that have single ratings."""

    traits: tuple[RatedTrait, ...]


def data(store: Store, selection: Selection) -> RatersReport:
    """Raises PrerequisiteError when there are no single ratings, UsageError for an unknown data set or trait."""
    data_sets = chosen_data_sets(store, selection)
    if selection.trait is not None:
        chosen_trait(store, data_sets, selection.trait)
    traits = store.frame(
        "SELECT data_set, trait, scale_low, scale_high FROM traits "
        "WHERE list_contains($names, data_set) AND trait = coalesce($trait, trait) ORDER BY ALL",
        names=data_sets,
        trait=selection.trait,
    )
    found = []
    for data_set, trait, low, high in traits.iter_rows():
        rows = ratings_of(store, data_set, trait)
        if is_enough(rows):
            found.append(
                RatedTrait(
                    data_set,
                    trait,
                    Scale(low, high),
                    {name: agreement_of(part) for name, part in groups(rows, sessions=True).items() if is_enough(part)},
                    {name: variance_of(part) for name, part in groups(rows).items() if is_enough(part)},
                    tuple(raters_of(store, data_set, trait, given_twice(rows)).get(ALL, ())),
                )
            )
    if not found:
        raise PrerequisiteError(
            "There are no single ratings by two raters: ingest a table that has a rater column, see "
            "`kallos ingest table --help`."
        )
    return RatersReport(tuple(found))


def render(report: RatersReport) -> RenderableType:
    return Group(*map(_page, report.traits))


def _page(rated: RatedTrait) -> RenderableType:
    whole, variance = rated.agreement[ALL], rated.variance[ALL]
    return page(
        f"Raters of {rated.data_set}, {rated.trait}",
        f"{plural(whole.ratings, 'rating')} of {plural(whole.images, 'image')} by {plural(whole.raters, 'rater')}",
        section("Agreement", _coefficients(whole), dim(_about(whole))),
        section("By group", _by_group(rated.agreement)) if len(rated.agreement) > 1 else None,
        section("Reliability of a mean", _reliability(whole), dim(_needed(whole))),
        section("Whose taste", _parts(variance), dim(_taste(variance)), remark=f"of ratings on {rated.scale}"),
        section("Shares by group", _shares(rated.variance)) if len(rated.variance) > 1 else None,
        section(
            "One rater to the rest",
            _rest(rated.raters),
            *_ends(rated.raters),
            remark=f"correlation with the others' mean; bias on {rated.scale}",
        ),
    )


def _coefficients(whole: Agreement) -> PlainTable:
    table = plain_table("coefficient", "value", "95 % interval", *(f"raters for {level:g}" for level in RELIABILITIES))
    for key, estimate in whole.coefficients.items():
        if not math.isnan(estimate.value):
            needed = [_whole_number(raters_needed(estimate.value, level)) for level in RELIABILITIES]
            table.add_row(COEFFICIENTS[key], *split_estimate(estimate), *(needed if key in SINGLE else ("", "")))
    return table


def _whole_number(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "no number"


def _about(whole: Agreement) -> str:
    means = f"k is {whole.k:.3g}, the raters an image" + ("" if whole.complete else " in the harmonic mean")
    exact = "by F" if whole.complete else "by F, approximate as there are blanks"
    again = f" The retest is of {plural(whole.again, 'rating')} given twice." if whole.again else ""
    return (
        "ICCs are named as by Shrout & Fleiss (1979): (1) each image has raters of its own, (2) raters are a sample "
        f"and must agree in level, (3) raters are these and may differ in level. {means}. Intervals of ICCs and "
        f"Cronbach's alpha are {exact}; of Krippendorff's alpha they hold 95 % of resamples of the images.{again}"
    )


def _by_group(agreement: Mapping[str, Agreement]) -> PlainTable:
    groups = agreement.items()
    known = [key for key in IN_GROUPS if not all(math.isnan(group.coefficients[key].value) for _, group in groups)]
    table = plain_table("group", "images", *(COEFFICIENTS[key] for key in known))
    for name, group in groups:
        table.add_row(name, f"{group.images:,}", *(estimate_cell(group.coefficients[key]) for key in known))
    return table


def _reliability(whole: Agreement) -> Lines:
    most = min(max(2 * whole.raters, 10), MOST_RATERS)
    numbers = np.arange(1, most + 1, dtype=np.float64)
    known = {key: whole.coefficients[key] for key in SINGLE if not math.isnan(whole.coefficients[key].value)}
    curves = {
        COEFFICIENTS[f"{key}k"]: (numbers, np.array([spearman_brown(single, k).value for k in numbers]))
        for key, single in known.items()
    }
    return Lines(curves, "raters", "reliability of their mean")


def _needed(whole: Agreement) -> str:
    """By the interval of the ICC: as many as its two ends ask for."""
    sentences = []
    for key, meaning in (("icc_2", "agree in level"), ("icc_3", "differ in level")):
        ends = (whole.coefficients[key].high, whole.coefficients[key].low)
        spans = (dict.fromkeys(_whole_number(raters_needed(end, level)) for end in ends) for level in RELIABILITIES)
        numbers = (f"{' to '.join(span)} for {level:g}" for span, level in zip(spans, RELIABILITIES, strict=True))
        sentences.append(f"{' and '.join(numbers)} where raters {meaning} ({COEFFICIENTS[key]})")
    return f"Raters needed, by the ends of the intervals: {'; '.join(sentences)}."


def _parts(variance: RatingVariance) -> PlainTable:
    table = plain_table("part", "variance", "95 % interval", "share", "95 % interval", "")
    for name, part in variance.parts.items():
        table.add_row(name, *split_estimate(part.variance), *split_estimate(part.share), bar(part.share.value))
    return table


def _taste(variance: RatingVariance) -> str:
    why = (
        f"{plural(variance.repeats, 'answer')} given again by {plural(variance.repeated_by, 'rater')} tell image x "
        "rater, taste of one's own, from error"
        if variance.repeats
        else "nobody was asked twice, so the residual is taste of one's own and error, and an index has bounds: "
        "none of it is taste, or all"
    )
    return (
        f"Beholder's index (Hönekopp 2006): b1 {_index(variance.b1)}, b2 {_index(variance.b2)}: private taste over "
        f"private and shared taste, without and with the raters' levels. REML; {why}. "
        "Intervals hold 95 % of 1,000 resamples of images and of raters."
    )


def _index(index: Beholder) -> str:
    most = estimate_text(index.most)
    return most if index.least == index.most else f"between {number(index.least.value, 2)} and {most}"


def _shares(variance: Mapping[str, RatingVariance]) -> PlainTable:
    names = list(dict.fromkeys(name for group in variance.values() for name in group.parts if name != "error"))
    table = plain_table("group", *names, "b1", "b2")
    for name, group in variance.items():
        parts = (estimate_cell(group.parts[part].share) if part in group.parts else "–" for part in names)
        indices = (
            estimate_cell(i.most) if i.least == i.most else f"≤ {number(i.most.value, 2)}" for i in (group.b1, group.b2)
        )
        table.add_row(name, *parts, *indices)
    return table


def _rest(raters: Sequence[Rater]) -> Histogram:
    values = [rater.rest for rater in raters if rater.rest is not None]
    low = -1.0 if min(values, default=0) < 0 else 0.0
    counts, _ = np.histogram(values, BINS, (low, 1))
    return Histogram(counts.tolist(), low, 1, "correlation with the mean of the others", y_label="raters")


def _ends(raters: Sequence[Rater]) -> list[RenderableType]:
    """The raters who agree least and most, and a remark where that is not all of them."""
    known = [(rater.rest, rater.rater_id, rater) for rater in raters if rater.rest is not None]
    ordered = [rater for _, _, rater in sorted(known, key=lambda entry: entry[:2])]
    shown = ordered if len(ordered) <= MOST_LINES else [*ordered[:SHOWN], *ordered[-SHOWN:]]
    retested = any(rater.retest is not None for rater in shown)
    table = plain_table("rater", "images", "to the rest", "bias", *(["retest"] if retested else []))
    for rater in shown:
        figures = (number(rater.rest, 2), number(rater.bias, 2, sign=True), number(rater.retest, 2))
        table.add_row(rater.rater_id, f"{rater.images:,}", *figures[: 3 if retested else 2])
    if len(ordered) <= MOST_LINES:
        return [table]
    remark = f"The {SHOWN} of {len(ordered)} who agree least and the {SHOWN} who agree most; all of them: "
    return [table, dim(remark + '`kallos sql "FROM rater_agreement ORDER BY bias"`.')]


def figures(report: RatersReport) -> list[Figure]:
    pictures = []
    for rated in report.traits:
        name, title = f"{rated.data_set}_{rated.trait}", f"{rated.data_set}, {rated.trait}"
        shares = {name: part.share for name, part in rated.variance[ALL].parts.items()}
        plots = {
            "reliability": ("Reliability of a mean", _reliability(rated.agreement[ALL])),
            "taste": ("Whose taste", estimate_dots(shares, "share of the variance of a rating")),
            "raters": ("One rater to the rest", _rest(rated.raters)),
        }
        pictures += [Figure(f"{key}_{name}", f"{about}: {title}", [("", plot)]) for key, (about, plot) in plots.items()]
    return pictures
