"""Ingest, extract, train: the first of these steps that a store still needs, for whoever came too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import OrderError

if TYPE_CHECKING:
    from featurestore.store import Store


def extract(store: Store) -> tuple[str, str]:
    """The command that extracts, as it can be typed offline, and what else there is: weights are chosen once."""
    if store.value("SELECT count(*) FROM extractor_versions WHERE extractor LIKE 'embedding:%'"):
        return "kallos extract", ""
    return "kallos extract --weights none", "or `kallos extract --download` for ImageNet's weights"


def before_extract(store: Store, missing: str) -> OrderError:
    """The error for what an extraction gives; `missing` says what that is."""
    if not store.value("SELECT count(*) FROM images"):
        return OrderError(f"{missing}, nor any image: `kallos ingest --help` shows how to bring photos in.")
    command, choice = extract(store)
    return OrderError(f"{missing}: run `{command}` first{choice and f', {choice}'}.")


def before_training(store: Store, missing: str, command: str) -> OrderError:
    """The error for what `command` gives once there are images, features and scores."""
    if not store.has("normalized_features") or not store.value("SELECT count(*) FROM geometric_features"):
        return before_extract(store, missing)
    if not store.value("SELECT count(*) FROM scores"):
        return OrderError(f"{missing}, nor any score: `kallos ingest --help` shows how to bring ratings in.")
    return OrderError(f"{missing}: run `{command}` first.")


def train_all(store: Store, protocol: str | None = None, fold: int | None = None) -> str:
    """The command that trains every model on a fold; with none named on the first of the first protocol."""
    named = protocol or store.value("SELECT coalesce(min(protocol), 'NAME') FROM splits")
    return f"kallos train all --protocol {named} --fold {fold or 1}"
