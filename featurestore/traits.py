"""Which trait is meant: traits are targets of their own on the same photos, and nothing pools two of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from featurestore.errors import PrerequisiteError, UsageError
from featurestore.scale import Scale
from featurestore.store import Store

SINGLE_SCORES = (
    "(SELECT image_id, any_value(score) AS score, any_value(trait) AS trait FROM scores "
    "GROUP BY image_id HAVING count(*) = 1)"
)
"""A subquery for SQL that is about no trait: score and trait of each image that was rated on one trait only."""


@dataclass(frozen=True)
class Target:
    """What models of a protocol are trained to predict.

    trait   what was rated
    scale   that of the data sets' ratings; None where several data sets differ
    """

    trait: str
    scale: Scale | None


def target_of(store: Store, protocol: str) -> Target:
    """The target of a protocol that the store has."""
    rows = store.frame(
        "SELECT DISTINCT trait, scale_low, scale_high FROM splits JOIN images USING (image_id) "
        "JOIN traits USING (data_set, trait) WHERE protocol = $protocol",
        protocol=protocol,
    ).rows()
    scales = {Scale(low, high) for _, low, high in rows}
    return Target(rows[0][0], scales.pop() if len(scales) == 1 else None)


def target_of_run(store: Store, run_id: str) -> Target:
    """The target of a recorded run."""
    trait, low, high = store.frame("SELECT trait, scale_low, scale_high FROM runs WHERE run_id = $id", id=run_id).row(0)
    return Target(trait, None if low is None else Scale(low, high))


def scale_of_scores(store: Store, image_ids: Sequence[str]) -> Scale | None:
    """The scale of these images' `SINGLE_SCORES`; None where they have several, or no image has a score."""
    rows = store.frame(
        f"SELECT DISTINCT scale_low, scale_high FROM {SINGLE_SCORES} JOIN images USING (image_id) "
        "JOIN traits USING (data_set, trait) SEMI JOIN (SELECT unnest($ids::VARCHAR[]) AS image_id) USING (image_id)",
        ids=list(image_ids),
    ).rows()
    return Scale(*rows[0]) if len(rows) == 1 else None


def traits_of(store: Store, data_sets: Sequence[str]) -> list[str]:
    """The traits that any of these data sets was rated on, in alphabetical order."""
    return store.column(
        "SELECT DISTINCT trait FROM traits WHERE list_contains($names, data_set) ORDER BY trait", names=list(data_sets)
    )


def chosen_trait(store: Store, data_sets: Sequence[str], stated: str | None = None) -> str:
    """The stated trait, else the only one of these data sets.

    Raises PrerequisiteError where there are no ratings, UsageError, which names the traits, where there are several.
    """
    if not (traits := traits_of(store, data_sets)):
        raise PrerequisiteError(
            f"There are no ratings of {', '.join(data_sets)} yet: add them with `kallos ingest table --help`."
        )
    if stated is None and len(traits) > 1:
        raise UsageError(f"Photos were rated on several traits: choose one with --trait, of {', '.join(traits)}.")
    if stated is not None and stated not in traits:
        raise UsageError(f"There is no trait {stated!r}: choose from {', '.join(traits)}.")
    return stated or traits[0]


def matching_trait(store: Store, data_set: str, trait: str) -> str:
    """The trait of a data set by which models of another one are evaluated: that of the same name, else its only one.

    Raises PrerequisiteError where there are no ratings, UsageError, which names the traits, where none matches.
    """
    traits = traits_of(store, [data_set])
    if len(traits) > 1 and trait not in traits:
        raise UsageError(
            f"The models were trained on {trait}, and {data_set} was rated on {', '.join(traits)}: put the ratings "
            f"that come nearest into a data set of their own, see `kallos ingest table --help`, with --trait {trait}."
        )
    return trait if trait in traits else chosen_trait(store, [data_set])
