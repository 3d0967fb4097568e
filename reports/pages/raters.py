"""`kallos report raters`: how well raters agree, how many are needed, whose taste ratings show, and who differs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table

from featurestore.errors import PrerequisiteError
from featurestore.scale import Scale
from featurestore.store import Store
from featurestore.traits import chosen_trait, traits_of
from reports.render.bars import bar
from reports.render.figures import Figure
from reports.render.layout import dim, number, page, plain_table, plural, section
from reports.render.plots import Dots, Histogram, Lines
from reports.stats.estimates import estimate_cell, estimate_text
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
    found = []
    for data_set in data_sets:
        for trait in traits_of(store, [data_set]):
            rows = ratings_of(store, data_set, trait)
            if selection.trait in (None, trait) and is_enough(rows):
                found.append(
                    RatedTrait(
                        data_set,
                        trait,
                        _scale(store, data_set, trait),
                        {n: agreement_of(of) for n, of in groups(rows, sessions=True).items() if is_enough(of)},
                        {n: variance_of(of) for n, of in groups(rows).items() if is_enough(of)},
                        tuple(raters_of(store, data_set, trait, given_twice(rows)).get(ALL, ())),
                    )
                )
    if not found:
        raise PrerequisiteError(
            "There are no single ratings by two raters: ingest a table that has a rater column, see "
            "`kallos ingest table --help`."
        )
    return RatersReport(tuple(found))


def _scale(store: Store, data_set: str, trait: str) -> Scale:
    ends = store.frame(
        "SELECT scale_low, scale_high FROM traits WHERE data_set = $name AND trait = $trait", name=data_set, trait=trait
    )
    return Scale(*ends.row(0))


def render(report: RatersReport) -> RenderableType:
    """One page a trait."""
    return Group(*map(_page, report.traits))


def _page(of: RatedTrait) -> RenderableType:
    whole, variance = of.agreement[ALL], of.variance[ALL]
    counted = f"{plural(whole.ratings, 'rating')} of {plural(whole.images, 'image')} by {plural(whole.raters, 'rater')}"
    return page(
        f"Raters of {of.data_set}, {of.trait}",
        counted,
        section("Agreement", _coefficients(whole), dim(_about(whole))),
        section("By group", _by_group(of.agreement)) if len(of.agreement) > 1 else None,
        section("Reliability of a mean", _reliability(whole), dim(_needed(whole))),
        section("Whose taste", _parts(variance), dim(_taste(variance)), remark=f"of ratings on {of.scale}"),
        section("Shares by group", _shares(of.variance)) if len(of.variance) > 1 else None,
        section(
            "One rater to the rest",
            _rest(of.raters),
            _ends(of.raters),
            *_left_out(of.raters),
            remark=f"correlation with the others' mean; bias on {of.scale}",
        ),
    )


def _coefficients(whole: Agreement) -> Table:
    table = plain_table("coefficient", "value", "95 % interval", *(f"raters for {level:g}" for level in RELIABILITIES))
    for key, estimate in whole.coefficients.items():
        if not math.isnan(estimate.value):
            value, _, ends = estimate_text(estimate).partition(" ")
            needed = [_whole_number(raters_needed(estimate.value, level)) for level in RELIABILITIES]
            table.add_row(COEFFICIENTS[key], value, ends, *(needed if key in SINGLE else ("", "")))
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


def _by_group(agreement: Mapping[str, Agreement]) -> Table:
    known = [key for key in IN_GROUPS if not all(math.isnan(of.coefficients[key].value) for of in agreement.values())]
    table = plain_table("group", "images", *(COEFFICIENTS[key] for key in known))
    for name, of in agreement.items():
        cells = (estimate_cell(of.coefficients[key]) for key in known)
        table.add_row(name, f"{of.images:,}", *cells)
    return table


def _reliability(whole: Agreement) -> Lines:
    most = min(max(2 * whole.raters, 10), MOST_RATERS)
    numbers = np.arange(1, most + 1, dtype=np.float64)
    single = {COEFFICIENTS[f"{key}k"]: whole.coefficients[key] for key in SINGLE}
    return Lines(
        {
            name: (numbers, np.array([spearman_brown(of, k).value for k in numbers]))
            for name, of in single.items()
            if not math.isnan(of.value)
        },
        "raters",
        "reliability of their mean",
    )


def _needed(whole: Agreement) -> str:
    """By the interval of the ICC: as many as its two ends ask for."""
    sentences = []
    for key, meaning in (("icc_2", "agree in level"), ("icc_3", "differ in level")):
        ends = (whole.coefficients[key].high, whole.coefficients[key].low)
        spans = (dict.fromkeys(_whole_number(raters_needed(end, level)) for end in ends) for level in RELIABILITIES)
        numbers = (f"{' to '.join(span)} for {level:g}" for span, level in zip(spans, RELIABILITIES, strict=True))
        sentences.append(f"{' and '.join(numbers)} where raters {meaning} ({COEFFICIENTS[key]})")
    return f"Raters needed, by the ends of the intervals: {'; '.join(sentences)}."


def _parts(variance: RatingVariance) -> Table:
    table = plain_table("part", "variance", "95 % interval", "share", "95 % interval", "")
    for name, part in variance.parts.items():
        value, _, ends = estimate_text(part.variance).partition(" ")
        share, _, share_ends = estimate_text(part.share).partition(" ")
        table.add_row(name, value, ends, share, share_ends, bar(part.share.value))
    return table


def _taste(variance: RatingVariance) -> str:
    of = f"Beholder's index (Hönekopp 2006): b1 {_index(variance.b1)}, b2 {_index(variance.b2)}"
    why = (
        f"{plural(variance.repeats, 'answer')} given again by {plural(variance.repeated_by, 'rater')} tell image x "
        "rater, taste of one's own, from error"
        if variance.repeats
        else "nobody was asked twice, so the residual is taste of one's own and error, and an index has bounds: "
        "none of it is taste, or all"
    )
    return (
        f"{of}: private taste over private and shared taste, without and with the raters' levels. REML; {why}. "
        "Intervals hold 95 % of 1,000 resamples of images and of raters."
    )


def _index(index: Beholder) -> str:
    most = estimate_text(index.most)
    return most if index.least == index.most else f"between {number(index.least.value, 2)} and {most}"


def _shares(variance: Mapping[str, RatingVariance]) -> Table:
    names = list(dict.fromkeys(name for of in variance.values() for name in of.parts if name != "error"))
    table = plain_table("group", *names, "b1", "b2")
    for group, of in variance.items():
        parts = (estimate_cell(of.parts[name].share) if name in of.parts else "–" for name in names)
        indices = (
            estimate_cell(i.most) if i.least == i.most else f"≤ {number(i.most.value, 2)}" for i in (of.b1, of.b2)
        )
        table.add_row(group, *parts, *indices)
    return table


def _rest(of: Sequence[Rater]) -> Histogram:
    values = [rater.rest for rater in of if rater.rest is not None]
    low = -1.0 if min(values, default=0) < 0 else 0.0
    counts, _ = np.histogram(values, BINS, (low, 1))
    return Histogram(counts.tolist(), low, 1, "correlation with the mean of the others", y_label="raters")


def _ends(of: Sequence[Rater]) -> Table:
    """The raters who agree least and most."""
    known = [(rater.rest, rater.rater_id, rater) for rater in of if rater.rest is not None]
    ordered = [rater for _, _, rater in sorted(known, key=lambda of: of[:2])]
    shown = ordered if len(ordered) <= MOST_LINES else [*ordered[:SHOWN], *ordered[-SHOWN:]]
    retested = any(rater.retest is not None for rater in shown)
    table = plain_table("rater", "images", "to the rest", "bias", *(["retest"] if retested else []))
    for rater in shown:
        figures = (number(rater.rest, 2), number(rater.bias, 2, sign=True), number(rater.retest, 2))
        table.add_row(rater.rater_id, f"{rater.images:,}", *figures[: 3 if retested else 2])
    return table


def _left_out(of: Sequence[Rater]) -> list[RenderableType]:
    """What the table of raters does not show."""
    known = sum(rater.rest is not None for rater in of)
    if known <= MOST_LINES:
        return []
    shown = f"The {SHOWN} of {known} who agree least and the {SHOWN} who agree most; all of them: "
    return [dim(shown + '`kallos sql "FROM rater_agreement ORDER BY bias"`.')]


def figures(report: RatersReport) -> list[Figure]:
    """Of each trait: reliability of a mean, shares of the variance, and raters by their agreement with the rest."""
    pictures = []
    for of in report.traits:
        name, title = f"{of.data_set}_{of.trait}", f"{of.data_set}, {of.trait}"
        parts = of.variance[ALL].parts
        ends = {part: (found.share.low, found.share.high) for part, found in parts.items()}
        shares = Dots(
            {part: found.share.value for part, found in parts.items()}, "share of the variance of a rating", ends
        )
        plots = {
            "reliability": ("Reliability of a mean", _reliability(of.agreement[ALL])),
            "taste": ("Whose taste", shares),
            "raters": ("One rater to the rest", _rest(of.raters)),
        }
        pictures += [Figure(f"{key}_{name}", f"{about}: {title}", [("", plot)]) for key, (about, plot) in plots.items()]
    return pictures
