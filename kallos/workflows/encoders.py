"""The encoders of a store: those that it knows, and a new one that is asked for."""

from __future__ import annotations

import logging
import shutil

from extractors.outputs import EMBEDDING
from extractors.values import EncoderIdentity, outputs
from featurestore.outputs import active_versions, encoder_folder, found_encoder
from featurestore.staging import staging
from featurestore.store import Store
from kallos.workflows.extras import TRAINING, need
from models.encoders.spec import EncoderSpec

log = logging.getLogger(__name__)

DEFAULT_ENCODER = "mobilenet_v3_small"


def chosen_encoders(store: Store, name: str | None, weights: str | None, download: bool) -> list[EncoderSpec]:
    """The encoder of that id or architecture, else those that the store has embeddings of, else MobileNetV3-Small.

    Weights that are not asked for are those that the store's embeddings were made with, else ImageNet's.
    Raises UsageError for an unknown network or where torch is not installed, WeightsError when weights are missing.
    """
    known = known_encoders(store)
    if weights is None and (kept := [each for each in known if name in (None, each.id, each.name)]):
        return [_kept(store, encoder) for encoder in kept]
    need("train", *TRAINING)
    from models.encoders.network import EncoderNetwork

    built = EncoderNetwork.build(name or DEFAULT_ENCODER, weights or "imagenet", download=download)
    if any((each.id, each.weights_sha256) == (built.name, built.weights_sha256) for each in known):
        # an earlier kallos called it by its architecture
        built.id = built.name
    folder = encoder_folder(store, _version(built))
    if not folder.is_dir():
        log.info("writing %s as a graph, once for this store", built.name)
        with staging(folder) as made:
            built.save(made)
            made.rename(folder)
    return [EncoderSpec.read(folder)]


def known_encoders(store: Store) -> list[EncoderSpec]:
    """The encoders that the store has embeddings of."""
    return [
        EncoderSpec.read(found_encoder(store, extractor.removeprefix(EMBEDDING), version))
        for extractor, version in active_versions(store).items()
        if extractor.startswith(EMBEDDING)
    ]


def _kept(store: Store, encoder: EncoderSpec) -> EncoderSpec:
    """The encoder under the version that embeddings have today, which is another when landmarks have changed."""
    folder = encoder_folder(store, _version(encoder))
    if not folder.is_dir():
        with staging(folder) as made:
            shutil.copytree(encoder.folder, made, dirs_exist_ok=True)
            made.rename(folder)
    return EncoderSpec.read(folder)


def _version(encoder: EncoderIdentity) -> str:
    return outputs([encoder])[-1].version
