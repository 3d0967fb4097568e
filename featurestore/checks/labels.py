"""Whether models can be trained on the scores."""

from __future__ import annotations

from featurestore.checks.contract import Finding
from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store

FEW_RATERS = 5
"""The 60 raters of one SCUT face differ by .64: the mean of four is off by .32, more than a good model is."""

REINGEST = "correct the labels and ingest again (`kallos ingest --help`)"


def scores_off_scale(store: Store, data_set: str) -> list[Finding]:
    """Scores lie on the scale of models."""
    # NaN is above every number for DuckDB, so that it is not between the two
    query = """
        SELECT trait, image_id, score FROM scores JOIN images USING (image_id)
        WHERE data_set = $data_set AND NOT coalesce(score BETWEEN $low AND $high, false)
        ORDER BY trait, abs(score - ($low + $high) / 2) DESC, image_id"""
    rows = store.frame(query, data_set=data_set, low=MODEL_SCALE.low, high=MODEL_SCALE.high)
    measure = f"scores outside {MODEL_SCALE.words}"
    return [
        Finding("fail", _subject(trait), measure, len(off), 0, len(off), REINGEST, f"{off[0, 1]} has {off[0, 2]}")
        for (trait,), off in rows.group_by("trait", maintain_order=True)
    ]


def unscored_images(store: Store, data_set: str) -> list[Finding]:
    """Every photo of a data set with scores has one."""
    query = """
        SELECT count(*), count_if(score IS NULL)::INT, min(image_id) FILTER (score IS NULL)
        FROM images LEFT JOIN (SELECT image_id, max(score) AS score FROM scores GROUP BY image_id) USING (image_id)
        WHERE data_set = $data_set"""
    total, unscored, first = store.frame(query, data_set=data_set).row(0)
    if not unscored or unscored == total:
        return []
    remedy = "`kallos report dataset` lists what ingest found: add the labels, or leave out the photos"
    return [Finding("warn", "scores", "share of photos without", unscored / total, 0, unscored, remedy, first)]


def few_raters(store: Store, data_set: str) -> list[Finding]:
    """Enough raters stand behind every score."""
    query = """
        SELECT trait, count(*), min(raters), arg_min(image_id, raters) FROM scores JOIN images USING (image_id)
        WHERE data_set = $data_set AND raters < $enough GROUP BY trait ORDER BY 3, trait"""
    rows = store.frame(query, data_set=data_set, enough=FEW_RATERS)
    remedy = "gather more ratings, or leave out these photos"
    return [
        Finding("warn", _subject(trait), "fewest raters of a photo", fewest, FEW_RATERS, few, remedy, first)
        for trait, few, fewest, first in rows.iter_rows()
    ]


def _subject(trait: str) -> str:
    return "scores" if trait == UNNAMED_TRAIT else f"scores on {trait}"
