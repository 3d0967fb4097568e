"""`kallos verify`: derive the training set of a run again from the store, and compare it with what was pinned."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import duckdb
import numpy as np

from extractors.alignment import RECIPE
from featurestore import normalization_statistics, normalized_values, runs, scale_maps
from featurestore.errors import LeakageError
from featurestore.runs import Run
from featurestore.store import Store
from featurestore.training_rows import Rows
from featurestore.training_sets import check_roles, manifest_id_of


@dataclass(frozen=True)
class PinnedValue:
    """One thing that was pinned and what it is now; `holds` is whether that is the same."""

    what: str
    pinned: str
    found: str
    holds: bool

    @classmethod
    def compare(cls, what: str, pinned: object, found: object) -> Self:
        return cls(what, str(pinned), str(found), pinned == found)


@dataclass(frozen=True)
class Verification:
    """Everything that was compared for one run."""

    run_id: str
    model: str
    manifest_id: str
    compared: tuple[PinnedValue, ...]

    @property
    def holds(self) -> bool:
        """Whether the run's training set is still what it was."""
        return all(comparison.holds for comparison in self.compared)


def verify(store: Store, run_id: str) -> Verification:
    """Compare one run. Nothing is written. Raises PrerequisiteError when there is no such run."""
    run = runs.load(store, run_id)
    return Verification(run_id, run.model, run.manifest_id, tuple(_compared(store, run)))


def _compared(store: Store, run: Run) -> Iterator[PinnedValue]:
    manifest = store.frame("FROM manifests WHERE manifest_id = $id", id=run.manifest_id).row(0, named=True)
    if manifest["value_hash"] is None:
        yield PinnedValue("manifest", "rows and values", "rows only: an earlier kallos pinned no values", False)
        return
    pinned = {name: value for name, value in manifest.items() if name != "manifest_id"}
    yield PinnedValue.compare("manifest", run.manifest_id, manifest_id_of(pinned))
    yield from _settings(store, run)
    yield from _versions(store, manifest["versions"])
    # before schema version 4 a query named no trait: an image had one score
    query = manifest["sql"].replace("JOIN scores USING (image_id)\n", "JOIN scores USING (image_id, trait)\n")
    statistics_id = manifest["statistics_id"]
    measured = store.value("SELECT features FROM statistics WHERE statistics_id = $id", id=statistics_id)
    try:
        rows = Rows.from_sql(store, query).with_features(manifest["features"], measured)
    except duckdb.CatalogException:
        yield PinnedValue(
            "rows", f"{manifest['row_count']:,} rows", "their versions were removed by `kallos compact`", False
        )
        return
    yield PinnedValue.compare("row count", manifest["row_count"], len(rows))
    yield PinnedValue.compare("rows: ids, photos, scores", manifest["row_hash"], rows.row_hash)
    yield PinnedValue.compare("values: features, shapes, embeddings", manifest["value_hash"], rows.value_hash)
    yield from _statistics(store, statistics_id, rows)
    yield _roles(store, run, rows)
    yield from _members(store, run)


def _settings(store: Store, run: Run) -> Iterator[PinnedValue]:
    """The id of a run is the hash of its settings, manifest and scale maps; faces are cut out as they were then."""
    if runs.TRAINING_CODE in run.config:  # an earlier kallos did not record all that the id was made of
        maps = scale_maps.of_run(store, run.run_id)
        derived = runs.id_of(run.model, run.protocol, run.fold, run.config, run.manifest_id, run.encoder, maps)
        yield PinnedValue.compare("id of the run: settings, manifest", run.run_id, derived)
    if "crops" in run.config:
        yield PinnedValue.compare("crops of the faces", _words(run.config["crops"]), _words(RECIPE))


def _words(recipe: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(recipe.items()))


def _versions(store: Store, pinned: str) -> Iterator[PinnedValue]:
    """A version is the hash of its recipe: a recipe that was altered shows here."""
    recipes = store.mapping("SELECT extractor || ' ' || version, recipe FROM extractor_versions")
    for extractor, version in json.loads(pinned).items():
        recipe = recipes.get(f"{extractor} {version}")
        found = "removed" if recipe is None else hashlib.sha256(recipe.encode()).hexdigest()[:12]
        yield PinnedValue.compare(f"version of {extractor}", version, found)


def _statistics(store: Store, statistics_id: str, rows: Rows) -> Iterator[PinnedValue]:
    """Fitted again on their recorded photos, all of them training rows."""
    stored = store.frame("FROM statistics WHERE statistics_id = $id", id=statistics_id).row(0, named=True)
    row_count, row_hash = normalization_statistics.rows_of(store, stored["sql"])
    yield PinnedValue.compare("rows of the statistics", stored["row_hash"], row_hash)
    fitted_on = set(store.column(f"SELECT sha256 FROM ({stored['sql']})"))
    yield PinnedValue.compare("statistics fitted on other rows", 0, len(fitted_on - set(rows.sha256)))
    fitted = normalization_statistics.from_query(store, stored["sql"], stored["features"][:-1]).row(0, named=True)
    if statistics_id in normalized_values.shown(store):
        differing = normalized_values.differing(store, statistics_id)
        yield PinnedValue.compare("normalised features that the raw ones do not give", 0, differing)
        missing = len(normalized_values.lacking(store, [statistics_id]))
        yield PinnedValue.compare("photos without normalised features", 0, missing)
    same = all(
        np.array_equal(np.array(stored[k]), np.array(fitted[k])) for k in ("features", "mean", "sd", "mean_shape")
    )
    found = f"of {row_count:,} photos" if same else "other values"
    yield PinnedValue("statistics: means, sds, mean shape", f"of {stored['row_count']:,} photos", found, same)


def _roles(store: Store, run: Run, rows: Rows) -> PinnedValue:
    """No photo of the training rows is one that the run is tested on."""
    try:
        check_roles(store, run.protocol, run.fold)
    except LeakageError as error:
        return PinnedValue("training rows among test rows", "0", str(error), False)
    query = "SELECT DISTINCT sha256 FROM predictions JOIN images USING (image_id) WHERE run_id = $id AND role = 'test'"
    tested = store.column(query, id=run.run_id)
    return PinnedValue.compare("training rows among test rows", 0, len(set(tested) & set(rows.sha256)))


def _members(store: Store, run: Run) -> Iterator[PinnedValue]:
    """What was combined was trained on the same rows."""
    for model, run_id in run.config.get("members", {}).items():
        yield PinnedValue.compare(f"manifest of member {model}", run.manifest_id, runs.load(store, run_id).manifest_id)
