"""How well the raters of a data set agree: an upper bound for any model of their mean."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

from featurestore.groups import GROUPED_IMAGES
from featurestore.store import Store
from reports.render.layout import number, plain_table


@dataclass(frozen=True)
class Agreement:
    """Agreement over a group of images.

    within_sd        mean over images of the standard deviation over raters, on the data set's own scale
    raters           raters with single ratings
    reliability      of the raters' mean, ICC(1,k) of Shrout & Fleiss 1979: share of its variance due to the images
    retest           correlation of the first answer with the second of raters who were asked again, in another
                     session or in the same
    again            ratings that were given twice
    leave_one_out    mean over raters of the correlation of one rater with the mean of all others
    lowest, highest  the raters at the two ends of it
    """

    within_sd: float
    raters: int
    reliability: float | None
    retest: float | None
    again: int
    leave_one_out: float | None
    lowest: float | None
    highest: float | None


def agreement(store: Store, data_set: str, trait: str) -> dict[str, Agreement]:
    """Agreement on one trait: the whole, under "all", and each subset; empty where the raters' spread is unknown."""
    rows = store.frame(
        f"""
        WITH own AS (
            SELECT image_id, coalesce(subset, 'none') AS subset FROM {GROUPED_IMAGES} WHERE data_set = $data_set),
        given AS (
            SELECT own.*, rater_id, rating, first_rating, row(try_cast(session AS DOUBLE), session) AS session
            FROM ratings JOIN own USING (image_id) WHERE trait = $trait),
        single AS (SELECT image_id, subset, rater_id, avg(rating) AS rating FROM given GROUP BY ALL),
        pooled AS (SELECT image_id, sum(rating) AS total, count(*) AS n FROM single GROUP BY image_id HAVING n > 1),
        rater AS (
            SELECT if(grouping(subset) = 1, 'all', subset) AS subset, rater_id,
                   corr(rating, (total - rating) / (n - 1)) AS r
            FROM single JOIN pooled USING (image_id) GROUP BY GROUPING SETS ((subset, rater_id), (rater_id))),
        raters AS (
            SELECT subset, count(*) AS raters, avg(r) AS mean, min(r) AS lowest, max(r) AS highest
            FROM (SELECT subset, if(isnan(r), NULL, r) AS r FROM rater) GROUP BY subset),
        within AS (
            SELECT if(grouping(subset) = 1, 'all', subset) AS subset, avg(sd) AS within_sd,
                   1 - avg(sd^2 / nullif(scores.raters - 1, 0)) / nullif(var_samp(scores.mean), 0) AS reliability
            FROM own JOIN scores USING (image_id) WHERE trait = $trait AND sd IS NOT NULL
            GROUP BY GROUPING SETS ((subset), ())),
        pairs AS (
            SELECT subset, first_rating AS first, rating AS second FROM given WHERE first_rating IS NOT NULL
            UNION ALL
            SELECT subset, min_by(rating, session), max_by(rating, session) FROM given
            GROUP BY image_id, subset, rater_id HAVING count(DISTINCT session) > 1),
        twice AS (
            SELECT if(grouping(subset) = 1, 'all', subset) AS subset, corr(first, second) AS retest, count(*) AS again
            FROM pairs GROUP BY GROUPING SETS ((subset), ()))
        SELECT subset, within_sd, coalesce(raters, 0), reliability, if(isnan(retest), NULL, retest),
               coalesce(again, 0), mean, lowest, highest
        FROM within LEFT JOIN raters USING (subset) LEFT JOIN twice USING (subset)
        WHERE within_sd IS NOT NULL ORDER BY subset <> 'all', subset""",
        data_set=data_set,
        trait=trait,
    ).rows()
    groups = {subset: Agreement(*values) for subset, *values in rows}
    return groups if len(groups) > 2 else {name: group for name, group in groups.items() if name == "all"}


def agreement_table(groups: Mapping[str, Agreement]) -> Table:
    """One line a group."""
    figures = ("within_sd", "reliability", "retest", "leave_one_out", "lowest", "highest")
    rows = (
        (name, f"{group.raters:,}" if group.raters else "–", *(number(getattr(group, figure)) for figure in figures))
        for name, group in groups.items()
    )
    columns = ("subset", "raters", "sd", "reliability", "retest", "one to the rest", "lowest", "highest")
    return plain_table(*columns, rows=rows)
