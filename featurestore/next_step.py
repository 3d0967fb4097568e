"""Ingest, extract, train: the first of these steps that a store still needs, for whoever came too early."""

from featurestore.errors import PrerequisiteError
from featurestore.store import Store


def after_ingest(store: Store, data_set: str) -> str:
    """What comes next, in backticks: to extract new photos, to train again where there are new ratings alone."""
    untried = store.value(
        """SELECT count(*) FROM images WHERE sha256 IS NOT NULL AND sha256 NOT IN (
               SELECT sha256 FROM attempts JOIN extractor_versions USING (extractor, version) WHERE active)"""
    )
    protocol = store.value(
        "SELECT min(protocol) FROM splits WHERE starts_with(image_id, $prefix)", prefix=f"{data_set}/"
    )
    if untried:
        return "`kallos extract`"
    return f"`{train_all(store, protocol)}`" if protocol else "`kallos features`"


def before_extract(store: Store, missing: str) -> PrerequisiteError:
    """The error for what an extraction gives; `missing` names it."""
    if not store.value("SELECT count(*) FROM images"):
        return PrerequisiteError(f"{missing}, nor any image: `kallos ingest --help` shows how to bring photos in.")
    return PrerequisiteError(f"{missing}: first run `kallos extract`.")


def before_training(store: Store, missing: str, command: str) -> PrerequisiteError:
    """The error for what `command` gives once there are images, features and scores."""
    if not store.has("normalized_features") or not store.value("SELECT count(*) FROM geometric_features"):
        return before_extract(store, missing)
    if not store.value("SELECT count(*) FROM scores"):
        return PrerequisiteError(f"{missing}, nor any score: `kallos ingest --help` shows how to bring ratings in.")
    return PrerequisiteError(f"{missing}: run `{command}` first.")


def train_all(store: Store, protocol: str | None = None, fold: int | None = None) -> str:
    """The command that trains every model on a fold; with none named on the first of the first protocol."""
    named = protocol or store.value("SELECT coalesce(min(protocol), 'NAME') FROM splits")
    return f"kallos train all --protocol {named} --fold {fold or 1}"
