"""Ingest, extract, train: the first of these steps that a store still needs, for whoever came too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import PrerequisiteError

if TYPE_CHECKING:
    from featurestore.store import Store


def extract_command(store: Store) -> str:
    """The command that extracts, as it works offline: the weights of an encoder are chosen once."""
    known = store.value("SELECT count(*) FROM extractor_versions WHERE extractor LIKE 'embedding:%'")
    return "kallos extract" if known else "kallos extract --weights none"


def how_to_extract(store: Store) -> str:
    """The same in backticks, with the other choice where there still is one."""
    command = extract_command(store)
    other = " (or `kallos extract --download` for ImageNet's weights)" if "--weights" in command else ""
    return f"`{command}`{other}"


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
        return how_to_extract(store)
    return f"`{train_all(store, protocol)}`" if protocol else "`kallos features`"


def before_extract(store: Store, missing: str) -> PrerequisiteError:
    """The error for what an extraction gives; `missing` names it."""
    if not store.value("SELECT count(*) FROM images"):
        return PrerequisiteError(f"{missing}, nor any image: `kallos ingest --help` shows how to bring photos in.")
    return PrerequisiteError(f"{missing}: first run {how_to_extract(store)}.")


def before_training(store: Store, missing: str, command: str) -> PrerequisiteError:
    """The error for what `command` gives once there are images, features and scores."""
    if not store.has("normalized_features") or not store.value("SELECT count(*) FROM geometric_features"):
        return before_extract(store, missing)
    if not store.value("SELECT count(*) FROM scores"):
        return PrerequisiteError(f"{missing}, nor any score: `kallos ingest --help` shows how to bring ratings in.")
    return PrerequisiteError(f"{missing}: run `{command}` first.")


def train_all(store: Store, protocol: str | None = None, fold: int | None = None) -> str:
    """The command that trains every model on a fold; with none named on the first of the first protocol.

    Where the encoder has random weights, Model A starts from the same: it may be that no others are here.
    """
    named = protocol or store.value("SELECT coalesce(min(protocol), 'NAME') FROM splits")
    random_encoder = store.value(
        "SELECT min(recipe ->> '$.parameters.architecture') FROM extractor_versions "
        "WHERE active AND extractor LIKE 'embedding:%' AND recipe ->> '$.parameters.weights' = 'none'"
    )
    start = f" --backbone {random_encoder} --weights none" if random_encoder else ""
    return f"kallos train all --protocol {named} --fold {fold or 1}{start}"
