"""What reports say of choices that looked at the test photos that they show figures of."""

from collections.abc import Sequence

from featurestore.selections import Seen, seen_by_choices
from featurestore.store import Store

BEST_OF_SEVERAL = "To pick the best of these models is a choice by their test photos: its figures are then too good."


def most_seen(choices: Sequence[Seen]) -> int:
    """How many test photos the choice that looked at most of them may have seen."""
    return max((choice.seen or 0 for choice in choices), default=0)


def photos_seen(store: Store, run_ids_by_fold: Sequence[Sequence[str]]) -> int:
    """The same over folds, each the runs that were tested on its photos."""
    return sum(most_seen(seen_by_choices(store, run_ids)) for run_ids in run_ids_by_fold)


def caveat(seen: int, tested: int) -> str | None:
    """A sentence, where choices have seen test photos."""
    if not seen:
        return None
    return (
        f"Choices behind these models looked at up to {seen:,} of the {tested:,} test photos, so these figures may be "
        'too good: `kallos sql "FROM selections"` lists them.'
    )
