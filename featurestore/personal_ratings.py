"""What single persons rated by `kallos rate`: apart from the ratings of data sets, and no part of any score."""

import polars as pl

from featurestore.errors import UsageError
from featurestore.scale import Scale
from featurestore.sql_text import next_time
from featurestore.store import Store


def check_on_scale(scale: Scale, rating: float) -> None:
    """Raises UsageError for a rating that is not on the scale."""
    if not scale.low <= rating <= scale.high:
        raise UsageError(f"{rating:g} is not on the scale: give a number from {scale.words}.")


def add(store: Store, rater: str, trait: str, image_id: str, rating: float) -> None:
    """Record a rating, in place of one that the person gave the image before."""
    with store.transaction():
        _remove(store, rater, trait, image_id)
        values = f"$image_id, $rater, $trait, $rating, {next_time('personal_ratings', 'rated_at')}"
        statement = f"INSERT INTO personal_ratings SELECT {values}"
        store.execute(statement, image_id=image_id, rater=rater, trait=trait, rating=rating)


def undo(store: Store, rater: str, trait: str) -> str | None:
    """Remove the person's last rating; gives its image, or None where there is none."""
    rated = ratings_of(store, rater, trait)
    if rated.is_empty():
        return None
    last = str(rated["image_id"][-1])
    _remove(store, rater, trait, last)
    return last


def ratings_of(store: Store, rater: str, trait: str) -> pl.DataFrame:
    """image_id and rating of all that the person rated, in the order of rating."""
    query = "SELECT image_id, rating FROM personal_ratings WHERE rater = $rater AND trait = $trait ORDER BY rated_at"
    return store.frame(query, rater=rater, trait=trait)


def count(store: Store, rater: str) -> int:
    """How many ratings the person gave, on any trait."""
    return int(store.value("SELECT count(*) FROM personal_ratings WHERE rater = $rater", rater=rater))


def _remove(store: Store, rater: str, trait: str, image_id: str) -> None:
    statement = "DELETE FROM personal_ratings WHERE rater = $rater AND trait = $trait AND image_id = $image_id"
    store.execute(statement, rater=rater, trait=trait, image_id=image_id)
