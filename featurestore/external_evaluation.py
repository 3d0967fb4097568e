"""A whole data set as the test set of models that were trained on other photos."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extractors.outputs import EMBEDDING
from extractors.recipes import Uses, described, differences
from featurestore.errors import DataError, LeakageError, PrerequisiteError
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.outputs import active_features, active_versions
from featurestore.scale import Scale
from featurestore.store import Store
from featurestore.training_rows import Arrays, Rows, array_tables
from featurestore.used_versions import shown

FEWEST = 20
"""Images: an isotonic map and a correlation of fewer mean nothing."""


@dataclass(frozen=True, eq=False)
class ExternalRows:
    """The images of a data set that models can be evaluated on, and how many cannot.

    rows        those with a score, all values and a photo that the models were not trained on; by image_id
    subsets     n subsets, None where there is none
    people      n names, the same for photos that are known to show one person
    scale       that of the data set's ratings
    images      of the data set
    unscored    without a score
    trained_on  scored, but with the bytes of a training row
    unmeasured  scored and not trained on, but without landmarks, features or embedding
    """

    data_set: str
    trait: str
    rows: Rows
    subsets: tuple[str | None, ...]
    people: NDArray[np.str_]
    scale: Scale
    images: int
    unscored: int
    trained_on: int
    unmeasured: int


def external_rows(
    store: Store,
    data_set: str,
    trait: str,
    versions: Mapping[str, str],
    uses: Uses | None,
    features: Sequence[str],
    training_photos: Container[str],
) -> ExternalRows:
    """The rows of a data set, with their scores on a trait, for models that see these features.

    versions         extractor -> version that the models were trained on
    uses             what of it they use; None where that is not known: then the versions count as a whole
    training_photos  sha256 of the photos that they were trained on

    Raises PrerequisiteError when the store shows other values than they use or too few images have any, DataError when
    there are no scores, LeakageError when the models were trained on every scored photo.
    """
    check_versions(store, versions, uses)
    query = (
        f"SELECT image_id, sha256, subset, person, score, histogram FROM {GROUPED_IMAGES} LEFT JOIN "
        "(FROM scores WHERE trait = $trait) USING (image_id) WHERE data_set = $data_set ORDER BY image_id"
    )
    every = store.frame(query, data_set=data_set, trait=trait)
    scored = every.drop_nulls("score")
    if scored.is_empty():
        raise DataError(f"{data_set} has no scores to compare with: add them with `kallos ingest table --help`.")
    new = scored.filter([sha256 not in training_photos for sha256 in scored["sha256"]])
    if new.is_empty():
        raise LeakageError(
            f"The models were trained on every scored photo of {data_set}: evaluate them on a data set of other photos."
        )
    encoder = next(name.removeprefix(EMBEDDING) for name in versions if name.startswith(EMBEDDING))
    keys, arrays = Arrays.read(store, array_tables(store, encoder)).gather(new)
    if len(keys) < FEWEST:
        raise _too_few(data_set, len(keys), len(new))
    ends = store.frame(
        "SELECT scale_low, scale_high FROM traits WHERE data_set = $name AND trait = $trait", name=data_set, trait=trait
    ).row(0)
    return ExternalRows(
        data_set=data_set,
        trait=trait,
        rows=Rows.gathered(keys, arrays).with_features(features, active_features(store)),
        subsets=tuple(keys["subset"]),
        people=keys["person"].to_numpy().astype(np.str_),
        scale=Scale(*ends),
        images=len(every),
        unscored=len(every) - len(scored),
        trained_on=len(scored) - len(new),
        unmeasured=len(new) - len(keys),
    )


def _too_few(data_set: str, measured: int, photos: int) -> PrerequisiteError:
    """Of a data set with features of so many photos, of those that have a score and are new to the models."""
    few = f"Only {measured} scored photos of {data_set} that the models were not trained on have features"
    remedy = (
        "run `kallos extract`, and see `kallos report dataset` for what failed"
        if measured < photos
        else "name a data set of more photos with --data-set"
    )
    return PrerequisiteError(f"{few}, at least {FEWEST} are needed: {remedy}.")


def check_versions(store: Store, versions: Mapping[str, str], uses: Uses | None) -> None:
    """Raises PrerequisiteError when the store shows other values than models with these versions and uses see."""
    active = active_versions(store)
    differing = (
        {name: ["another version"] for name, version in versions.items() if active.get(name) != version}
        if uses is None
        else differences(uses, shown(store))
    )
    if differing:
        raise PrerequisiteError(
            f"The store does not show what the models were trained on ({described(differing)}): "
            f"run `kallos extract` with their encoder and weights, or `kallos rollback {next(iter(differing))}`."
        )
