"""Whether the scores can be learnt from."""

from __future__ import annotations

from featurestore.checks.contract import Finding
from featurestore.records import SCALE
from featurestore.store import Store

FEW_RATERS = 5
"""The 60 raters of one SCUT face differ by .64: the mean of four is off by .32, more than a good model is."""

REINGEST = "correct the labels and ingest again (`kallos ingest --help`)"


def scores_off_scale(store: Store, data_set: str) -> list[Finding]:
    """Scores lie on the scale from 1 to 5."""
    low, high = SCALE
    # NaN is above every number for DuckDB, so that it is not between the two
    rows = store.frame(
        """
        SELECT image_id, score FROM scores JOIN images USING (image_id)
        WHERE data_set = $data_set AND NOT coalesce(score BETWEEN $low AND $high, false)
        ORDER BY abs(score - ($low + $high) / 2) DESC, image_id""",
        data_set=data_set,
        low=low,
        high=high,
    ).rows()
    if not rows:
        return []
    example = f"{rows[0][0]} has {rows[0][1]}"
    measure = f"scores outside {low:g} to {high:g}"
    return [Finding("fail", "scores", measure, len(rows), 0, len(rows), REINGEST, example)]


def unscored_images(store: Store, data_set: str) -> list[Finding]:
    """Every photo has a score."""
    total, unscored, first = store.frame(
        """
        SELECT count(*), count_if(score IS NULL)::INT, min(image_id) FILTER (score IS NULL)
        FROM images LEFT JOIN scores USING (image_id) WHERE data_set = $data_set""",
        data_set=data_set,
    ).row(0)
    if not unscored:
        return []
    remedy = "`kallos report dataset` lists what ingest found: add the labels, or leave out the photos"
    return [Finding("warn", "scores", "share of photos without", unscored / total, 0, unscored, remedy, first)]


def few_raters(store: Store, data_set: str) -> list[Finding]:
    """Enough raters stand behind every score."""
    few, fewest, first = store.frame(
        """
        SELECT count(*), min(raters), arg_min(image_id, raters) FROM scores JOIN images USING (image_id)
        WHERE data_set = $data_set AND raters < $enough""",
        data_set=data_set,
        enough=FEW_RATERS,
    ).row(0)
    if not few:
        return []
    remedy = "gather more ratings, or leave out these photos"
    return [Finding("warn", "scores", "fewest raters of a photo", fewest, FEW_RATERS, few, remedy, first)]
