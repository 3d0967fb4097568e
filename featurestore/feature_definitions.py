"""What each feature means, for whoever queries the store."""

from collections.abc import Iterable, Mapping

import polars as pl

from extractors.catalogue import FeatureDefinition
from featurestore.store import Store


def define_features(store: Store, definitions: Iterable[FeatureDefinition], versions: Mapping[str, str]) -> int:
    """Bring definitions up to date, by the version of their extractor; returns how many were added or removed.

    `versions` is extractor -> version; averageness is of none.
    """
    rows = pl.DataFrame(
        [
            {
                name: getattr(d, name)
                for name in ("summary", "region", "unit", "formula", "source", "low", "high", "version")
            }
            | {"feature": d.name, "points": ", ".join(d.points)}
            | {"extractor": d.kind, "extractor_version": versions.get(d.kind)}
            for d in definitions
        ],
        schema_overrides={"extractor_version": pl.String},
    )
    return sum(
        store.sync(
            "feature_definitions",
            group,
            "t.extractor = $extractor AND t.extractor_version IS NOT DISTINCT FROM $version",
            extractor=extractor,
            version=version,
        )
        for (extractor, version), group in rows.group_by("extractor", "extractor_version")
    )
