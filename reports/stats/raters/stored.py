"""Ratings of a store: by group, and their agreement in a line, for the report on a data set and its card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from featurestore.group_differences import GROUPED_IMAGES
from featurestore.rater_agreement import rater_agreement
from featurestore.store import Store
from reports.render.layout import PlainTable, number, plain_table
from reports.stats.bootstrap import UNKNOWN, Estimate
from reports.stats.estimates import estimate_cell
from reports.stats.raters.coefficients import harmonic_mean, icc_1, spearman_brown
from reports.stats.raters.ratings import Ratings
from reports.stats.raters.repeats import given_twice, retest, retest_by_rater

ALL = "all"


@dataclass(frozen=True)
class Summary:
    """Agreement over a group of images.

    within_sd        mean over images of the standard deviation over raters, on the data set's own scale
    raters           raters with single ratings
    reliability      of the raters' mean, ICC(1,k) of Shrout & Fleiss 1979; NaN where the number of raters is unknown
    retest           correlation of the first answer with the second of raters who were asked again, in another
                     session or in the same
    again            ratings that were given twice
    leave_one_out    mean over raters of the correlation of one rater with the mean of all others
    lowest, highest  the raters at the two ends of it
    """

    within_sd: float
    raters: int
    reliability: Estimate
    retest: Estimate
    again: int
    leave_one_out: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class Rater:
    """One rater.

    images  that others rated too
    bias    mean over them of the rating minus the mean of the others
    rest    correlation with the mean of the others; None where either does not vary
    retest  correlation of the first with the second answers; None where fewer than three were given twice
    """

    rater_id: str
    images: int
    bias: float
    rest: float | None
    retest: float | None


def ratings_of(store: Store, data_set: str, trait: str) -> pl.DataFrame:
    """Single ratings on a trait: image_id, rater_id, rating, first_rating, session, and the image's subset."""
    return store.frame(
        f"SELECT image_id, rater_id, rating, first_rating, session, coalesce(subset, 'none') AS subset "
        f"FROM ratings JOIN {GROUPED_IMAGES} USING (image_id) WHERE data_set = $data_set AND trait = $trait "
        "ORDER BY image_id, rater_id, session",
        data_set=data_set,
        trait=trait,
    )


def raters_of(store: Store, data_set: str, trait: str, twice: pl.DataFrame) -> dict[str, list[Rater]]:
    """Of the whole, under "all", and of each subset, by name. `twice` is what `given_twice` gives of their ratings."""
    rows = store.frame(
        f"SELECT coalesce(subset, '{ALL}'), rater_id, images, bias, to_the_rest "
        f"FROM ({rater_agreement(GROUPED_IMAGES)}) WHERE data_set = $data_set AND trait = $trait ORDER BY ALL",
        data_set=data_set,
        trait=trait,
    )
    again = retest_by_rater(twice)
    found: dict[str, list[Rater]] = {}
    for group, rater_id, images, bias, rest in rows.iter_rows():
        found.setdefault(group, []).append(Rater(rater_id, images, bias, rest, again.get(rater_id)))
    return found


def groups(frame: pl.DataFrame, *, sessions: bool = False) -> dict[str, pl.DataFrame]:
    """The whole under "all", then each subset and, if asked for, each session, where there are several."""
    parts = {ALL: frame}
    for column, before in (("subset", ""), *([("session", "session ")] if sessions else [])):
        if frame[column].drop_nulls().n_unique() > 1:
            named = frame.drop_nulls(column).sort(pl.col(column).cast(pl.Float64, strict=False), column)
            parts |= {f"{before}{name}": part for (name,), part in named.group_by(column, maintain_order=True)}
    return parts


def summaries(store: Store, data_set: str, trait: str) -> dict[str, Summary]:
    """The whole, under "all", and each subset; empty where the raters' spread is unknown."""
    spreads = store.frame(
        "SELECT image_id, mean, sd, scores.raters AS raters, coalesce(subset, 'none') AS subset "
        f"FROM scores JOIN {GROUPED_IMAGES} USING (image_id) "
        "WHERE data_set = $data_set AND trait = $trait AND sd IS NOT NULL ORDER BY image_id",
        data_set=data_set,
        trait=trait,
    )
    if spreads.is_empty():
        return {}
    ratings = ratings_of(store, data_set, trait)
    pairs = given_twice(ratings)
    raters = raters_of(store, data_set, trait, pairs)
    twice = groups(pairs.join(ratings.select("image_id", "subset").unique(), on="image_id"))
    return {
        name: _summary(part, raters.get(name, []), twice.get(name, twice[ALL].clear()))
        for name, part in groups(spreads).items()
    }


def _summary(spreads: pl.DataFrame, raters: Sequence[Rater], twice: pl.DataFrame) -> Summary:
    rest = [rater.rest for rater in raters if rater.rest is not None]
    return Summary(
        within_sd=float(spreads["sd"].to_numpy().mean()),
        raters=len(raters),
        reliability=_reliability(spreads.drop_nulls("raters")),
        retest=retest(twice),
        again=len(twice),
        leave_one_out=float(np.mean(rest)) if rest else None,
        lowest=min(rest, default=None),
        highest=max(rest, default=None),
    )


def _reliability(spreads: pl.DataFrame) -> Estimate:
    """ICC(1,k) from each image's mean, sd and number of raters, which is all that it needs."""
    if len(spreads) < 2:
        return UNKNOWN
    counts, means, sds = spreads.select("raters", "mean", "sd").cast(pl.Float64).to_numpy().T
    return spearman_brown(icc_1(Ratings.of_images(counts, means, counts * sds**2)), harmonic_mean(counts))


def summary_table(summaries: Mapping[str, Summary]) -> PlainTable:
    columns = ("subset", "raters", "sd", "reliability", "retest", "one to the rest", "lowest", "highest")
    table = plain_table(*columns)
    for name, group in summaries.items():
        by_raters = (estimate_cell(group.reliability), estimate_cell(group.retest))
        to_the_rest = map(number, (group.leave_one_out, group.lowest, group.highest))
        raters = f"{group.raters:,}" if group.raters else "–"
        table.add_row(name, raters, number(group.within_sd), *by_raters, *to_the_rest)
    return table
