"""Whether there is enough to learn from: rows, photos with a score, and scores that differ."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import DataError, PrerequisiteError
from featurestore.next_step import before_training
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from featurestore.training_rows import Rows

FEWEST_ROWS = 20

FEWEST_PHOTOS = 25
"""Photos with a score of which five folds leave FEWEST_ROWS to train on."""

MORE = "; `kallos ingest --help` shows how to add more"


def no_protocol(store: Store) -> PrerequisiteError:
    """The error where there is no fold to train on."""
    missing, scored = "The store has no protocol yet", store.value("SELECT count(DISTINCT image_id) FROM scores")
    if 0 < scored < FEWEST_PHOTOS:
        return PrerequisiteError(f"{missing}: {scored} photos have a score, {FEWEST_PHOTOS} would be enough{MORE}.")
    return before_training(store, missing, "kallos duplicates")


def check_enough(store: Store, read: Mapping[str, Rows], protocol: str, fold: int, encoder: str | None) -> None:
    """Raises PrerequisiteError where rows have no embedding of the encoder, or too few are left to train on."""
    if encoder is not None:
        query = (
            "SELECT count(*) FROM splits SEMI JOIN scores USING (image_id, trait) "
            "SEMI JOIN geometric_features USING (image_id) "
            "WHERE protocol = $protocol AND fold = $fold"
        )
        measured = store.value(query, protocol=protocol, fold=fold)
        if missing := measured - sum(map(len, read.values())):
            raise PrerequisiteError(f"{missing:,} rows have no embedding of {encoder}: run `kallos extract` again.")
    if len(read["train"]) < FEWEST_ROWS:
        raise too_few(store, protocol, fold, len(read["train"]))


def too_few(store: Store, protocol: str, fold: int, rows: int) -> PrerequisiteError:
    """The error where a fold has so few usable training `rows`: why, and how many photos would be enough."""
    query = (
        "SELECT count(*), coalesce(count_if(role = 'train'), 0)::INT "
        "FROM splits SEMI JOIN scores USING (image_id, trait) "
        "WHERE protocol = $protocol AND fold = $fold"
    )
    scored, train = store.frame(query, protocol=protocol, fold=fold).row(0)
    lacking = f"Fold {fold} of {protocol} has {rows} usable training rows, at least {FEWEST_ROWS} are needed: "
    if rows < train:
        return PrerequisiteError(f"{lacking}run `kallos extract`, and see `kallos report dataset` for what failed.")
    enough = -(-FEWEST_ROWS * scored // train) if train else FEWEST_PHOTOS
    return PrerequisiteError(f"{lacking}{enough} photos with a score would be enough{MORE}.")


def check_scores_differ(scores: NDArray[np.float64], part: NDArray[np.int64], protocol: str, fold: int) -> None:
    """Raises DataError unless scores differ in all training rows without a part, which models are fitted on."""
    rounded = scores.round(9)  # the mean of three times 3.3 is not quite 3.3
    if all(np.ptp(rounded[part != left_out]) > 0 for left_out in np.unique(part)):
        return
    values, counts = np.unique(rounded, return_counts=True)
    most, other = counts.max(), len(scores) - counts.max()
    raise DataError(
        f"{most} of the {len(scores)} training rows of fold {fold} of {protocol} have the score "
        f"{values[counts.argmax()]:g} on {MODEL_SCALE}, which leaves nothing to learn: {other} have another, "
        f"{np.bincount(part).max() + 1} would be enough."
    )
