"""Whether models can be trained on the measured features."""

from featurestore.checks.contract import ENOUGH, Finding, graded, need
from featurestore.store import Store

WARN_MISSING, FAIL_MISSING = 0.05, 0.5
"""Models fill a gap with the mean: harmless in a few photos, and in most of them the feature is made up."""

ROBUST_SDS = 50
"""Distance from the median that no face has: the furthest of 935,000 values of real faces lies 21 robust sds out."""

LARGEST = 1e6
"""Features are ratios, degrees and colours of at most a few hundred; a million is a division by nearly nothing."""

WARN_OUTSIDE, FAIL_OUTSIDE = 0.01, 0.2
"""Share of photos outside a declared range. Unusual faces lie outside: at most 0.2 % of real ones. A fifth of all
photos cannot be unusual: then the unit, the formula or the range is wrong."""

LONG = """
WITH wide AS (SELECT g.* FROM geometric_features g JOIN images USING (image_id) WHERE data_set = $data_set),
long AS (FROM wide UNPIVOT INCLUDE NULLS (value FOR feature IN (COLUMNS(* EXCLUDE image_id))))"""
"""Image x feature as rows: image_id, feature, value."""

REMEDY = "compare the photos with the formula in feature_catalog: leave out those, or correct the extractor"


def missing_values(store: Store, data_set: str) -> list[Finding]:
    """Features could nearly always be measured."""
    need(store, "geometric_features", data_set, ENOUGH)
    rows = store.frame(
        f"""{LONG} SELECT feature, count_if(value IS NULL OR isnan(value))::INT AS missing, missing / count(*) AS share
        FROM long GROUP BY feature HAVING share > $limit ORDER BY share DESC, feature""",
        data_set=data_set,
        limit=WARN_MISSING,
    )
    return [
        Finding(severity, feature, "share of photos without a value", share, limit, missing, REMEDY)
        for feature, missing, share in rows.iter_rows()
        for severity, limit in [graded(share, WARN_MISSING, FAIL_MISSING)]
    ]


def infinite_values(store: Store, data_set: str) -> list[Finding]:
    """No value is infinite."""
    need(store, "geometric_features", data_set)
    query = f"""{LONG} SELECT feature, count(*), min(image_id) FROM long WHERE isinf(value)
        GROUP BY feature ORDER BY ALL"""
    rows = store.frame(query, data_set=data_set)
    return [
        Finding("fail", feature, "infinite values", images, 0, images, REMEDY, first)
        for feature, images, first in rows.iter_rows()
    ]


def constant_features(store: Store, data_set: str) -> list[Finding]:
    """Every feature differs between photos."""
    images = need(store, "geometric_features", data_set, ENOUGH)
    # not the standard deviation: that of equal values need not come out as zero
    query = f"""{LONG} SELECT feature, min(value), count(*) FROM long WHERE isfinite(value)
        GROUP BY feature HAVING min(value) = max(value) AND count(*) >= $enough ORDER BY feature"""
    rows = store.frame(query, data_set=data_set, enough=ENOUGH)
    remedy = "take it out of the catalogue, or correct the extractor"
    return [
        Finding("fail", feature, "distinct values", 1, 2, n, remedy, f"{value:g} in {n:,} of {images:,} photos")
        for feature, value, n in rows.iter_rows()
    ]


def exploding_features(store: Store, data_set: str) -> list[Finding]:
    """No value lies absurdly far out."""
    need(store, "geometric_features", data_set, ENOUGH)
    # 1.4826 makes the median absolute deviation of normal values their sd; it is 0, and means nothing,
    # where more than half of the photos share one value
    query = f"""{LONG},
        spread AS (
            SELECT feature, median(value) AS middle, nullif(1.4826 * mad(value), 0) AS sd
            FROM long WHERE isfinite(value) GROUP BY feature),
        far AS (
            SELECT *, abs(value - middle) / sd AS sds FROM long JOIN spread USING (feature)
            WHERE isfinite(value) AND (coalesce(sds, 0) > $sds OR abs(value) > $largest))
        SELECT feature, count(*), max(sds), max(abs(value)), arg_max(image_id, abs(value - middle)) FROM far
        GROUP BY feature ORDER BY 3 DESC NULLS LAST, feature"""
    rows = store.frame(query, data_set=data_set, sds=ROBUST_SDS, largest=LARGEST)
    return [
        Finding("fail", feature, "robust sds from the median", sds, ROBUST_SDS, images, REMEDY, first)
        if sds is not None and sds > ROBUST_SDS
        else Finding("fail", feature, "largest value", largest, LARGEST, images, REMEDY, first)
        for feature, images, sds, largest, first in rows.iter_rows()
    ]


def declared_ranges(store: Store, data_set: str) -> list[Finding]:
    """Values lie in their declared range."""
    need(store, "geometric_features", data_set, ENOUGH)
    query = f"""{LONG} SELECT feature, count_if(value < low OR value > high)::INT AS beyond, beyond / count(*) AS share,
            format('{{:g}} to {{:g}} {{}}, seen {{:.3g}} to {{:.3g}}', low, high, unit, min(value), max(value))
        FROM long JOIN feature_catalog USING (feature) WHERE isfinite(value)
        GROUP BY feature, low, high, unit HAVING share > $limit ORDER BY share DESC, feature"""
    rows = store.frame(query, data_set=data_set, limit=WARN_OUTSIDE)
    return [
        Finding(severity, feature, "share of photos outside the range", share, limit, beyond, REMEDY, detail)
        for feature, beyond, share, detail in rows.iter_rows()
        for severity, limit in [graded(share, WARN_OUTSIDE, FAIL_OUTSIDE)]
    ]
